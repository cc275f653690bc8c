"""Energy drift of NVE dynamics of deca-alanine (112 atoms), 0.5 fs, float64, with the published model.

    python benchmarks/nve_drift.py [--picoseconds 5] [--out benchmarks/results/nve_drift.png]

Relaxes the structure (`helio opt`) and runs `helio md` from velocities at 600 K, half of which the potential takes up
at once. Fits a line to the total energy after the first half picosecond, prints the drift per atom and nanosecond with
its statistical error, and draws the energy.
"""

from __future__ import annotations

import argparse
import csv
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[1]


EQUILIBRATION_PS = 0.5


def helio(*arguments: object) -> None:
    """Run one `helio` command."""
    subprocess.run([sys.executable, "-m", "helio", *map(str, arguments)], check=True)


def slope_with_error(time: np.ndarray, energy: np.ndarray, blocks: int = 10) -> tuple[float, float]:
    """Slope of a line through the energies, and its standard error from the slopes that leave one block out."""
    slope = np.polyfit(time, energy, 1)[0]
    kept = [np.delete(np.arange(len(time)), part) for part in np.array_split(np.arange(len(time)), blocks)]
    left_out = np.array([np.polyfit(time[rows], energy[rows], 1)[0] for rows in kept])
    return slope, float(np.sqrt((blocks - 1) / blocks * np.sum((left_out - left_out.mean()) ** 2)))


def main() -> None:
    """Run, fit, print, draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--picoseconds", type=float, default=5.0)
    parser.add_argument("--structure", type=Path, default=ROOT / "examples/deca_alanine.xyz")
    parser.add_argument("--out", type=Path, help="figure to write")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        relaxed, run = Path(folder) / "relaxed.extxyz", Path(folder) / "nve"
        helio("opt", arguments.structure, "--fmax", 0.05, "--precision", "float64", "--out", relaxed)
        steps = round(arguments.picoseconds * 2000)
        dynamics = ("--ensemble", "nve", "--temperature", 600, "--timestep", 0.5, "--steps", steps)
        records = ("--precision", "float64", "--seed", 1, "--log-every", 10, "--save-every", steps, "--out", run)
        helio("md", relaxed, *dynamics, *records)
        with (run / "log.csv").open() as file:
            rows = list(csv.DictReader(file))
    time_ps = np.array([float(row["time_ps"]) for row in rows])
    kelvin = np.array([float(row["temperature_K"]) for row in rows])
    atoms = int(arguments.structure.read_text().split()[0])
    energy = 1e3 / atoms * np.array([float(row["total_eV"]) for row in rows])
    fitted = time_ps >= EQUILIBRATION_PS
    drift, error = slope_with_error(time_ps[fitted], energy[fitted])
    print(f"mean temperature {kelvin[fitted].mean():.0f} K")
    print(f"drift {1e3 * drift:+.3f} +- {1e3 * error:.3f} meV per atom and ns over {np.ptp(time_ps[fitted]):.2f} ps;")
    print(f"fluctuation of the total energy {np.std(energy[fitted] - drift * time_ps[fitted]):.5f} meV per atom")
    if arguments.out:
        import matplotlib

        matplotlib.use("Agg")
        import matplotlib.pyplot as plt

        figure, axes = plt.subplots(figsize=(7, 3.2), layout="constrained")
        axes.plot(time_ps, energy - energy[0], lw=0.8)
        axes.set(xlabel="time (ps)", ylabel="total energy change (meV per atom)")
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(arguments.out, dpi=150)


if __name__ == "__main__":
    main()

"""Energy drift of NVE dynamics of deca-alanine (112 atoms), 0.5 fs, float64, with the published model.

    python benchmarks/nve_drift.py [--picoseconds 2] [--out benchmarks/results/nve_drift.png]

Runs `helio md`, fits a line to the total energy, prints the drift per atom and nanosecond, and draws the energy.
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


def main() -> None:
    """Run, fit, print, draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--picoseconds", type=float, default=2.0)
    parser.add_argument("--structure", type=Path, default=ROOT / "examples/deca_alanine.xyz")
    parser.add_argument("--out", type=Path, help="figure to write")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "nve"
        steps = round(arguments.picoseconds * 2000)
        command = f"-m helio md {arguments.structure} --ensemble nve --temperature 300 --timestep 0.5 --steps {steps}"
        options = f"--precision float64 --seed 1 --log-every 10 --save-every {steps} --out {run}"
        subprocess.run([sys.executable, *command.split(), *options.split()], check=True)
        with (run / "log.csv").open() as file:
            rows = list(csv.DictReader(file))
    time_ps = np.array([float(row["time_ps"]) for row in rows])
    energy = np.array([float(row["total_eV"]) for row in rows])
    atoms = int(arguments.structure.read_text().split()[0])
    slope, _ = np.polyfit(time_ps, energy, 1)
    fluctuation = np.std(energy - np.polyval(np.polyfit(time_ps, energy, 1), time_ps))
    print(f"drift {1e3 * slope / atoms * 1e3:+.4f} meV per atom and ns over {time_ps[-1]:.2f} ps;")
    print(f"fluctuation of the total energy {1e3 * fluctuation / atoms:.5f} meV per atom")
    if arguments.out:
        import matplotlib

        matplotlib.use("Agg")
        import matplotlib.pyplot as plt

        figure, axes = plt.subplots(figsize=(7, 3.2), layout="constrained")
        axes.plot(time_ps, 1e3 * (energy - energy[0]) / atoms, lw=0.8)
        axes.set(xlabel="time (ps)", ylabel="total energy change (meV per atom)")
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(arguments.out, dpi=150)


if __name__ == "__main__":
    main()

"""Density and structure of liquid water against electrostatics and cutoff.

    python benchmarks/liquid_water.py --picoseconds 50 --only wolf-12      # begins or goes on with one run
    python benchmarks/liquid_water.py --table --out benchmarks/results/liquid_water.json

216 molecules at 300 K and 1 atm: Langevin thermostat, stochastic cell rescaling, hydrogens of 3 u, steps of 2 fs, from
one start that was equilibrated for 3 ps at 0.997 g/cm3. Runs stand in benchmarks/runs/water, each below 1 MB; one that
is there goes on from its checkpoint. The first fifth of a run, 5 ps at least, is left out; errors are those of
`helio.analyse.statistics`. g(r) is that of oxygen at the run's own density.
"""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import MDAnalysis
import numpy as np
from MDAnalysis.analysis.rdf import InterRDF

from helio.analyse.statistics import mean_and_error

ROOT = Path(__file__).parent / "runs" / "water"
RUNS = {f"{kind}-{cutoff}": (kind, cutoff) for kind in ("shifted", "wolf") for cutoff in (10, 12, 15)} | {
    "pme-12": ("pme", 12)
}
TIMESTEP = 2.0  # fs
SAVE_EVERY = 1000  # steps
EXPERIMENT = {"density": 0.997, "peak": 2.57, "peak_A": 2.80}


def helio(*arguments: object) -> None:
    subprocess.run([sys.executable, "-m", "helio", *map(str, arguments)], check=True)


def start() -> Path:
    """The equilibrated start, made where it is not there."""
    equilibrated = ROOT / "start"
    if not equilibrated.exists():
        ROOT.mkdir(parents=True, exist_ok=True)
        helio("build", "water", "--molecules", 216, "--out", ROOT / "water-216.extxyz")
        helio("md", ROOT / "water-216.extxyz", "--electrostatics", "wolf", "--hydrogen-mass", 3, "--timestep", TIMESTEP,
              "--steps", 1500, "--friction", 5, "--temperature", 300, "--out", equilibrated)  # fmt: skip
    return equilibrated


def go_on(name: str, picoseconds: float) -> None:
    """Run to the end that is asked for."""
    kind, cutoff = RUNS[name]
    steps = round(1000 * picoseconds / TIMESTEP)
    if (ROOT / name).exists():
        helio("resume", ROOT / name, "--steps", steps)
        return
    ensemble = ("--ensemble", "npt", "--temperature", 300, "--pressure", 1.01325, "--friction", 1, "--seed", 1)
    model = ("--electrostatics", kind, "--long-range-cutoff", cutoff, "--hydrogen-mass", 3, "--timestep", TIMESTEP)
    output = ("--steps", steps, "--save-every", SAVE_EVERY, "--checkpoint-every", SAVE_EVERY, "--out", ROOT / name)
    helio("md", start(), *ensemble, *model, *output)


def measured(name: str) -> dict[str, Any] | None:
    """Density in g/cm3 and the first peak of g(r); None for a run that is too short."""
    log = ROOT / name / "log.csv"
    if not log.exists():
        return None
    with log.open() as lines:
        rows = [(float(row["time_ps"]), float(row["density_g_per_cm3"])) for row in csv.DictReader(lines)]
    times, densities = np.array(rows).T
    begin = max(5.0, times[-1] / 5)
    if times[-1] < begin + 5:
        return None
    density, error = mean_and_error(densities[times >= begin])
    universe = MDAnalysis.Universe(ROOT / name / "topology.pdb", ROOT / name / "trajectory.h5md")
    oxygens = universe.select_atoms("element O")
    first = int(np.searchsorted([frame.time for frame in universe.trajectory], begin))
    rdf = InterRDF(oxygens, oxygens, nbins=104, range=(1.0, 6.2)).run(start=first)
    peak = int(np.argmax(rdf.results.rdf))
    return {
        "picoseconds": float(times[-1]),
        "from_ps": float(begin),
        "density": round(density, 4),
        "density_error": round(error, 4),
        "peak": round(float(rdf.results.rdf[peak]), 2),
        "peak_A": round(float(rdf.results.bins[peak]), 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--picoseconds", type=float, default=50.0)
    parser.add_argument("--only", choices=list(RUNS), action="append")
    parser.add_argument("--table", action="store_true", help="print what the runs so far say; run nothing")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    for name in [] if arguments.table else arguments.only or RUNS:
        go_on(name, arguments.picoseconds)
    results = {name: found for name in RUNS if (found := measured(name)) is not None}
    for name, found in results.items():
        print(
            f"{name:11} {found['picoseconds']:5.1f} ps  {found['density']:.3f} +- {found['density_error']:.3f} g/cm3  "
            f"first peak {found['peak']:.2f} at {found['peak_A']:.2f} A"
        )
    print(f"experiment            {EXPERIMENT['density']:.3f}            first peak {EXPERIMENT['peak']} at 2.80 A")
    if arguments.out:
        arguments.out.write_text(json.dumps({"experiment": EXPERIMENT, "runs": results}, indent=1) + "\n")


if __name__ == "__main__":
    main()

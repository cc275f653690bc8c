"""Does a model stay stable? Dynamics of peptides and water, each stopped where a bond breaks or atoms collide.

    python benchmarks/stability.py --model helio-s [--picoseconds 50] [--only water]
        [--out benchmarks/results/stability.json]

Ten runs of `helio md` with steps of 0.5 fs: peptides in the gas phase at 300 and 500 K and 64 molecules of water in a
box at 300 K, at constant temperature or at constant energy. Structures are minimised first. A run ends early where a
bond becomes 1.5 times as long as at the start, two atoms come closer than 0.4 A, or energy or temperature run away.
Prints a table: how far each run came, its mean temperature, the drift of the energy at constant energy, and its speed.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import platform
import subprocess
import sys
import tempfile
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

ROOT = Path(__file__).parents[1]
TIMESTEP = 0.5  # fs


class Case(NamedTuple):
    """One run."""

    what: str  # a file, or the sequence of a peptide that is built
    ensemble: str
    temperature: int  # K; of the velocities at the start, at constant energy


CASES = (
    Case("examples/alanine_dipeptide.xyz", "nvt", 300),
    Case("examples/alanine_dipeptide.xyz", "nvt", 500),
    Case("examples/deca_alanine.xyz", "nvt", 300),
    Case("examples/deca_alanine.xyz", "nvt", 500),
    Case("examples/deca_alanine.xyz", "nve", 600),  # half of it goes into the potential energy
    Case("GSFN", "nvt", 300),
    Case("WMC", "nvt", 500),
    Case("YHP", "nve", 600),
    Case("tests/reference/water_64.extxyz", "nvt", 300),
    Case("tests/reference/water_64.extxyz", "nve", 300),
)


def helio(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run one `helio` command."""
    return subprocess.run([sys.executable, "-m", "helio", *map(str, arguments)], capture_output=True, text=True)


def structure(case: Case, model: str, folder: Path) -> Path:
    """The minimised structure of a case."""
    path, relaxed = ROOT / case.what, folder / "relaxed.extxyz"
    if not path.exists():
        path = folder / "built.extxyz"
        helio("build", "peptide", case.what, "--out", path).check_returncode()
    done = helio("opt", path, "--model", model, "--fmax", 0.1, "--out", relaxed)
    if not relaxed.exists():
        raise SystemExit(f"{case.what} could not be minimised: {done.stderr}")
    return relaxed


def run(case: Case, model: str, picoseconds: float) -> dict[str, Any]:
    """Run a case and say what happened."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        start, out = structure(case, model, folder), folder / "run"
        steps = round(1000 * picoseconds / TIMESTEP)
        dynamics = ("--ensemble", case.ensemble, "--temperature", case.temperature, "--timestep", TIMESTEP)
        watch = ("--break-bond-beyond", 1.5, "--log-every", 50, "--save-every", steps, "--seed", 1)
        done = helio("md", start, "--model", model, *dynamics, "--steps", steps, *watch, "--out", out)
        with (out / "log.csv").open() as file:
            rows = list(csv.DictReader(file))
        atoms = int(start.read_text().split()[0])
    time = np.array([float(row["time_ps"]) for row in rows])
    total = 1e3 / atoms * np.array([float(row["total_eV"]) for row in rows])
    kelvin = np.array([float(row["temperature_K"]) for row in rows])
    late = time >= time[-1] / 10
    return {
        "case": f"{Path(case.what).stem} {case.ensemble} {case.temperature} K",
        "atoms": atoms,
        "picoseconds": float(time[-1]),
        "stable": done.returncode == 0,
        "why": "" if done.returncode == 0 else done.stderr.strip().splitlines()[-1],
        "mean_temperature": float(kelvin[late].mean()),
        "drift": 1e3 * float(np.polyfit(time[late], total[late], 1)[0]) if case.ensemble == "nve" else None,
        "ns_per_day": float(rows[-1]["ns_per_day"]),
    }


def main() -> None:
    """Run all cases, print a table, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="helio-s")
    parser.add_argument("--picoseconds", type=float, default=50.0)
    parser.add_argument("--only", default="", help="cases with this in their name")
    parser.add_argument("--out", type=Path, help="JSON to write")
    arguments = parser.parse_args()
    found = []
    for case in (case for case in CASES if arguments.only in case.what):
        found.append(one := run(case, arguments.model, arguments.picoseconds))
        drift = "" if one["drift"] is None else f"  drift {one['drift']:+.2f} meV/atom/ns"
        print(
            f"{one['case']:32} {one['atoms']:4} atoms  {one['picoseconds']:6.1f} ps  "
            f"{'stable' if one['stable'] else 'NOT STABLE: ' + one['why']}  {one['mean_temperature']:.0f} K{drift}  "
            f"{one['ns_per_day']:.2f} ns/day",
            flush=True,
        )
    print(f"{sum(one['stable'] for one in found)} of {len(found)} runs reached {arguments.picoseconds:g} ps")
    if arguments.out:
        record = {"date": date.today().isoformat(), "machine": platform.machine(), "cores": os.cpu_count()}
        record |= {"model": arguments.model, "picoseconds": arguments.picoseconds, "runs": found}
        arguments.out.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()

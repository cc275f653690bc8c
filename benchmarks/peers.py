"""Helio and So3krates-torch, the public implementation that installs from the package index, on the same structures.

    python benchmarks/peers.py [--environment FOLDER] [--rounds 3] [--out benchmarks/results/peers_cpu2.json]

Both evaluate energy and forces of the published weights in float32 through their ASE calculators, neighbour lists and
all, with a long-range cutoff of 12 A, after atoms have moved a little, as in dynamics. The peer has an environment of
its own, made in FOLDER where it is not there (torch's CPU build, some 700 MB). Each round starts a process for either
one after the other; a process counts the median of its evaluations after the first two, and the best round counts.
Also prints by how much the forces of both differ.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import venv
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parents[1]
PACKAGES = ("torch==2.13.0", "so3krates-torch==0.2.1")
CASES = {
    "alanine dipeptide": ("examples/alanine_dipeptide.xyz", 1, 20),
    "deca-alanine": ("examples/deca_alanine.xyz", 1, 10),
    "water, 64 molecules": ("tests/reference/water_64.extxyz", 1, 8),
    "water, 512 molecules": ("tests/reference/water_64.extxyz", 2, 4),
}
CALCULATORS = {
    "helio": "from helio import HelioCalculator\ncalculator = HelioCalculator(model='so3lr', long_range_cutoff=12.0)",
    "so3krates-torch": "from so3krates_torch.calculator.so3 import SO3LRCalculator\n"
    "calculator = SO3LRCalculator(r_max_lr=12.0, dispersion_energy_cutoff_lr_damping=2.0, compute_stress=False, "
    "device='cpu', default_dtype='float32')",
}
WORKER = """
import json, statistics, sys, time
import ase.io
import numpy as np
path, repeat, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
atoms = ase.io.read(path).repeat(repeat)
atoms.info, atoms.calc = {"charge": 0, "total_charge": 0, "spin": 0, "total_spin": 0, "multiplicity": 1}, None
CALCULATOR
atoms.calc = calculator
forces, seconds, rng = atoms.get_forces().tolist(), [], np.random.default_rng(0)
for _ in range(count + 1):
    atoms.positions += rng.normal(scale=0.002, size=atoms.positions.shape)
    began = time.perf_counter()
    atoms.get_forces()
    seconds.append(time.perf_counter() - began)
print("RESULT" + json.dumps({"atoms": len(atoms), "seconds": statistics.median(seconds[1:]), "forces": forces}))
"""


def environment(folder: Path) -> Path:
    """The Python of the peer's environment, made if it is not there."""
    python = folder / "bin" / "python"
    if not python.exists():
        venv.create(folder, with_pip=True)
    if subprocess.run([python, "-c", "import so3krates_torch"], capture_output=True).returncode:
        print(f"Installing {' and '.join(PACKAGES)} in {folder} ...", flush=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *PACKAGES], check=True)
    return python


def measure(python: str | Path, name: str, case: str) -> dict[str, Any]:
    """One case in a process of its own."""
    path, repeat, count = CASES[case]
    script = WORKER.replace("CALCULATOR", CALCULATORS[name])
    command = [str(python), "-c", script, str(ROOT / path), str(repeat), str(count)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{name} failed on {case}:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.rsplit("RESULT", 1)[1])


def main() -> None:
    """Run both in turn, print a table, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--environment", type=Path, default=Path.home() / ".cache" / "helio-peers")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    pythons = {"helio": Path(sys.executable), "so3krates-torch": environment(arguments.environment)}
    rows = []
    print(
        f"{'microseconds per atom':22}{'atoms':>6}{'helio':>9}{'so3krates-torch':>17}{'ratio':>7}  largest difference"
    )
    for case in CASES:
        best: dict[str, dict[str, Any]] = {}
        for _ in range(arguments.rounds):
            for name, python in pythons.items():
                found = measure(python, name, case)
                best[name] = min(best.get(name, found), found, key=lambda one: one["seconds"])
        atoms = best["helio"]["atoms"]
        own, other = (1e6 * best[name]["seconds"] / atoms for name in pythons)
        difference = float(np.abs(np.subtract(*(best[name]["forces"] for name in pythons))).max())
        rows.append({"case": case, "atoms": atoms, "helio": own, "so3krates_torch": other, "difference": difference})
        print(f"{case:22}{atoms:6d}{own:9.1f}{other:17.1f}{other / own:7.1f}  {difference:.1e} eV/A", flush=True)
    if arguments.out:
        machine = {"machine": platform.machine(), "cores": os.cpu_count(), "packages": PACKAGES}
        record = {"date": date.today().isoformat()} | machine | {"rows": rows}
        arguments.out.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()

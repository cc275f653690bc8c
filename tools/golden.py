"""Compare what two commits compute: the same commands, in one run on one machine, number by number.

    python tools/golden.py 29be762 [--only md-nve ...] [--keep DIR]

The old commit is checked out into a worktree of its own and its kernels are compiled there; then every case runs in
both trees, each command in a process of its own, and all numbers in the files that it writes are compared. Where
arithmetic was not touched they are equal bit for bit; a case may state by how much it may differ, and why. The end is a
table, and an exit status of 1 where a case differs by more or an output is missing.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ase.io
import h5py
import numpy as np
from ase import Atoms
from ase.build import molecule
from ase.calculators.emt import EMT
from safetensors.numpy import load_file

ROOT = Path(__file__).parents[1]
# What tells of the run and not of its result.
SPEED_WORDS = ("ns_per_day", "seconds", "per_s", "date", "version", "helio", "wall", "time_left", "memory", "sha256")
MODEL = ("--model", "helio-s")


@dataclass(frozen=True)
class Case:
    """Commands of `helio`, one after another in one folder, and the outputs that are compared (files or folders)."""

    name: str
    commands: tuple[tuple[object, ...], ...]
    outputs: tuple[str, ...]
    tolerance: float = 0.0  # largest difference, relative to the largest number of the array
    reason: str = ""  # of a tolerance


def md(name: str, *options: object) -> Case:
    """Twenty steps of dynamics."""
    length = ("--steps", 20, "--log-every", 1, "--save-every", 5, "--seed", 3)
    run = ("md", "water.extxyz", *MODEL, *length, *options, "--out", "run")
    return Case(f"md-{name}", (run,), ("run/log.csv", "run/trajectory.h5md"))


NVT, NPT = ("--ensemble", "nvt", "--temperature", 300), ("--ensemble", "npt", "--temperature", 300)
CASES = (
    md("nve", "--ensemble", "nve"),
    md("langevin", *NVT),
    md("rescaling", *NVT, "--thermostat", "rescaling"),
    md("nose-hoover", *NVT, "--thermostat", "nose-hoover"),
    md("stochastic-barostat", *NPT),
    md("moving-cell", *NPT, "--barostat", "martyna-tobias-klein", "--coupling", "triclinic"),
    md("rigid-water", *NVT, "--constraints", "water", "--timestep", 1),
    md("pme", *NVT, "--electrostatics", "pme"),
    md("float64", *NVT, "--precision", "float64"),
    md("replicas", *NVT, "--replicas", 2),
    Case(
        "resume",
        (
            ("md", "water.extxyz", *MODEL, "--steps", 10, "--log-every", 1, "--save-every", 5, "--out", "run"),
            ("resume", "run", "--steps", 20),
        ),
        ("run/log.csv", "run/trajectory.h5md"),
    ),
    Case("opt", (("opt", "molecule.xyz", *MODEL, "--fmax", 1, "--out", "out.extxyz"),), ("out.extxyz",)),
    Case(
        "opt-cell",
        (("opt", "water.extxyz", *MODEL, "--cell", "--fmax", 1.5, "--out", "out.extxyz"),),
        ("out.extxyz",),
    ),
    Case("eval", (("eval", "labelled.extxyz", *MODEL, "--out", "out.json"),), ("out.json",)),
    Case(
        "train",
        (("data", "import", "labelled.extxyz", "store.h5"), ("train", "train.yaml", "--no-report")),
        ("training/model.safetensors", "training/log.csv"),
    ),
    Case(
        "coarse",
        (
            ("coarse", "reference", "rouse", "--count", 6, "--beads", 8, 8, "--frames", 80, "--interval", 5,
             "--test", 2, "--validation", 2, "--seed", 1, "--out", "rouse.h5"),
            ("coarse", "train", "coarse.yaml", "--no-report"),
            ("coarse", "simulate", "rouse/model.safetensors", "rouse.h5", "--steps", 5, "--seed", 1, "--out", "roll"),
        ),
        ("rouse.h5", "rouse/model.safetensors", "roll"),
    ),
    Case(
        "frameworks",
        (
            ("frameworks", "sample", "--count", 2, "--seed", 1, "--out", "samples.h5"),
            ("frameworks", "assemble", "samples.h5", "assembled"),
        ),
        ("samples.h5",),
    ),
)  # fmt: skip
TRAIN = """
task: train
data: store.h5
out: training
validation: 4
structures_per_batch: 4
network: {num_layers: 1, features: 16, num_heads: 2, degrees: [1, 2], num_radial: 8, spherical_hidden: 8}
loss: {energy: 1, forces: 10, dipole: 0, hirshfeld_ratios: 0}
steps: 12
log_every: 1
validate_every: 6
checkpoint_every: 6
"""
COARSE = """
task: coarse-train
data: rouse.h5
out: rouse
network: {history: 4, width: 8, layers: 1, hidden_layers: 1, embedding_width: 4, embedding_layers: 1, embedding_size: 4,
          type_size: 4}
systems_per_batch: 2
windows_per_system: 4
steps: 6
validate_every: 3
"""


def write_inputs(folder: Path) -> None:
    """The files that the commands begin with, the same for both trees."""
    folder.mkdir()
    water = ase.io.read(ROOT / "tests/reference/water_64.extxyz")
    assert isinstance(water, Atoms)
    water.calc, water.info = None, {}
    ase.io.write(folder / "water.extxyz", water)
    shutil.copy(ROOT / "examples/alanine_dipeptide.xyz", folder / "molecule.xyz")
    structures = []
    for seed in range(24):
        ethanol = molecule("CH3CH2OH")
        ethanol.rattle(0.08, seed=seed)
        ethanol.calc = EMT()
        ethanol.get_forces()
        structures.append(ethanol)
    ase.io.write(folder / "labelled.extxyz", structures)
    (folder / "train.yaml").write_text(TRAIN)
    (folder / "coarse.yaml").write_text(COARSE)


def run_case(case: Case, tree: Path, inputs: Path, place: Path) -> str | None:
    """Run the commands of a case with the Helio of a tree; why that failed, None if it did not."""
    shutil.copytree(inputs, place)
    environment = os.environ | {"PYTHONPATH": str(tree), "HELIO_OFFLINE": "1"}
    for arguments in case.commands:
        command = [sys.executable, "-m", "helio", *map(str, arguments)]
        result = subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True)
        if result.returncode:
            return f"{' '.join(command[3:])}: {(result.stderr or result.stdout).strip()[-300:]}"
    return None


def arrays(path: Path) -> Iterator[tuple[str, np.ndarray]]:
    """All numbers of a file or a folder, by name."""
    if path.is_dir():
        for part in sorted(path.rglob("*")):
            if part.suffix in READERS:
                for name, values in READERS[part.suffix](part):
                    yield f"{part.relative_to(path)}:{name}", values
        return
    yield from READERS[path.suffix](path)


def _from_csv(path: Path) -> Iterator[tuple[str, np.ndarray]]:
    with path.open() as lines:
        rows = list(csv.DictReader(lines))
    for name in rows[0] if rows else ():
        if not _tells_of_speed(name):
            yield name, np.array([row[name] for row in rows])


def _from_json(path: Path) -> Iterator[tuple[str, np.ndarray]]:
    def leaves(value: Any, name: str) -> Iterator[tuple[str, np.ndarray]]:
        if _tells_of_speed(name.rsplit(".", 1)[-1]):
            return
        if isinstance(value, dict):
            for key, item in value.items():
                yield from leaves(item, f"{name}.{key}" if name else str(key))
        elif isinstance(value, list):
            for number, item in enumerate(value):
                yield from leaves(item, f"{name}.{number}")
        else:
            yield name, np.array(value)

    yield from leaves(json.loads(path.read_text()), "")


def _from_hdf5(path: Path) -> Iterator[tuple[str, np.ndarray]]:
    found: dict[str, np.ndarray] = {}
    with h5py.File(path) as file:
        file.visititems(lambda name, item: found.update({name: item[()]}) if isinstance(item, h5py.Dataset) else None)
    yield from ((name, np.asarray(values)) for name, values in found.items())


def _from_structures(path: Path) -> Iterator[tuple[str, np.ndarray]]:
    for number, atoms in enumerate(ase.io.iread(path)):
        yield from ((f"{number}.{name}", values) for name, values in atoms.arrays.items())
        yield f"{number}.cell", atoms.cell.array


READERS = {
    ".csv": _from_csv,
    ".json": _from_json,
    ".h5": _from_hdf5,
    ".h5md": _from_hdf5,
    ".extxyz": _from_structures,
    ".safetensors": lambda path: iter(load_file(path).items()),
}


def _tells_of_speed(name: str) -> bool:
    return any(word in name for word in SPEED_WORDS)


def compared(old: Path, new: Path) -> tuple[int, float, list[str]]:
    """How many arrays were compared, their largest relative difference, and the names of those that are not in both."""
    before, after = dict(arrays(old)), dict(arrays(new))
    largest = 0.0
    for name in before.keys() & after.keys():
        largest = max(largest, _difference(before[name], after[name]))
    return len(before.keys() & after.keys()), largest, sorted(before.keys() ^ after.keys())


def _difference(before: np.ndarray, after: np.ndarray) -> float:
    if before.shape != after.shape:
        return float("inf")
    if before.dtype.kind not in "iufb" or after.dtype.kind not in "iufb":
        try:
            before, after = before.astype(float), after.astype(float)
        except (TypeError, ValueError):
            return 0.0 if np.array_equal(before, after) else float("inf")
    if np.array_equal(before, after, equal_nan=True):
        return 0.0
    scale = float(np.nanmax(np.abs(before.astype(float)), initial=0.0)) or 1.0
    return float(np.nanmax(np.abs(before.astype(float) - after.astype(float)))) / scale


def main() -> int:
    """Run the cases; 1 where one is not as it was."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("commit", help="to compare with")
    parser.add_argument("--only", nargs="+", choices=[case.name for case in CASES])
    parser.add_argument("--keep", type=Path, help="folder for the outputs; by default they are removed")
    arguments = parser.parse_args()
    place = arguments.keep or Path(tempfile.mkdtemp())
    place.mkdir(parents=True, exist_ok=True)
    tree = place / "tree"
    subprocess.run(["git", "worktree", "add", "--force", "--detach", tree, arguments.commit], cwd=ROOT, check=True)
    failed = False
    try:
        for folder in (tree, ROOT):
            subprocess.run([sys.executable, "hatch_build.py"], cwd=folder, check=True)
        write_inputs(place / "inputs")
        for case in CASES:
            if arguments.only is None or case.name in arguments.only:
                failed |= not _report(case, place, tree)
    finally:
        subprocess.run(["git", "worktree", "remove", "--force", tree], cwd=ROOT, check=True)
        if arguments.keep is None:
            shutil.rmtree(place)
    return int(failed)


def _report(case: Case, place: Path, tree: Path) -> bool:
    """Run and compare a case, print a line; whether it is as it was."""
    folders = [place / f"{case.name}-{age}" for age in ("old", "new")]
    for folder, code in zip(folders, (tree, ROOT), strict=True):
        problem = run_case(case, code, place / "inputs", folder)
        if problem is not None:
            print(f"{case.name:22} failed in {folder.name}: {problem}", flush=True)
            return False
    count, largest, missing = 0, 0.0, []
    for output in case.outputs:
        found, difference, alone = compared(*(folder / output for folder in folders))
        count, largest, missing = count + found, max(largest, difference), [*missing, *alone]
    equal = "equal bit for bit" if largest == 0 else f"differs by {largest:.1e}"
    allowed = f" (allowed {case.tolerance:g}: {case.reason})" if case.tolerance else ""
    names = f"; not in both: {', '.join(missing[:4])}" if missing else ""
    print(f"{case.name:22} {count:4} arrays, {equal}{allowed}{names}", flush=True)
    return count > 0 and largest <= case.tolerance


if __name__ == "__main__":
    sys.exit(main())

"""Throughput of training: structures and atoms per second, padding, and the share of time spent waiting for data.

    python benchmarks/training.py [--data STORE] [--features 64] [--layers 2] [--structures 16]
        [--out benchmarks/results/training.json]

Without a store, distorted copies of the reference molecules (5 to 66 atoms) with random labels are trained on: cost
does not depend on what labels say. The first pass over all shapes, which compiles, is not counted.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import tempfile
import time
from contextlib import closing
from datetime import date
from itertools import islice
from pathlib import Path
from typing import Any

import ase.io
import jax
import numpy as np
from ase import Atoms

from helio.precision import numerics
from helio.settings.checking import checked
from helio.train.devices import replicated
from helio.train.importing import import_files
from helio.train.settings import TrainSettings
from helio.train.setup import prepare
from helio.train.step import make_step, start_state

ROOT = Path(__file__).parents[1]
MOLECULES = {"ammonium": 1, "ethanol": 0, "acetate": -1, "base_pair_at_at": 0, "docosahexaenoic_acid": 0}
_COPIES = 80


def write_data(path: Path) -> None:
    """Distorted copies of the reference molecules with random forces, dipoles and Hirshfeld ratios."""
    rng, frames = np.random.default_rng(0), []
    for name, charge in MOLECULES.items():
        atoms = ase.io.read(ROOT / "tests/reference" / f"{name}.extxyz")
        assert isinstance(atoms, Atoms)
        for _ in range(_COPIES):
            moved = Atoms(atoms.numbers, atoms.positions + 0.05 * rng.normal(size=(len(atoms), 3)))
            moved.info |= {"charge": charge, "spin": 0, "REF_dipole": rng.normal(size=3)}
            moved.arrays["REF_forces"] = rng.normal(size=(len(atoms), 3))
            moved.arrays["hirshfeld_ratios"] = rng.uniform(0.5, 1, len(atoms))
            frames.append(moved)
    ase.io.write(path.with_suffix(".extxyz"), frames)
    import_files([path.with_suffix(".extxyz")], path)


def measure(data: Path, features: int, layers: int, structures: int, steps: int) -> dict[str, Any]:
    """Train for some steps on the data."""
    settings = checked(TrainSettings, {
        "data": str(data), "validation": 0, "steps": steps, "structures_per_batch": structures,
        "network": {"features": features, "num_layers": layers},
    })  # fmt: skip
    with numerics("float32"):
        setup = prepare(settings)
        step = make_step(setup.loss, setup.optimiser, mesh=setup.mesh, averaging=0.999)
        state = replicated(start_state(setup.model, setup.optimiser), setup.mesh)
        began = time.perf_counter()
        with closing(setup.training) as loader:
            for batch in islice(loader, loader.batches_per_epoch):
                state, found = step(state, batch)
            jax.block_until_ready(state)
            compiled = time.perf_counter()
            waited, count, atoms = loader.waited, 0, 0
            for batch in islice(loader, steps):
                state, found = step(state, batch)
                count += int(np.sum(batch.real))
                atoms += int(np.sum(batch.system.atom_mask & batch.real[:, None]))
                found.loss.block_until_ready()
            seconds = time.perf_counter() - compiled
            waste = loader.waste()
            return {
                "date": date.today().isoformat(),
                "device": f"{jax.devices()[0].device_kind} x {setup.mesh.size}",
                "machine": platform.machine(),
                "cores": os.cpu_count(),
                "load": round(os.getloadavg()[0], 1),  # above the number of cores: these were shared
                "parameters": sum(leaf.size for leaf in jax.tree.leaves(setup.model)),
                "shapes": [f"{shape.structures} x {shape.atoms} atoms, {shape.pairs} pairs" for shape in loader.shapes],
                "structures_per_second": round(count / seconds, 1),
                "atoms_per_second": round(atoms / seconds, 1),
                "padding_of_atoms": round(waste.atoms, 3),
                "padding_of_pairs": round(waste.pairs, 3),
                "waiting_for_data": round((loader.waited - waited) / seconds, 4),
                "first_pass_seconds": round(compiled - began, 1),
                "peak_memory_MB": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
            }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--features", type=int, default=64)
    parser.add_argument("--layers", type=int, default=2)
    parser.add_argument("--structures", type=int, default=16)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        data = given.data or Path(folder) / "molecules.h5"
        if given.data is None:
            write_data(data)
        found = measure(data, given.features, given.layers, given.structures, given.steps)
    text = json.dumps(found, indent=2)
    print(text)
    if given.out is not None:
        given.out.write_text(text + "\n")


if __name__ == "__main__":
    main()

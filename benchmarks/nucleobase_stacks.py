"""Stacked nucleobases: how well a small model follows its teacher, and structures that teach its flag where it fails.

    python benchmarks/nucleobase_stacks.py --teacher so3lr --model helio-s --out stacks.extxyz [--count 120]
        [--json benchmarks/results/nucleobase_stacks.json]

Pairs of methylated A, C, G, T and U, flat and parallel, 3.2 to 3.8 A apart, turned at random and moved by up to 1.5 A
along their planes, with no atoms closer than 2.2 A. Prints interaction energies of teacher and model in kcal/mol, and
how many pairs the model leaves unbound that its teacher binds; writes the pairs with the energies and forces of the
teacher, for `helio data import` and `helio calibrate --weak`. Needs rdkit.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import ase.io
import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator

from helio import System
from helio.build import molecule
from helio.evaluate.batches import predict_many
from helio.force_field import ForceField, load_model
from helio.prediction import Prediction
from helio.units import KCAL_PER_MOL

BASES = ("Cn1cnc2c(N)ncnc12", "Cn1cnc2c1nc(N)[nH]c2=O", "Cn1ccc(N)nc1=O", "Cn1cc(C)c(=O)[nH]c1=O", "Cn1ccc(=O)[nH]c1=O")
NEUTRAL = {"charge": 0, "spin": 0}


def flat_base(smiles: str) -> Atoms:
    """The base in the plane z = 0."""
    atoms = molecule(smiles, seed=1)
    heavy = atoms.positions[atoms.numbers > 1]
    axes = np.linalg.svd(heavy - heavy.mean(axis=0))[2]
    return Atoms(atoms.numbers, (atoms.positions - heavy.mean(axis=0)) @ axes.T)


def random_stacks(count: int, seed: int) -> list[tuple[Atoms, Atoms]]:
    """Pairs of bases."""
    rng, bases, stacks = np.random.default_rng(seed), [flat_base(smiles) for smiles in BASES], []
    while len(stacks) < count:
        first, second = (bases[number].copy() for number in rng.integers(len(bases), size=2))
        second.rotate(rng.uniform(0, 360), "z", center=(0, 0, 0))
        if rng.random() < 0.5:
            second.positions *= [1, -1, -1]  # the other face
        second.positions += [*rng.uniform(-1.5, 1.5, 2), rng.uniform(3.2, 3.8)]
        if np.linalg.norm(first.positions[:, None] - second.positions, axis=-1).min() > 2.2:
            stacks.append((first, second))
    return stacks


def predictions(force_field: ForceField, structures: Sequence[Atoms]) -> list[Prediction]:
    """In the order of the structures."""
    systems = ((number, System.from_ase(atoms, charge=0)) for number, atoms in enumerate(structures))
    return [prediction for _, prediction in sorted(predict_many(force_field, systems), key=lambda pair: pair[0])]


def energies(found: Sequence[Prediction]) -> np.ndarray:
    """In kcal/mol."""
    return np.array([np.asarray(p.atomic_energies, np.float64).sum() for p in found]) / KCAL_PER_MOL


def main() -> None:
    """Build, compare, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--teacher", default="so3lr")
    parser.add_argument("--model", default="helio-s")
    parser.add_argument("--count", type=int, default=120)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="labelled pairs to write, .extxyz")
    parser.add_argument("--json", type=Path, help="numbers to write")
    arguments = parser.parse_args()
    stacks = random_stacks(arguments.count, arguments.seed)
    pairs = [first + second for first, second in stacks]
    interaction, labels = {}, []
    for role, name in (("teacher", arguments.teacher), ("model", arguments.model)):
        force_field = load_model(name)
        whole = predictions(force_field, pairs)
        parts = [energies(predictions(force_field, side)) for side in zip(*stacks, strict=True)]
        interaction[role] = energies(whole) - sum(parts)
        labels = labels or whole
    error = interaction["model"] - interaction["teacher"]
    unbound = (interaction["model"] > 0) & (interaction["teacher"] < 0)
    record = {
        "date": date.today().isoformat(),
        "pairs": len(pairs),
        "mean_teacher": float(interaction["teacher"].mean()),
        "mean_model": float(interaction["model"].mean()),
        "mae": float(np.abs(error).mean()),
        "bound_by_teacher": int((interaction["teacher"] < 0).sum()),
        "unbound_by_model_of_these": int(unbound.sum()),
    }
    for name, value in record.items():
        print(f"{name:28} {value}")
    if arguments.out:
        for atoms, label in zip(pairs, labels, strict=True):
            energy = float(np.asarray(label.atomic_energies, np.float64).sum())
            atoms.info |= NEUTRAL
            atoms.calc = SinglePointCalculator(atoms, energy=energy, forces=np.asarray(label.forces, np.float64))
        ase.io.write(arguments.out, pairs)
    if arguments.json:
        arguments.json.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()

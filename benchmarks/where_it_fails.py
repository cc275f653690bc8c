"""Where models fail: energies of reactions, barriers, conformers and complexes against coupled cluster, set by set.

    python benchmarks/where_it_fails.py --data gscdb138 --model so3lr --model helio-s
        [--out benchmarks/results/where_it_fails.json]

The folder holds the part of GSCDB138 (Liang and Head-Gordon, JCTC 2025; CC BY 4.0) whose molecules consist of
H C N O F P S Cl: `reactions.csv` with set, kind, reaction, reference_kcal_mol, coefficients and molecules;
`molecules.extxyz` with name, charge and spin (unpaired electrons); `dft_mae_kcal_mol.csv` with the mean absolute errors
of density functionals, one row for each set. Each molecule is evaluated alone, at the geometry of the file, with all
pairs of its atoms in the long-range terms; an energy of reaction is the sum of coefficients and energies. Complexes of
two molecules are also evaluated as in `helio eval --dimers`: against the same atoms in one system, with the molecules
10,000 A apart and a charge for each. Prints the mean absolute error of each set and class beside the mean size of the
reference and the errors of two functionals, in kcal/mol, and writes the same, with the signed means, to a file.
"""

from __future__ import annotations

import argparse
import csv
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
from ase import Atoms

from helio import System
from helio.evaluate.batches import predict_many
from helio.evaluate.dimers import evaluate_dimers
from helio.force_field import ForceField, load_model
from helio.units import KCAL_PER_MOL

# A good and a widely used functional, of those in the file.
FUNCTIONALS = ("wB97M-V", "B3LYP")


@dataclass(frozen=True)
class Reaction:
    """Sum of coefficients times energies of molecules, with its reference in kcal/mol."""

    set: str
    kind: str
    reference: float
    coefficients: tuple[float, ...]
    molecules: tuple[str, ...]

    def energy(self, energies: Mapping[str, float]) -> float:
        """From energies by name of molecule."""
        return sum(c * energies[name] for c, name in zip(self.coefficients, self.molecules, strict=True))


@dataclass(frozen=True)
class MoleculeClass:
    """Reactions of one kind whose molecules have something in common, over all sets."""

    title: str
    kind: str
    holds: Callable[[Sequence[Atoms]], bool]


def _charged(molecules: Sequence[Atoms]) -> bool:
    return any(atoms.info["charge"] for atoms in molecules)


def _holds_s_p_cl(molecules: Sequence[Atoms]) -> bool:
    return not _charged(molecules) and any(np.isin(atoms.numbers, (15, 16, 17)).any() for atoms in molecules)


CLASSES = (
    MoleculeClass("complexes with an ion", "Noncovalent", _charged),
    MoleculeClass("neutral complexes with P, S or Cl", "Noncovalent", _holds_s_p_cl),
    MoleculeClass(
        "neutral complexes of H C N O F", "Noncovalent", lambda group: not _charged(group) and not _holds_s_p_cl(group)
    ),
    MoleculeClass(
        "isomers with unpaired electrons", "Isomerization", lambda group: any(atoms.info["spin"] for atoms in group)
    ),
    MoleculeClass(
        "neutral isomers and conformers, closed shells",
        "Isomerization",
        lambda group: not _charged(group) and not any(atoms.info["spin"] for atoms in group),
    ),
    MoleculeClass("charged isomers and conformers", "Isomerization", _charged),
)


def read_reactions(folder: Path) -> list[Reaction]:
    """All reactions of the folder."""
    with (folder / "reactions.csv").open() as file:
        return [
            Reaction(
                row["set"],
                row["kind"],
                float(row["reference_kcal_mol"]),
                tuple(map(float, row["coefficients"].split())),
                tuple(row["molecules"].split()),
            )
            for row in csv.DictReader(file)
        ]


def read_functionals(folder: Path) -> dict[str, dict[str, float]]:
    """Mean absolute errors in kcal/mol by set and functional."""
    with (folder / "dft_mae_kcal_mol.csv").open() as file:
        return {
            row["Dataset"]: {name: float(value) for name, value in row.items() if name != "Dataset"}
            for row in csv.DictReader(file)
        }


def energies(force_field: ForceField, molecules: Mapping[str, Atoms], precision: str) -> dict[str, float]:
    """Energies in kcal/mol by name."""
    systems = ((name, System.from_ase(atoms)) for name, atoms in molecules.items())
    predictions = predict_many(force_field, systems, precision=precision)  # pyright: ignore[reportArgumentType]
    return {
        name: float(np.asarray(prediction.atomic_energies, np.float64).sum()) / KCAL_PER_MOL
        for name, prediction in predictions
    }


def as_dimer(reaction: Reaction, molecules: Mapping[str, Atoms]) -> Atoms | None:
    """The complex of two molecules that it is made of, with what `helio eval --dimers` needs; None for all else."""
    order = np.argsort([-len(molecules[name]) for name in reaction.molecules], kind="stable")
    if reaction.kind != "Noncovalent" or len(order) != 3:
        return None
    whole, *parts = (molecules[reaction.molecules[i]] for i in order)
    sign = reaction.coefficients[order[0]]
    if [reaction.coefficients[i] for i in order] not in ([sign, -sign, -sign],) or abs(sign) != 1:
        return None
    for first, second in (parts, parts[::-1]):
        numbers = np.concatenate([first.numbers, second.numbers])
        if len(numbers) != len(whole) or (numbers != whole.numbers).any():
            continue
        dimer, count = whole.copy(), len(first)
        if not _same_shape(whole.positions[:count], first) or not _same_shape(whole.positions[count:], second):
            continue
        dimer.info |= {
            "selection_a": f"1-{count}",
            "selection_b": f"{count + 1}-{len(whole)}",
            "charge_a": first.info["charge"],
            "charge_b": second.info["charge"],
            "reference_Eint": sign * reaction.reference,
        }
        return dimer
    return None


def _same_shape(positions: np.ndarray, atoms: Atoms) -> bool:
    """Whether the molecule was taken from the complex as it lies there, to 0.01 A."""
    there = np.linalg.norm(positions[:, None] - positions[None], axis=-1)
    return bool(np.abs(there - atoms.get_all_distances()).max() < 0.01)


def dimer_errors(force_field: ForceField, dimers: Sequence[Atoms], precision: str) -> list[float]:
    """Errors of interaction energies in kcal/mol."""
    found = evaluate_dimers(force_field, list(enumerate(dimers)), precision=precision)  # pyright: ignore[reportArgumentType]
    return [dimer.predicted - (dimer.reference or 0.0) for dimer in found.dimers]


def statistics(reactions: Sequence[Reaction], predicted: Mapping[str, Mapping[str, float]]) -> dict[str, Any]:
    """Counts, mean size of the reference, and the errors of each model, in kcal/mol."""
    reference = np.array([reaction.reference for reaction in reactions])
    result: dict[str, Any] = {"count": len(reactions), "mean_size": float(np.abs(reference).mean()), "models": {}}
    for model, of_molecule in predicted.items():
        errors = np.array([reaction.energy(of_molecule) for reaction in reactions]) - reference
        result["models"][model] = {
            "mae": float(np.abs(errors).mean()),
            "mean": float(errors.mean()),
            "max": float(np.abs(errors).max()),
        }
    return result


def print_rows(title: str, rows: Mapping[str, dict[str, Any]], models: Sequence[str]) -> None:
    """A table of `statistics`."""
    heads = [*models, *(FUNCTIONALS if any("functionals" in row for row in rows.values()) else ())]
    print(f"\n{title:46}{'count':>6}{'size':>8}" + "".join(f"{head[:11]:>12}" for head in heads))
    for name, row in rows.items():
        values = [row["models"][model]["mae"] for model in models]
        values += [row["functionals"][functional] for functional in FUNCTIONALS if "functionals" in row]
        print(f"{name:46}{row['count']:6}{row['mean_size']:8.2f}" + "".join(f"{value:12.2f}" for value in values))


def main() -> None:
    """Evaluate, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of GSCDB138")
    parser.add_argument("--model", action="append", help="name or file; several times for several models")
    parser.add_argument("--precision", choices=("float32", "float64"), default="float32")
    parser.add_argument("--out", type=Path, help="JSON to write")
    arguments = parser.parse_args()
    models = arguments.model or ["so3lr", "helio-s"]
    reactions, functionals = read_reactions(arguments.data), read_functionals(arguments.data)
    structures = ase.io.read(arguments.data / "molecules.extxyz", ":")
    molecules = {str(atoms.info["name"]): atoms for atoms in structures if isinstance(atoms, Atoms)}

    dimers = [(reaction, as_dimer(reaction, molecules)) for reaction in reactions]
    complexes = [(reaction, dimer) for reaction, dimer in dimers if dimer is not None]
    predicted, apart = {}, {}
    for model in models:
        begin = time.perf_counter()
        force_field = load_model(model, long_range_cutoff=1000.0)
        predicted[Path(model).stem] = energies(force_field, molecules, arguments.precision)
        errors = dimer_errors(force_field, [dimer for _, dimer in complexes], arguments.precision)
        apart[Path(model).stem] = errors
        took = time.perf_counter() - begin
        print(f"{Path(model).stem}: {len(molecules)} molecules, {len(complexes)} complexes in {took:.0f} s", flush=True)

    sets: dict[str, dict[str, Any]] = {}
    for kind in dict.fromkeys(reaction.kind for reaction in reactions):
        rows = {}
        for name in dict.fromkeys(reaction.set for reaction in reactions if reaction.kind == kind):
            rows[name] = statistics([reaction for reaction in reactions if reaction.set == name], predicted)
            rows[name] |= {"kind": kind, "functionals": functionals[name]}
        print_rows(kind, rows, list(predicted))
        sets |= rows
    classes = {}
    for group in CLASSES:
        members = [
            reaction
            for reaction in reactions
            if reaction.kind == group.kind and group.holds([molecules[name] for name in reaction.molecules])
        ]
        classes[group.title] = statistics(members, predicted)
    print_rows("By molecules", classes, list(predicted))
    far: dict[str, dict[str, Any]] = {}
    for name in dict.fromkeys(reaction.set for reaction, _ in complexes):
        places = [place for place, (reaction, _) in enumerate(complexes) if reaction.set == name]
        far[name] = {
            "count": len(places),
            "mean_size": float(np.mean([abs(complexes[place][0].reference) for place in places])),
            "models": {
                model: {"mae": float(np.mean(np.abs(values))), "mean": float(np.mean(values))}
                for model, errors in apart.items()
                for values in [[errors[place] for place in places]]
            },
        }
    print_rows("Complexes of two, molecules 10,000 A apart", far, list(predicted))
    if arguments.out:
        record = {"date": date.today().isoformat(), "unit": "kcal/mol", "precision": arguments.precision}
        arguments.out.write_text(
            json.dumps(record | {"sets": sets, "classes": classes, "dimers": far}, indent=1) + "\n"
        )


if __name__ == "__main__":
    main()

"""Lattice energies of molecular crystals against electrostatics, cutoff and dispersion beyond it.

    python benchmarks/lattice_energies.py X23.extxyz --out benchmarks/results/lattice_energies.json
    python benchmarks/lattice_energies.py X23.extxyz --relax --cutoffs 12 --out benchmarks/results/lattice_energies.json

Crystals give `name` and `lattice_energy_kcal_mol` in their info. Molecules are computed as they lie in the crystal, or
relaxed, over all pairs without any shift; `all_pairs_shift` is by how much the published formula at 1000 A, which
shifts them a little, changes a lattice energy. A file that is there is gone on with. float64.
"""

from __future__ import annotations

import argparse
import json
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms

from helio.evaluate import lattice_energy
from helio.files.structure_reading import read_all
from helio.interfaces import HelioCalculator

Choice = tuple[str, float, str, str]  # electrostatics, cutoff in A, dispersion tail, what is relaxed


def calculator(model: str, **options: Any) -> HelioCalculator:
    return HelioCalculator(model, precision="float64", **options)


def evaluated(crystal: Atoms, choice: Choice, model: str, molecules: HelioCalculator) -> dict[str, Any]:
    kind, cutoff, tail, relaxed = choice
    bulk = calculator(model, electrostatics=kind, long_range_cutoff=cutoff, dispersion_tail=tail)
    found = lattice_energy(crystal, bulk, molecules, relaxed=relaxed)  # pyright: ignore[reportArgumentType]
    return {
        "crystal": crystal.info["name"],
        "choice": list(choice),
        "reference": float(crystal.info["lattice_energy_kcal_mol"]),
        "energy": round(found.energy, 4),
        "volume_change": round(float(found.volume / found.volume_given - 1), 5),
        "converged": bool(found.converged),
    }


def shift_of_all_pairs(crystal: Atoms, model: str, molecules: HelioCalculator) -> float:
    """In kcal/mol per molecule."""
    bulk = calculator(model, electrostatics="wolf")
    published = calculator(model)
    energies = [lattice_energy(crystal, bulk, single).energy for single in (published, molecules)]
    return round(energies[0] - energies[1], 4)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("crystals", type=Path)
    parser.add_argument("--model", default="so3lr")
    parser.add_argument("--cutoffs", type=float, nargs="+", default=[10.0, 12.0, 15.0, 20.0])
    parser.add_argument("--electrostatics", nargs="+", default=["shifted", "wolf", "ewald"])
    parser.add_argument("--tails", nargs="+", default=["none", "isotropic", "mesh"])
    parser.add_argument("--relax", action="store_true", help="positions and cells, with a tail of both kinds or none")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()

    result = {"model": arguments.model, "all_pairs_shift": {}, "rows": []}
    if arguments.out.exists():
        result = json.loads(arguments.out.read_text())
    rows, shifts = result["rows"], result["all_pairs_shift"]
    done = {(row["crystal"], *row["choice"]) for row in rows}
    relaxed = ["cell"] if arguments.relax else ["nothing"]
    choices: list[Choice] = list(product(arguments.electrostatics, arguments.cutoffs, arguments.tails, relaxed))
    molecules = calculator(arguments.model, electrostatics="wolf")
    for reading in read_all(arguments.crystals):
        name = reading.atoms.info["name"]
        if name not in shifts:
            shifts[name] = shift_of_all_pairs(reading.atoms, arguments.model, molecules)
        for choice in choices:
            if (name, *choice) not in done:
                rows.append(evaluated(reading.atoms, choice, arguments.model, molecules))
                print(rows[-1], flush=True)
                arguments.out.write_text(json.dumps(result, indent=1) + "\n")
    for choice in choices:
        errors = np.array([row["energy"] - row["reference"] for row in rows if tuple(row["choice"]) == choice])
        change = np.mean([row["volume_change"] for row in rows if tuple(row["choice"]) == choice])
        print(
            *choice, f"MAE {np.abs(errors).mean():.2f} mean {errors.mean():.2f} kcal/mol, volume {100 * change:+.1f} %"
        )


if __name__ == "__main__":
    main()

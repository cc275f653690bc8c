"""Lattice energies of molecular crystals against electrostatics, cutoff and dispersion beyond it.

    python benchmarks/lattice_energies.py X23.extxyz --out benchmarks/results/lattice_energies.json

Each crystal gives `name` and `lattice_energy_kcal_mol` in its info. Molecules are computed over all pairs with the
self-term, which is without any cutoff; crystals as they are given, in float64, and with --relax with relaxed positions
and cells.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import ase.io
import numpy as np

from helio.evaluate.lattice_energies import lattice_energy
from helio.interfaces import HelioCalculator

KINDS = ("shifted", "wolf", "ewald")


def settings(cutoffs: list[float]) -> list[tuple[str, float, str]]:
    """Electrostatics, cutoff in A and dispersion tail of each column."""
    return [(kind, cutoff, tail) for cutoff in cutoffs for kind in KINDS for tail in ("none", "isotropic", "mesh")]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("crystals", type=Path)
    parser.add_argument("--model", default="so3lr")
    parser.add_argument("--cutoffs", type=float, nargs="+", default=[10.0, 12.0, 15.0, 20.0])
    parser.add_argument("--relax", action="store_true", help="positions and cells, at 12 A")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()

    molecules = HelioCalculator(arguments.model, precision="float64", electrostatics="wolf")
    rows = json.loads(arguments.out.read_text())["rows"] if arguments.out.exists() else []
    done = {(row["crystal"], row["electrostatics"], row["cutoff"], row["tail"], row["relaxed"]) for row in rows}
    relaxed = "cell" if arguments.relax else "nothing"
    choices = settings([12.0] if arguments.relax else arguments.cutoffs)
    for crystal in ase.io.read(arguments.crystals, ":"):
        name = crystal.info["name"]
        for kind, cutoff, tail in choices:
            if (name, kind, cutoff, tail, relaxed) in done:
                continue
            bulk = HelioCalculator(
                arguments.model,
                precision="float64",
                electrostatics=kind,
                long_range_cutoff=cutoff,
                dispersion_tail=tail,
            )
            found = lattice_energy(crystal, bulk, molecules, relaxed=relaxed)
            rows.append(
                {
                    "crystal": name,
                    "electrostatics": kind,
                    "cutoff": cutoff,
                    "tail": tail,
                    "relaxed": relaxed,
                    "reference": float(crystal.info["lattice_energy_kcal_mol"]),
                    "energy": round(found.energy, 4),
                    "volume_change": round(found.volume / found.volume_given - 1, 5),
                    "converged": found.converged,
                }
            )
            print(rows[-1], flush=True)
            arguments.out.write_text(json.dumps({"model": arguments.model, "rows": rows}, indent=1) + "\n")
    for kind, cutoff, tail in choices:
        errors = [
            row["energy"] - row["reference"]
            for row in rows
            if (row["electrostatics"], row["cutoff"], row["tail"], row["relaxed"]) == (kind, cutoff, tail, relaxed)
        ]
        print(f"{kind:8} {cutoff:4g} A {tail:9} MAE {np.abs(errors).mean():6.2f} mean {np.mean(errors):6.2f} kcal/mol")


if __name__ == "__main__":
    main()

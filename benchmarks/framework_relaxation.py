"""Covalent organic frameworks relaxed with UFF and with a force field of Helio, positions and cell.

    python benchmarks/framework_relaxation.py CURATED-COFs/cifs --force-field helio-s --out framework_relaxation.json

The crystals of CURATED-COFs are relaxed by density functional theory with dispersion (Ongari et al., ACS Cent. Sci. 5,
1663 (2019)): how far cell and density move from theirs says how well a force field knows such frameworks. Bonds that a
relaxation has torn or made are counted, as distances tell them.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from helio.frameworks.crystal import Crystal
    from helio.frameworks.relaxation.relaxed import Relaxed

FILES = ("16370N2", "19150N2", "14000N2", "15190N2", "13180N3", "15200N3", "14050N3")


def relaxed(crystal: Crystal, relax: Callable[[Crystal], Relaxed]) -> dict[str, Any]:
    """What becomes of a crystal, or why nothing does."""
    from ase.geometry import cell_to_cellpar

    from helio.errors import HelioError
    from helio.frameworks.crystal import density

    begun = time.perf_counter()
    try:
        found = relax(crystal)
    except HelioError as error:
        return {"failure": str(error), "seconds": time.perf_counter() - begun}
    before, after = (cell_to_cellpar(one.cell) for one in (crystal, found.crystal))
    return {
        "lengths_percent": (100 * (after[:3] / before[:3] - 1)).tolist(),
        "angles": (after[3:] - before[3:]).tolist(),
        "volume_percent": 100 * found.volume_change,
        "density": density(found.crystal),
        "bonds_changed": changed_bonds(found.crystal),
        "steps": found.steps,
        "converged": found.converged,
        "seconds": time.perf_counter() - begun,
    }


def changed_bonds(crystal: Crystal) -> int:
    """How many bonds distances do not show, or show more."""
    from helio.frameworks.bonds import find_bonds

    nothing = np.zeros((0, 2), np.int32), np.zeros((0, 3), np.int32)
    found = find_bonds(replace(crystal, bonds=nothing[0], images=nothing[1]))
    return abs(len(found.bonds) - len(crystal.bonds))


def main() -> None:
    """Relax with both, print a table and write JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="with the files of CURATED-COFs")
    parser.add_argument("--files", nargs="+", default=FILES)
    parser.add_argument("--force-field", default="helio-s")
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()

    from helio.frameworks.cif import read_cif
    from helio.frameworks.crystal import density
    from helio.frameworks.relaxation.calculated import relax_with
    from helio.frameworks.relaxation.uff import relax_uff
    from helio.interfaces.ase import HelioCalculator

    calculator = HelioCalculator(arguments.force_field)
    ways: dict[str, Callable[[Crystal], Relaxed]] = {
        "uff": lambda crystal: relax_uff(crystal, steps=1000),
        arguments.force_field: lambda crystal: relax_with(crystal, calculator, steps=arguments.steps),
    }
    record: dict[str, Any] = {
        "date": date.today().isoformat(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "steps": arguments.steps,
        "frameworks": {},
    }
    for name in arguments.files:
        crystal = read_cif(arguments.folder / f"{name}.cif")
        own: dict[str, Any] = {"atoms": len(crystal), "density": density(crystal)}
        print(f"{name}: {len(crystal)} atoms, {own['density']:.3f} g/cm3", flush=True)
        for way, relax in ways.items():
            own[way] = found = relaxed(crystal, relax)
            print(f"  {way}: " + ", ".join(f"{key} {_short(value)}" for key, value in found.items()), flush=True)
        record["frameworks"][name] = own
        if arguments.out:
            arguments.out.write_text(json.dumps(record, indent=2) + "\n")


def _short(value: Any) -> str:
    if isinstance(value, list):
        return " ".join(f"{each:.2f}" for each in value)
    return f"{value:.3f}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    main()

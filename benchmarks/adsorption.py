"""Pores and carbon dioxide of frameworks that others have measured, beside their values.

    python benchmarks/adsorption.py --cofs ../shared/data/cofs [--cycles 500] [--out benchmarks/results/adsorption.json]

IRMOF-1 (MOF-5) is made from its published crystal structure; COF-102 and COF-103 are read from a copy of CURATED-COFs.
Uptake and Henry's constants at 298 K, with charges by extended charge equilibration and without any. Measured isotherms
are as the NIST/ARPA-E Database of Novel and Emerging Adsorbent Materials gives them.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from helio.frameworks.crystal import Crystal

FILES = {"COF-102": "07010N3.cif", "COF-103": "07011N3.cif"}
PRESSURES = {"IRMOF-1": (0.15, 1.0, 3.193), "COF-102": (0.15, 1.0), "COF-103": (0.15, 1.0)}  # bar
PROBES = {"surface_area_0.31": 0.31, "surface_area_1.86": 1.86}  # radii in A, beside that of our labels

_CORE = "Chung et al., J. Chem. Eng. Data 64, 5985 (2019), Zeo++"
_GANTZLER = "Gantzler et al., Digital Discovery (2023), 10.1039/d3dd00117b, Zeo++, cells relaxed by DFT"
_ZHAO = "Zhao, Li and Lin, Ind. Eng. Chem. Res. 48, 10015 (2009), measured at 296 K"
_MILLWARD = "Millward and Yaghi, J. Am. Chem. Soc. (2005), 10.1021/ja0570032, measured at 298 K"
# Framework -> figure -> published values, each with its source. What is not here was not found.
PUBLISHED: dict[str, dict[str, list[tuple[float, str]]]] = {
    "IRMOF-1": {
        "largest_cavity_diameter": [(15.05, _CORE), (15.03, "Sarkisov et al., Chem. Mater. 32, 9849 (2020), Zeo++")],
        "pore_limiting_diameter": [(7.92, _CORE), (7.77, "Sarkisov et al., Chem. Mater. 32, 9849 (2020), Zeo++")],
        "surface_area_1.86": [(3800.0, "Kaye et al., J. Am. Chem. Soc. 129, 14176 (2007), measured (BET)")],
        "co2_0.15bar": [(0.446, f"{_ZHAO}, between 0.104 and 0.205 bar")],
        "co2_1bar": [(2.09, f"{_ZHAO}, between 0.910 and 1.010 bar")],
        "co2_3.193bar": [(2.87, _MILLWARD)],
        "co2_henry": [(3.14e-5, f"{_ZHAO}, of 0.104 bar"), (9.0e-6, f"{_MILLWARD}, of 3.19 bar")],
    },
    "COF-102": {
        "largest_cavity_diameter": [(9.33, _GANTZLER)],
        "pore_limiting_diameter": [(8.05, _GANTZLER)],
        "surface_area_0.31": [(5244.0, _GANTZLER)],
        "density": [(0.4217, _GANTZLER), (0.41, "El-Kaderi et al., Science 316, 268 (2007)")],
    },
    "COF-103": {
        "largest_cavity_diameter": [(9.95, _GANTZLER)],
        "pore_limiting_diameter": [(8.66, _GANTZLER)],
        "surface_area_0.31": [(5444.0, _GANTZLER)],
        "density": [(0.3831, _GANTZLER)],
    },
}


def irmof_1() -> Crystal:
    """Eddaoudi et al., Science 295, 469 (2002): Fm-3m, a = 25.832 A, hydrogen 0.93 A from its carbon."""
    import numpy as np
    from ase.spacegroup import crystal

    from helio.frameworks.crystal import Crystal

    sites = [
        ("Zn", 0.2934, 0.2066, 0.2066),
        ("O", 0.25, 0.25, 0.25),
        ("O", 0.2819, 0.2181, 0.1340),
        ("C", 0.25, 0.25, 0.1113),
        ("C", 0.25, 0.25, 0.0538),
        ("C", 0.2829, 0.2171, 0.0269),
        ("H", 0.3049, 0.1951, 0.0448),
    ]
    symbols, basis = [site[0] for site in sites], [site[1:] for site in sites]
    atoms = crystal(symbols, basis, spacegroup=225, cellpar=[25.832] * 3 + [90] * 3)
    nothing = np.zeros((0, 2), np.int32), np.zeros((0, 3), np.int32)
    return Crystal("IRMOF-1", atoms.cell.array, atoms.numbers.astype(np.int32), atoms.positions, *nothing)


def pores(crystal: Crystal) -> dict[str, float]:
    """Our labels, and the surface with the probes of others."""
    from helio.frameworks.pores import pore_labels

    areas = {name: pore_labels(crystal, probe=probe)["surface_area"] for name, probe in PROBES.items()}
    return pore_labels(crystal) | areas


def carbon_dioxide(crystal: Crystal, *, charged: bool, cycles: int, equilibration: int) -> dict[str, float]:
    """Uptakes with their errors (mol/kg), Henry's constant (mol/kg/Pa), and what it took (s)."""
    from helio.frameworks.adsorption import CO2, StatePoint, uptake
    from helio.frameworks.charges import equilibrated_charges
    from helio.frameworks.henry import henry_constant

    started = time.perf_counter()
    charges = equilibrated_charges(crystal) if charged else None
    found: dict[str, float] = {}
    for seed, pressure in enumerate(PRESSURES[crystal.name]):
        options = {"cycles": cycles, "equilibration": equilibration, "seed": seed}
        name = f"co2_{pressure:g}bar"
        found[name], found[f"{name}_error"] = uptake(
            crystal, StatePoint(CO2, 298.0, 1e5 * pressure), charges=charges, **options
        )
    found["co2_henry"] = henry_constant(crystal, CO2, temperature=298.0, charges=charges, cycles=cycles, seed=0)
    return found | {"seconds": time.perf_counter() - started}


def measure(crystal: Crystal, arguments: argparse.Namespace) -> dict[str, Any]:
    """All figures of one framework, and the mean charge of each element."""
    from ase.data import chemical_symbols

    from helio.frameworks.charges import equilibrated_charges

    charges, numbers = equilibrated_charges(crystal), crystal.numbers
    options = {"cycles": arguments.cycles, "equilibration": arguments.equilibration}
    return {
        "atoms": len(crystal),
        "charges": {chemical_symbols[n]: float(charges[numbers == n].mean()) for n in sorted(set(numbers.tolist()))},
        "pores": pores(crystal),
        "eqeq": carbon_dioxide(crystal, charged=True, **options),
        "uncharged": carbon_dioxide(crystal, charged=False, **options),
    }


def tell(name: str, found: dict[str, Any]) -> None:
    """A row for each figure, with the published values and how far ours are from them."""
    print(f"\n{name}, {found['atoms']} atoms; mean charges {found['charges']}")
    rows = {figure: {"": value} for figure, value in found["pores"].items()}
    for figure in found["eqeq"]:
        if not figure.endswith("error"):
            rows[figure] = {kind: found[kind][figure] for kind in ("eqeq", "uncharged")}
    for figure, ours in rows.items():
        values = "  ".join(f"{kind} {value:.4g}".strip() for kind, value in ours.items())
        print(f"  {figure:24} {values}")
        for published, source in PUBLISHED[name].get(figure, []):
            apart = ", ".join(f"{100 * (value / published - 1):+.0f} %" for value in ours.values())
            print(f"  {'':24}   published {published:.4g} (ours {apart}): {source}")


def main() -> None:
    """Print a table and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cofs", type=Path, help="folder with the files of CURATED-COFs; without it, IRMOF-1 alone")
    parser.add_argument("--cycles", type=int, default=500)
    parser.add_argument("--equilibration", type=int, default=200)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()

    from helio.frameworks.cif import read_cif

    crystals = {"IRMOF-1": irmof_1()}
    if arguments.cofs:
        crystals |= {name: replace(read_cif(arguments.cofs / file), name=name) for name, file in FILES.items()}
    record: dict[str, Any] = {
        "date": date.today().isoformat(),
        "machine": platform.machine(),
        "cycles": arguments.cycles,
        "equilibration": arguments.equilibration,
        "frameworks": {},
    }
    for name, crystal in crystals.items():
        record["frameworks"][name] = measure(crystal, arguments) | {"published": PUBLISHED[name]}
        tell(name, record["frameworks"][name])
        if arguments.out:
            arguments.out.parent.mkdir(parents=True, exist_ok=True)
            arguments.out.write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    main()

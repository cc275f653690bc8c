"""Uptake of carbon dioxide and nitrogen by grand-canonical Monte Carlo in a rigid framework (RASPA3, raspalib).

Lennard-Jones parameters of UFF for the framework (Rappe et al., JACS 114, 10024 (1992)) and of TraPPE for the gases
(Potoff and Siepmann, AIChE J. 47, 1676 (2001)), Lorentz-Berthelot mixing, cut off at 12 A without a correction; the
crystal is repeated until it is at least 24 A wide. Pockets that no channel leads to are not closed.

Charges, by name:

| `charges` | labels | |
|---|---|---|
| `eqeq` | `eqeq_...` | extended charge equilibration of the framework (`charges`), TraPPE's of the gases, Ewald sums |
| `none` | `uncharged_...` | on neither; three to four times cheaper, less carbon dioxide by up to several times |

State points as published: adsorption from 0.15 bar of carbon dioxide and 0.85 bar of nitrogen at 298 K, desorption at
0.1 bar of carbon dioxide and 363 K. Each gas is simulated alone at its partial pressure, which at these loadings leaves
out little competition.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from ase.data import atomic_masses, atomic_numbers, chemical_symbols
from ase.geometry import cell_to_cellpar

from helio.errors import HelioError
from helio.frameworks.charges import equilibrated_charges
from helio.frameworks.crystal import Crystal, wrapped
from helio.frameworks.silence import silent
from helio.packages import need

# How charges are chosen, and what their labels begin with.
CHARGES = {"eqeq": "eqeq", "none": "uncharged"}
MOST_ATOMS = 10_000  # of the repeated crystal, and the further limit: the published ones
LEAST_DISTANCE = 0.5  # A
_CUTOFF = 12.0  # A
_KCAL_PER_MOL = 503.2195  # K; 4184 J / 8.314462618 J/K
PER_GRAM = 1000.0  # mol/kg of one molecule per amu
_MOVES = {
    "translation_probability": 0.5,
    "rotation_probability": 0.5,
    "reinsertion_cbmc_probability": 0.5,
    "swap_cbmc_probability": 1.0,
}


@dataclass(frozen=True)
class Gas:
    """A rigid linear molecule of three sites."""

    name: str
    sites: tuple[str, str, str]
    bond: float  # A, from the middle site to the others
    critical: tuple[float, float, float]  # temperature K, pressure Pa, acentric factor


@dataclass(frozen=True)
class StatePoint:
    """A gas at a temperature (K) and a pressure (Pa)."""

    gas: Gas
    temperature: float
    pressure: float


# Site: well depth (K), diameter (A), charge (e), mass (amu).
_SITES = {
    "C_co2": (27.0, 2.80, 0.70, 12.011),
    "O_co2": (79.0, 3.05, -0.35, 15.999),
    "N_n2": (36.0, 3.31, -0.482, 14.007),
    "Com_n2": (0.0, 1.0, 0.964, 0.0),
}
CO2 = Gas("CO2", ("O_co2", "C_co2", "O_co2"), 1.16, (304.1282, 7_377_300.0, 0.22394))
N2 = Gas("N2", ("N_n2", "Com_n2", "N_n2"), 0.55, (126.192, 3_395_800.0, 0.0372))
STATE_POINTS = {
    "co2_uptake": StatePoint(CO2, 298.0, 0.15e5),
    "co2_residual": StatePoint(CO2, 363.0, 0.1e5),
    "n2_uptake": StatePoint(N2, 298.0, 0.85e5),
}


def adsorption_labels(
    crystal: Crystal,
    *,
    charges: str = "eqeq",
    nitrogen: bool = True,
    cycles: int = 2000,
    equilibration: int = 2000,
    seed: int = 0,
) -> dict[str, float]:
    """Uptakes of a rigid crystal, and what follows from them.

    Args:
        crystal: any; its bonds do not matter.
        charges: `eqeq` or `none`.
        nitrogen: also simulate nitrogen; without it, a third of the time is saved and all else is the same.
        cycles: of production; one cycle tries 20 moves or one for each molecule if there are more.
        equilibration: cycles before.
        seed: of the random numbers.

    Returns:
        Labels that begin with `eqeq_`, or `uncharged_` where `charges` is `none`. In mol/kg: `co2_uptake`,
        `co2_residual`, `n2_uptake`, each with `_error` (95 % confidence, of five blocks), `working_capacity` (the first
        less the second); and `selectivity`, the first over the third, where there is nitrogen.

    Raises:
        HelioError: a package is not installed, there are no such charges, an element without parameters or charges,
            atoms on top of each other, or too many.
    """
    found, prefix = known_charges(crystal, charges), CHARGES[charges]
    labels: dict[str, float] = {}
    for number, (name, point) in enumerate(STATE_POINTS.items()):
        if point.gas == N2 and not nitrogen:
            continue
        options = {"cycles": cycles, "equilibration": equilibration, "seed": 3 * seed + number}
        mean, error = uptake(crystal, point, charges=found, **options)
        labels[f"{prefix}_{name}"], labels[f"{prefix}_{name}_error"] = mean, error
    labels[f"{prefix}_working_capacity"] = labels[f"{prefix}_co2_uptake"] - labels[f"{prefix}_co2_residual"]
    if labels.get(f"{prefix}_n2_uptake", 0.0) > 0:
        labels[f"{prefix}_selectivity"] = labels[f"{prefix}_co2_uptake"] / labels[f"{prefix}_n2_uptake"]
    return labels


def known_charges(crystal: Crystal, charges: str) -> np.ndarray | None:
    """Charges (N,) of the atoms, e, or None without any; see `CHARGES`.

    Raises:
        HelioError: as `adsorption_labels`.
    """
    if charges not in CHARGES:
        raise HelioError(f"charges of frameworks are {' or '.join(CHARGES)}, not {charges!r}")
    check_size(crystal)
    return None if charges == "none" else equilibrated_charges(crystal)


def uptake(
    crystal: Crystal,
    point: StatePoint,
    *,
    charges: np.ndarray | None = None,
    cycles: int,
    equilibration: int,
    seed: int,
) -> tuple[float, float]:
    """Absolute uptake of one gas and its error (95 % confidence), mol/kg.

    Args:
        crystal: any.
        point: gas, temperature and pressure.
        charges: (N,) of the atoms, e; None leaves those of the gas out, too.
        cycles: as in `adsorption_labels`, and so on.
        equilibration: likewise.
        seed: likewise.
    """
    check_size(crystal)
    system, raspa = gas_in(crystal, point, charges=charges), raspa_module()
    with silent():
        run = raspa.MonteCarlo(
            number_of_cycles=cycles,
            number_of_initialization_cycles=0,
            number_of_equilibration_cycles=equilibration,
            systems=[system],
            random_seed=seed,
        )
        run.run()
        mean, error = run.systems[0].average_loadings.average_loading_number_of_molecules(0)
    mass = float(atomic_masses[crystal.numbers].sum()) * int(np.prod(repeats(crystal.cell)))
    return mean / mass * PER_GRAM, error / mass * PER_GRAM


def gas_in(
    crystal: Crystal,
    point: StatePoint,
    *,
    charges: np.ndarray | None,
    molecules: int = 0,
    moves: dict[str, float] = _MOVES,
) -> Any:
    """RASPA's system of a repeated crystal, with so many molecules of a gas somewhere in it."""
    raspa, crystal = raspa_module(), wrapped(crystal)
    types = [int(number) for number in np.unique(crystal.numbers)]
    field = _force_field(raspa, types, charged=charges is not None)
    return raspa.System(
        force_field=field,
        external_temperature=point.temperature,
        external_pressure=point.pressure,
        helium_void_fraction=1.0,
        framework_components=_framework(raspa, field, crystal, types, charges),
        components=[_component(raspa, field, point.gas, len(types), moves)],
        initial_number_of_molecules=[molecules],
    )


def raspa_module() -> Any:
    """The package, without its warning about devices."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that there is no OpenCL
        return need("raspalib", extra="frameworks")


def repeats(cell: np.ndarray, *, cutoff: float = _CUTOFF) -> tuple[int, int, int]:
    """How often a cell is to be repeated along each vector to be twice the cutoff wide; the width is V / |b x c|."""
    faces = np.linalg.norm(np.cross(cell[[1, 2, 0]], cell[[2, 0, 1]]), axis=1)
    a, b, c = np.ceil(2 * cutoff / (abs(np.linalg.det(cell)) / faces) - 1e-9).astype(int)
    return int(a), int(b), int(c)


def check_size(crystal: Crystal) -> None:
    """That there are not too many atoms, nor any on top of each other.

    Raises:
        HelioError: there are.
    """
    import vesin

    atoms = len(crystal) * int(np.prod(repeats(crystal.cell)))
    if atoms > MOST_ATOMS:
        raise HelioError(f"{crystal.name} has {atoms:,} atoms when repeated to 24 A, more than {MOST_ATOMS:,}")
    options = {"points": crystal.positions, "box": crystal.cell, "periodic": True}
    (distances,) = vesin.NeighborList(cutoff=LEAST_DISTANCE, full_list=False).compute(**options, quantities="d")
    if len(distances):
        raise HelioError(f"{crystal.name} has atoms {distances.min():.2f} A apart, closer than {LEAST_DISTANCE} A")


def _force_field(raspa: Any, types: list[int], *, charged: bool) -> Any:
    """The framework's elements first, then the sites of the gases."""
    depths = _uff()
    atoms, parameters = [], []
    for number in types:
        if number not in depths:
            raise HelioError(f"UFF has no parameters for {chemical_symbols[number]}")
        atoms.append(raspa.PseudoAtom(chemical_symbols[number], True, float(atomic_masses[number]), 0.0, 0.0, number))
        parameters.append(raspa.VDWParameters(*depths[number]))
    for site, (depth, diameter, charge, mass) in _SITES.items():
        atoms.append(raspa.PseudoAtom(site, False, mass, charge, 0.0, atomic_numbers.get(site[0], 6)))
        parameters.append(raspa.VDWParameters(depth, diameter))
    return raspa.ForceField(
        pseudo_atoms=atoms,
        parameters=parameters,
        mixing_rule=raspa.ForceField.MixingRule.LORENTZ_BERTHELOT,
        cutoff_framework_vdw=_CUTOFF,
        cutoff_molecule_vdw=_CUTOFF,
        cutoff_coulomb=_CUTOFF,
        shifted=False,
        tail_corrections=False,
        use_charge=charged,
    )


@cache
def _uff() -> dict[int, tuple[float, float]]:
    """Well depth (K) and diameter (A) of each element."""
    table = need("lammps_interface.uff", extra="frameworks").UFF_DATA
    found = {}
    for name, values in table.items():
        symbol = name[:2].rstrip("_0123456789+")
        if symbol in atomic_numbers:
            found[atomic_numbers[symbol]] = (values[3] * _KCAL_PER_MOL, values[2] / 2 ** (1 / 6))
    return found


def _framework(raspa: Any, field: Any, crystal: Crystal, types: list[int], charges: np.ndarray | None) -> Any:
    a, b, c, alpha, beta, gamma = map(float, cell_to_cellpar(crystal.cell))
    fractional = crystal.positions @ np.linalg.inv(crystal.cell)
    given = np.zeros(len(crystal)) if charges is None else charges
    atoms = [
        raspa.Atom(tuple(place), charge, type=types.index(number))
        for place, charge, number in zip(fractional.tolist(), given.tolist(), crystal.numbers.tolist(), strict=True)
    ]
    box = raspa.SimulationBox(a, b, c, *np.radians((alpha, beta, gamma)).tolist())  # it takes radians
    return raspa.Framework(field, "framework", box, 1, atoms, list(repeats(crystal.cell)))


def _component(raspa: Any, field: Any, gas: Gas, offset: int, moves: dict[str, float]) -> Any:
    sites = list(_SITES)
    atoms = [
        raspa.Atom((0.0, 0.0, shift * gas.bond), _SITES[site][2], type=offset + sites.index(site))
        for shift, site in zip((1, 0, -1), gas.sites, strict=True)
    ]
    probabilities = raspa.MCMoveProbabilities(**moves)
    return raspa.Component(field, gas.name, *gas.critical, atoms, particle_probabilities=probabilities)

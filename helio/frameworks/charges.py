"""Charges of a periodic crystal by extended charge equilibration (EQeq).

Wilmer, Kim and Snurr, J. Phys. Chem. Lett. 3, 2506 (2012). The energy of an atom is expanded to second order about its
formal charge, with what ionising it further costs and taking an electron back gives; atoms interact through space:

    E(q) = sum_i [chi_i (q_i - c_i) + J_i (q_i - c_i)^2 / 2] + lambda k / 4 sum_ij (K_ij + O_ij) q_i q_j
    chi = (I_(c+1) + I_c) / 2,   J = I_(c+1) - I_c
    O_ij = sum over images of exp(-a^2 r^2) (2 a - a^2 r - 1 / r),   a = sqrt(J_i J_j) / k

The charges are those that sum to zero and have the least energy: one linear system. K is the Coulomb sum of all images
(`coulomb`); O takes it down to a finite value where the orbitals of two atoms overlap.

| symbol | variable | |
|---|---|---|
| c | `FORMAL_CHARGES` | of metals; all else is expanded about the neutral atom |
| I_n | | n-th ionisation energy, eV; I_0 is the electron affinity |
| lambda | `SCREENING` | 1.2: the dielectric constant 2 / 1.2 |
| k | `COULOMB` | eV A |
| chi_i, J_i | `electronegativity`, `hardness` | eV |

Hydrogen has an electron affinity of -2 eV instead of 0.754 eV, as published. What is not published: hydrogen closer to
its neighbour than neutrons see it, such as at the 0.93 A from carbon that X-rays give, is put at that distance first.
At 0.93 A the energy of some frameworks has hardly a minimum, and carbon gets up to 2 e of either sign.

Known weaknesses (Ongari et al., J. Chem. Theory Comput. 15, 382 (2019), against DFT's charges of 2,338 frameworks): a
mean deviation of 0.13 e, metals that hardly see what surrounds them, too much charge on fluorine and chlorine.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
from ase.data import atomic_numbers, chemical_symbols
from scipy.linalg import cho_solve

from helio.errors import HelioError
from helio.frameworks.coulomb import coulomb_matrix, pair_sum
from helio.frameworks.crystal import Crystal, wrapped
from helio.frameworks.elements import is_metal
from helio.packages import need
from helio.units import COULOMB

SCREENING = 1.2
HYDROGEN_AFFINITY = -2.0  # eV
MOST_ATOMS = 5_000  # of a cell: three matrices of 200 MB
# Allen and Bruno, Acta Cryst. B 66, 380 (2010): mean lengths of bonds to hydrogen by neutron diffraction, A.
_HYDROGEN_AT = {6: 1.089, 7: 1.015, 8: 0.993}
_LARGEST = 2.0  # e, of an atom without formal charge: boron gets 1.8 e in borates

# Mg, V, Co, Ni, Cu, Zn and Zr as published; the others by the commonest state in frameworks.
_STATES = {
    1: "Li Na K Rb Cs Ag",
    2: "Be Mg Ca Sr Ba Mn Fe Co Ni Cu Zn Cd Hg Pd Pt Pb",
    3: "Al Sc Cr Ga Y Ru Rh In La Ce Pr Nd Pm Sm Eu Gd Tb Dy Ho Er Tm Yb Lu Ir Au Bi",
    4: "Ti V Zr Sn Hf Th",
    5: "Nb Ta",
    6: "Mo W U",
}
FORMAL_CHARGES = {atomic_numbers[symbol]: state for state, names in _STATES.items() for symbol in names.split()}


def equilibrated_charges(crystal: Crystal) -> np.ndarray:
    """Charges (N,) of the atoms, e; they sum to zero.

    Raises:
        HelioError: pymatgen is not installed, an element has no ionisation energies or formal charge here, the cell
            has too many atoms, no charges have the least energy, or one is beyond its formal charge and 2 e.
    """
    if len(crystal) > MOST_ATOMS:
        raise HelioError(f"{crystal.name} has {len(crystal):,} atoms, more than charges are found for ({MOST_ATOMS:,})")
    with np.errstate(divide="ignore", invalid="ignore"):  # of atoms at the same place, told below
        slope, matrix = energy_terms(crystal)
        # With the mean taken out of rows and columns, and a constant put in for it, the sum stays zero.
        centered = matrix - matrix.mean(axis=0) - matrix.mean(axis=1)[:, None] + matrix.mean()
        charges = _minimum(centered + 1 / len(crystal), slope - slope.mean())
    limits = [max(_LARGEST, FORMAL_CHARGES.get(number, 0)) for number in crystal.numbers.tolist()]
    if charges is None or not (np.abs(charges) <= limits).all():
        found = "their energy has no minimum"
        if charges is not None and np.isfinite(charges).all():
            worst = np.argmax(np.abs(charges) - limits)
            found = f"{charges[worst]:.1f} e on an atom of {chemical_symbols[crystal.numbers[worst]]}"
        raise HelioError(f"{crystal.name} gets no sound charges ({found}): are atoms missing, or too close to each other?")  # fmt: skip  # noqa: E501
    return charges - charges.mean()


def _minimum(matrix: np.ndarray, slope: np.ndarray) -> np.ndarray | None:
    """Where x matrix x / 2 + slope x is least, if it is anywhere."""
    try:
        return cho_solve((np.linalg.cholesky(matrix), True), -slope, check_finite=False)
    except np.linalg.LinAlgError:
        return None


def energy_terms(crystal: Crystal) -> tuple[np.ndarray, np.ndarray]:
    """Slope b (N,), V, and matrix A (N, N), V/e, of the energy q A q / 2 + b q, without its constant."""
    crystal = wrapped(_with_hydrogen_out(crystal))
    elements, kinds = np.unique(crystal.numbers, return_inverse=True)
    data = np.array([expansion(int(number)) for number in elements])[kinds]
    formal, electronegativity, hardness = data.T
    exponent = np.sqrt(hardness) / np.sqrt(COULOMB)  # a_ij is the product of two of these

    def overlap(i: np.ndarray, j: np.ndarray, r: np.ndarray) -> np.ndarray:
        a = exponent[i] * exponent[j]
        return np.exp(-((a * r) ** 2)) * (2 * a - a**2 * r - 1 / r)

    cell, positions = crystal.cell, crystal.positions
    matrix = SCREENING * COULOMB / 2 * (coulomb_matrix(cell, positions) + pair_sum(cell, positions, overlap))
    np.fill_diagonal(matrix, matrix.diagonal() + hardness)
    return electronegativity - hardness * formal, matrix


def _with_hydrogen_out(crystal: Crystal) -> Crystal:
    """Hydrogen no closer to the nearest atom than neutrons see it."""
    import vesin

    options = {"points": crystal.positions, "box": crystal.cell, "periodic": True}
    reach = max(_HYDROGEN_AT.values())
    i, j, vectors = vesin.NeighborList(cutoff=reach, full_list=True).compute(**options, quantities="ijD")
    lengths = np.linalg.norm(vectors, axis=1)
    usual = np.array([_HYDROGEN_AT.get(number, 0.0) for number in crystal.numbers[j].tolist()])
    short = (crystal.numbers[i] == 1) & (lengths > 0) & (lengths < usual)
    positions = crystal.positions.copy()
    np.add.at(positions, i[short], vectors[short] * (1 - usual[short] / lengths[short])[:, None])
    return replace(crystal, positions=positions)


@cache
def expansion(number: int) -> tuple[int, float, float]:
    """Formal charge (e), electronegativity (eV) and hardness (eV) of an element.

    Raises:
        HelioError: pymatgen is not installed, or has no ionisation energies of it; or a metal without formal charge.
    """
    symbol = chemical_symbols[number]
    formal = FORMAL_CHARGES.get(number, 0)
    element = need("pymatgen.core", extra="frameworks").Element(symbol)
    energies = [element.electron_affinity, *element.ionization_energies]
    if symbol == "H":
        energies[0] = HYDROGEN_AFFINITY
    pair = energies[formal : formal + 2]
    if None in pair or len(pair) < 2 or (not formal and is_metal(np.array([number])).all()):
        raise HelioError(f"charges of {symbol} are not equilibrated: no formal charge or ionisation energies are known")
    lower, upper = map(float, pair)
    return formal, (upper + lower) / 2, upper - lower

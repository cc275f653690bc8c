"""Which distances a simulation fixes: bonds to hydrogen, and water as a rigid triangle."""

from __future__ import annotations

import numpy as np
from ase import Atoms
from ase.data import chemical_symbols

from helio.errors import HelioError
from helio.simulate.bonds import hydrogen_bonds, waters
from helio.simulate.constraints import Constraints

# Bond lengths X-H in A at equilibrium: BH3 1.19, CH4 1.09, NH3 1.01, H2O 0.96, HF 0.92, SiH4 1.48, PH3 1.42, H2S 1.34,
# HCl 1.27, H2Se 1.46, HBr 1.41, HI 1.61 (CRC Handbook of Chemistry and Physics, structures of free molecules).
_LENGTHS = {5: 1.19, 6: 1.09, 7: 1.01, 8: 0.96, 9: 0.92, 14: 1.48, 15: 1.42, 16: 1.34, 17: 1.27}
_LENGTHS |= {34: 1.46, 35: 1.41, 53: 1.61}
# The free molecule: Benedict, Gailar and Plyler, J. Chem. Phys. 24, 1139 (1956).
WATER_LENGTH = 0.9572  # A
WATER_ANGLE = 104.52  # degrees


def rigid_water(atoms: Atoms, *, frozen: np.ndarray | None = None) -> Constraints:
    """Every water as a triangle with the bonds and the angle of the free molecule.

    Args:
        atoms: with whole molecules (`bonds.make_whole`).
        frozen: (N,) True for atoms that will not move; distances between two of them are left out.

    Raises:
        HelioError: there is no water, or a molecule crosses a boundary of the cell.
    """
    found = waters(atoms)
    if len(found) == 0:
        raise HelioError("there is no water molecule whose shape could be fixed")
    return _constraints(atoms, *_triangles(found), frozen)


def fixed_hydrogen_bonds(atoms: Atoms, *, frozen: np.ndarray | None = None) -> Constraints:
    """Every bond to a hydrogen at a typical length of its element, and water as a rigid triangle.

    Arguments as for `rigid_water`.

    Raises:
        HelioError: there is no bond to hydrogen, one to an element without a tabulated length, a hydrogen shared by
            two atoms, or a molecule that crosses a boundary of the cell.
    """
    pairs, _ = hydrogen_bonds(atoms)
    if len(pairs) == 0:
        raise HelioError("there is no bond to hydrogen that could be fixed")
    found = waters(atoms)
    pairs = pairs[~np.isin(pairs[:, 1], found[:, 0])]
    carriers = atoms.numbers[pairs[:, 1]]
    unknown = sorted(set(carriers.tolist()) - set(_LENGTHS))
    if unknown:
        symbols = ", ".join(chemical_symbols[number] for number in unknown)
        raise HelioError(f"no length is tabulated for bonds between hydrogen and {symbols}")
    lengths = np.array([_LENGTHS[number] for number in carriers])
    of_water, water_lengths = _triangles(found)
    return _constraints(atoms, np.concatenate([of_water, pairs]), np.concatenate([water_lengths, lengths]), frozen)


def _triangles(found: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pairs and lengths of the three sides of each water (W, 3)."""
    base = 2 * WATER_LENGTH * np.sin(np.radians(WATER_ANGLE / 2))
    pairs = found[:, [[0, 1], [0, 2], [1, 2]]].reshape(-1, 2)
    return pairs, np.tile([WATER_LENGTH, WATER_LENGTH, base], len(found))


def _constraints(atoms: Atoms, pairs: np.ndarray, lengths: np.ndarray, frozen: np.ndarray | None) -> Constraints:
    distances = np.linalg.norm(atoms.positions[pairs[:, 1]] - atoms.positions[pairs[:, 0]], axis=1)
    # The longest side that bond perception lets through is the base of a water, 2 x 1.26 A.
    broken = distances > 2.6
    if broken.any():
        first, second = pairs[broken.argmax()]
        raise HelioError(
            f"atoms {first} and {second} belong together but are {distances.max():.1f} A apart: the molecule crosses "
            "a boundary of the cell; make molecules whole first"
        )
    if frozen is not None:
        keep = ~np.asarray(frozen)[pairs].all(axis=1)
        pairs, lengths = pairs[keep], lengths[keep]
    return Constraints.from_pairs(pairs, lengths, atoms=len(atoms))

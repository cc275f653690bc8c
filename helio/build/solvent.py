"""Water around a solute, and ions in it."""

from __future__ import annotations

import numpy as np
from ase import Atoms
from scipy.spatial import KDTree

from helio.build.assembly import FORMAL_CHARGES, assemble, label
from helio.build.packing import AMU_PER_A3, Group, pack
from helio.build.water import DENSITY, water
from helio.errors import HelioError

# Volume of a protein per mass, 0.73 cm3/g, in A^3/amu (Fischer et al., Protein Sci. 13, 2825, 2004).
SOLUTE_VOLUME = 0.73 * AMU_PER_A3
# Of a molecule of liquid water, A^3.
WATER_VOLUME = AMU_PER_A3 * 18.015 / DENSITY
# Ions stay this far (A) from the solute and each other, so that no pair starts in contact.
_ION_CLEARANCE = 5.0
# Random places that are tried for each ion.
_TRIES = 1000


def chloride() -> Atoms:
    """A chloride ion."""
    ion = Atoms("Cl", [(0, 0, 0)], info={"charge": -1, "spin": 0})
    ion.arrays[FORMAL_CHARGES] = np.array([-1])
    return label(ion, "CL", ["CL"])


def ammonium() -> Atoms:
    """An ammonium ion with bonds of 1.03 A, as in its crystals."""
    corners = 1.03 / np.sqrt(3) * np.array([(1, 1, 1), (1, -1, -1), (-1, 1, -1), (-1, -1, 1)])
    positions = np.vstack([np.zeros(3), corners])
    ion = Atoms("NH4", positions, info={"charge": 1, "spin": 0})
    ion.arrays[FORMAL_CHARGES] = np.array([1, 0, 0, 0, 0])
    return label(ion, "NH4", ["N", "H1", "H2", "H3", "H4"])


def surrounded(solute: Atoms, ion: Atoms, ions: int, edges: np.ndarray, *, seed: int) -> Atoms:
    """A solute where it is, with ions and as much water as a periodic box then holds at 298 K and 1 bar.

    Args:
        solute: inside the box, which begins at the origin.
        ion: one of them.
        ions: how many.
        edges: of the box, A, (3,).
        seed: of the random arrangement.

    Raises:
        HelioError: if the box has no room for water, or the molecules do not fit.
    """
    one = water()
    mass = solute.get_masses().sum() + ions * ion.get_masses().sum()
    room = float(np.prod(edges)) - mass * SOLUTE_VOLUME
    waters = round(room * DENSITY / AMU_PER_A3 / one.get_masses().sum())
    if waters < 1:
        raise HelioError(f"a box of {room:.0f} A^3 beside the solute has no room for water: give more --padding")
    dissolved = assemble([solute, *_placed(ion, ions, solute.positions, edges, seed)])
    return pack([Group(dissolved, 1, fixed=True), Group(one, waters)], edges, seed=seed)


def _placed(ion: Atoms, count: int, occupied: np.ndarray, edges: np.ndarray, seed: int) -> list[Atoms]:
    """Ions at random places, far from the positions that are occupied and from each other."""
    generator = np.random.default_rng(seed)
    placed: list[Atoms] = []
    for _ in range(count):
        places = generator.uniform(size=(_TRIES, 3)) * edges
        distances = KDTree(occupied % edges, boxsize=edges).query(places)[0]
        if distances.max() < _ION_CLEARANCE:
            raise HelioError(f"the box has room for {len(placed)} of {count} ions: give more --padding")
        place = places[np.argmax(distances >= _ION_CLEARANCE)]
        placed.append(ion.copy())
        placed[-1].positions += place
        occupied = np.vstack([occupied, place])
    return placed

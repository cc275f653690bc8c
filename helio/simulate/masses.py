"""Heavier hydrogens, for longer time steps."""

from __future__ import annotations

import numpy as np
from ase import Atoms

from helio.errors import HelioError
from helio.simulate.bonds import hydrogen_bonds, waters


def repartitioned(
    masses: np.ndarray, atoms: Atoms, *, hydrogen_mass: float, repartition_water: bool = True
) -> np.ndarray:
    """Masses (N,) in amu with every hydrogen at `hydrogen_mass`, the difference taken from the atom that carries it.

    Molecules keep their mass, and so the system keeps all its static equilibrium properties; only fast motions become
    slower (Hopkins et al., J. Chem. Theory Comput. 11, 1864 (2015), who use 3 amu with 4 fs and fixed bonds).

    Args:
        masses: (N,) in amu.
        atoms: the structure, for its bonds; periodic images are found.
        hydrogen_mass: in amu.
        repartition_water: whether hydrogens of water change too; rigid ones need not.

    Raises:
        HelioError: a hydrogen has no heavy neighbour or would become lighter, or a heavy atom would become lighter than
            its hydrogens.
    """
    pairs, _ = hydrogen_bonds(atoms)
    loose = np.setdiff1d(np.flatnonzero(atoms.numbers == 1), pairs[:, 0])
    if len(loose):
        raise HelioError(f"hydrogen {loose[0]} has no heavy neighbour that could give it mass")
    if not repartition_water:
        pairs = pairs[~np.isin(pairs[:, 1], waters(atoms)[:, 0])]
    hydrogens, carriers = pairs.T
    given = hydrogen_mass - masses[hydrogens]
    if (given < 0).any():
        worst = hydrogens[given.argmin()]
        raise HelioError(f"hydrogens must not become lighter: atom {worst} has {masses[worst]:g} amu already")
    changed = masses.astype(np.float64)
    changed[hydrogens] = hydrogen_mass
    np.subtract.at(changed, carriers, given)
    light = carriers[changed[carriers] < hydrogen_mass]
    if len(light):
        raise HelioError(
            f"with hydrogens of {hydrogen_mass:g} amu atom {light[0]} ({atoms.symbols[light[0]]}) would keep only "
            f"{changed[light[0]]:.2f} amu; choose a smaller hydrogen mass"
        )
    return changed

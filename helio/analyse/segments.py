"""Which atoms are the solute, which of them protein or carbohydrate, and where they are."""

from __future__ import annotations

import numpy as np

from helio.analyse.backbone import find_backbone
from helio.analyse.frames import Frames
from helio.analyse.molecule_kinds import molecule_kinds
from helio.analyse.sugars import sugar_rings
from helio.analyse.unwrapping import whole_positions
from helio.errors import HelioError

# A molecule of which there are more copies than this is a solvent, an ion or a lipid.
_MOST_COPIES = 10


def waters(frames: Frames) -> np.ndarray:
    """Oxygen and both hydrogens of every water among the chosen atoms, (W, 3)."""
    numbers = frames.atomic_numbers
    bonds = np.asarray(frames.universe.bonds.indices).reshape(-1, 2)
    both = np.concatenate([bonds, bonds[:, ::-1]])
    carried = both[(numbers[both[:, 0]] == 8) & (numbers[both[:, 1]] == 1)]
    hydrogens = np.bincount(carried[:, 0], minlength=len(numbers))
    degree = np.bincount(bonds.ravel(), minlength=len(numbers))
    oxygens = (numbers == 8) & (hydrogens == 2) & (degree == 2)
    oxygens &= np.isin(np.arange(len(numbers)), frames.atoms.ix)
    found = carried[oxygens[carried[:, 0]]]
    found = found[np.lexsort((found[:, 1], found[:, 0]))]
    return np.column_stack([found[::2, 0], found[::2, 1], found[1::2, 1]])


def solute(frames: Frames) -> np.ndarray:
    """Numbers of the chosen atoms that belong to the solute, ascending; empty if all is solvent.

    Left out are water, single atoms, and molecules with more than 10 copies.
    """
    sizes = np.bincount(frames.molecules)
    kept = np.zeros(len(sizes), bool)
    for kind in molecule_kinds(frames):
        if kind.formula != "H2O" and len(kind.molecules) <= _MOST_COPIES:
            kept[kind.molecules] = sizes[kind.molecules] > 1
    chosen = frames.atoms.ix
    return np.sort(chosen[kept[frames.molecules[chosen]]])


def segments(frames: Frames) -> dict[str, np.ndarray]:
    """Heavy atoms of the solute by the name of its parts: "protein" and "carbohydrate" if there are any, and "all".

    Protein is what residues with a peptide's backbone hold, carbohydrate the residues of sugars' rings, or the molecule
    where one residue holds all of it.

    Raises:
        HelioError: there is no solute.
    """
    everything = solute(frames)
    everything = everything[frames.atomic_numbers[everything] > 1]
    if len(everything) == 0:
        raise HelioError(
            f"{frames.label} holds no solute: nothing but water, single atoms and molecules with many copies"
        )
    residue = frames.universe.atoms.resindices
    amino = [i for r in find_backbone(frames) for i in (r.n, r.c) if i is not None]
    protein = everything[np.isin(residue[everything], residue[amino])] if amino else everything[:0]
    oxygens = [ring.oxygen for ring in sugar_rings(frames)]
    sugar = everything[np.isin(residue[everything], residue[oxygens])] if oxygens else everything[:0]
    sugar = np.setdiff1d(sugar[np.isin(frames.molecules[sugar], frames.molecules[oxygens])], protein)
    parts = {"protein": protein, "carbohydrate": sugar}
    parts = {name: atoms for name, atoms in parts.items() if 0 < len(atoms) < len(everything)}
    return {**parts, "all": everything}


def has_solute(frames: Frames) -> bool:
    """Whether the chosen atoms hold a solute of at least four heavy atoms."""
    found = solute(frames)
    return int((frames.atomic_numbers[found] > 1).sum()) >= 4


def series_of(frames: Frames, atoms: np.ndarray) -> np.ndarray:
    """Positions (T, n, 3) of atoms by their numbers, without jumps, all frames in memory, float32."""
    series = np.empty((len(frames), len(atoms), 3), np.float32)
    read = whole_positions(frames)
    for i, moment in enumerate(frames):
        series[i] = read(moment)[atoms]
    return series

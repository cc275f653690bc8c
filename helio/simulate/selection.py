"""Naming atoms in settings: by number, by element, or as a class."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from ase import Atoms
from ase.data import atomic_numbers

from helio.errors import HelioError

Selection = str | Sequence[int]


def selected_atoms(selection: Selection, atoms: Atoms) -> np.ndarray:
    """Numbers of the chosen atoms, from 0 and ascending.

    Args:
        selection: numbers of atoms; or one or several of: element symbols, "heavy" (all but hydrogen), "all",
            separated by blanks or commas.
        atoms: the whole structure.

    Raises:
        HelioError: it names an atom or a word that does not exist, or selects nothing.
    """
    if isinstance(selection, str):
        chosen = np.zeros(len(atoms), bool)
        for word in selection.replace(",", " ").split():
            chosen |= _named(word, atoms)
        found = np.flatnonzero(chosen)
    else:
        found = np.unique(_numbers(selection, atoms))
    if len(found) == 0:
        raise HelioError(f"the selection {selection!r} holds no atom of this structure")
    return found


def selection_mask(selection: Selection, atoms: Atoms) -> np.ndarray:
    """True for the chosen atoms, (N,); as for `selected_atoms`."""
    mask = np.zeros(len(atoms), bool)
    mask[selected_atoms(selection, atoms)] = True
    return mask


def _named(word: str, atoms: Atoms) -> np.ndarray:
    if word == "all":
        return np.ones(len(atoms), bool)
    if word == "heavy":
        return atoms.numbers != 1
    if word not in atomic_numbers:
        raise HelioError(f"{word!r} selects no atoms; give numbers of atoms (from 0), element symbols, heavy or all")
    return atoms.numbers == atomic_numbers[word]


def _numbers(selection: Sequence[int], atoms: Atoms) -> np.ndarray:
    numbers = np.asarray(selection)
    if numbers.ndim != 1 or (numbers.size and numbers.dtype.kind not in "iu"):
        raise HelioError(f"atoms are chosen by a list of whole numbers, not {selection!r}")
    wrong = numbers[(numbers < 0) | (numbers >= len(atoms))]
    if wrong.size:
        raise HelioError(f"there is no atom {wrong[0]}: atoms have the numbers 0 to {len(atoms) - 1}")
    return numbers.astype(int)

"""Energies of atoms that are taken off the labels, so that networks learn small numbers.

Total energies are thousands of eV, of which chemistry is a few: a label is E - sum_a e(level, Z_a). What e is, is a
choice: energies of free atoms make labels atomisation energies; a least-squares fit to the training set makes them as
small as they can be. Models trained with either differ by constants per element, which no force feels. Keep e with the
model where total energies are wanted back.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from ase.data import atomic_numbers as numbers_of
from ase.data import chemical_symbols
from jaxtyping import Float

from helio.datasets.store import Store
from helio.errors import HelioError

HIGHEST = 118
_AT_ONCE = 100_000  # structures

Table = Float[np.ndarray, "L Z"]  # eV; rows are levels of theory as numbered in a store, columns atomic numbers


def fitted_energies(store: Store, indices: np.ndarray, less: Float[np.ndarray, " M"] | None = None) -> Table:
    """The energies that minimise the sum of squares of the labels that remain, for each level of theory.

    Where compositions leave them open, as in a set of one molecule, the shortest solution is taken: what remains is
    the same. Elements that a level does not have get zero.

    Args:
        store: the data.
        indices: numbers of the structures to fit to.
        less: energies of all structures in eV that are taken off the labels before; NaN leaves a structure out.
    """
    indices = np.sort(np.asarray(indices))
    energies, levels = store.column("energy"), store.rows("level")
    table = np.zeros((len(store.levels), HIGHEST + 1))
    if energies is None:
        return table
    products, sums = np.zeros((len(table), HIGHEST + 1, HIGHEST + 1)), np.zeros_like(table)
    known = indices[store.known("energy")[indices]]
    if less is not None:
        known = known[np.isfinite(less[known])]
    for start in range(0, len(known), _AT_ONCE):
        part = known[start : start + _AT_ONCE]
        counts, level = compositions(store, part), levels[part]
        for number in np.unique(level):
            own = counts[level == number]
            products[number] += own.T @ own
            members = part[level == number]
            sums[number] += own.T @ (energies[members] - (0 if less is None else less[members]))
    for number in range(len(table)):
        present = np.flatnonzero(np.diag(products[number]))
        if len(present):
            square = products[number][np.ix_(present, present)]
            table[number, present] = np.linalg.lstsq(square, sums[number, present], rcond=1e-10)[0]
    return table


def isolated_atoms(store: Store) -> Table:
    """The energies of the single, neutral atoms in the store; the lowest where an element has several.

    Raises:
        HelioError: a level of theory has energies, but no atom for one of its elements.
    """
    table = np.full((len(store.levels), HIGHEST + 1), np.inf)
    energies, levels = store.column("energy"), store.rows("level")
    if energies is None:
        return np.zeros_like(table)
    known = np.flatnonzero(store.known("energy"))
    for number in known[(store.atoms[known] == 1) & (store.rows("charge")[known] == 0)]:
        place = levels[number], store.system(int(number)).atomic_numbers[0]
        table[place] = min(table[place], energies[number])
    needed = np.zeros(table.shape, bool)
    for start in range(0, len(known), _AT_ONCE):
        part = known[start : start + _AT_ONCE]
        np.logical_or.at(needed, levels[part], compositions(store, part) > 0)
    missing = np.argwhere(needed & np.isinf(table))
    if len(missing):
        level, element = missing[0]
        raise HelioError(
            f"the store has no isolated atom of {chemical_symbols[element]} with an energy of {store.levels[level]}; "
            "import one, or fit the reference energies"
        )
    return np.where(needed, table, 0)


def given_energies(store: Store, energies: Mapping[str, Mapping[str, float]]) -> Table:
    """The table of energies that are given in eV as {level: {element: energy}}, for the levels of a store.

    Levels that the store does not have are left out, as in a set for validation that has not all of them.

    Raises:
        HelioError: the store has none of the levels, or an element is none.
    """
    table = np.zeros((len(store.levels), HIGHEST + 1))
    if energies and not set(energies) & set(store.levels):
        raise HelioError(
            f"reference energies are given for {', '.join(energies)}, but the data have {', '.join(store.levels)}"
        )
    for level, own in energies.items():
        for element, energy in own.items():
            if element not in numbers_of or numbers_of[element] == 0:
                raise HelioError(f"reference energies are given for {element!r}, which is no element")
            if level in store.levels:
                table[store.levels.index(level), numbers_of[element]] = energy
    return table


def as_mapping(store: Store, table: Table) -> dict[str, dict[str, float]]:
    """The table as {level: {element: energy in eV}}, without zeros: what `given_energies` takes."""
    return {
        level: {chemical_symbols[z]: float(table[row, z]) for z in np.flatnonzero(table[row])}
        for row, level in enumerate(store.levels)
    }


def compositions(store: Store, indices: np.ndarray) -> Float[np.ndarray, "M Z"]:
    """How many atoms of each atomic number structures have; `indices` in ascending order are fastest."""
    first, lengths = store.rows("first_atom")[indices], store.atoms[indices]
    atoms = np.arange(lengths.sum()) + np.repeat(first - (np.cumsum(lengths) - lengths), lengths)
    rows = np.repeat(np.arange(len(indices)), lengths)
    numbers = store.rows("atomic_numbers")[atoms].astype(np.int64)
    counts = np.bincount(rows * (HIGHEST + 1) + numbers, minlength=len(indices) * (HIGHEST + 1))
    return counts.reshape(len(indices), HIGHEST + 1).astype(np.float64)

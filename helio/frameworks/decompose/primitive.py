"""The primitive cell of a crystal."""

from __future__ import annotations

import numpy as np
from scipy.spatial import KDTree

from helio.frameworks.crystal import Crystal, wrapped
from helio.frameworks.periodic import nearest_images, reduced

_TOLERANCE = 0.05  # A, between an atom and the image of another


def primitive(crystal: Crystal) -> Crystal:
    """The same crystal in its smallest cell, of the shortest vectors; bonds become those of the atoms that are kept.

    A translation is one that takes every atom onto one of the same element.
    """
    crystal = wrapped(crystal)
    counts = np.bincount(crystal.numbers)
    rare = np.flatnonzero(crystal.numbers == int(np.argmin(np.where(counts == 0, len(crystal) + 1, counts))))
    translations = [np.zeros(3)]
    mapped = [np.arange(len(crystal))]
    for other in rare[1:]:
        shift = crystal.positions[other] - crystal.positions[rare[0]]
        if (onto := _onto(crystal, shift)) is not None:
            translations.append(shift)
            mapped.append(onto)
    cell = _basis(crystal.cell, np.array(translations), len(translations))
    orbit = np.stack(mapped).min(axis=0)  # the first of the atoms that translations exchange
    kept = np.flatnonzero(orbit == np.arange(len(crystal)))
    number = np.searchsorted(kept, orbit)
    i, j = crystal.bonds.T
    first = np.isin(i, kept)
    vectors = crystal.bond_vectors[first]
    i, j = number[i[first]], number[j[first]]
    positions = crystal.positions[kept]
    steps = (vectors - (positions[j] - positions[i])) @ np.linalg.inv(cell)
    images = np.round(steps).astype(np.int32)
    bonds = np.column_stack([i, j]).astype(np.int32)
    small = Crystal(crystal.name, cell, crystal.numbers[kept], positions, bonds, images)
    return wrapped(_each_once(small))


def _onto(crystal: Crystal, shift: np.ndarray) -> np.ndarray | None:
    """The atom that each moved by `shift` falls onto, or None where one falls onto none of its element."""
    onto = np.zeros(len(crystal), int)
    inverse = np.linalg.inv(crystal.cell)
    for number in np.unique(crystal.numbers):
        own = np.flatnonzero(crystal.numbers == number)
        points, moved = (
            positions @ inverse % 1.0 % 1.0 for positions in (crystal.positions[own], crystal.positions[own] + shift)
        )
        nearest = KDTree(points, boxsize=1.0).query(moved)[1]
        steps = points[nearest] - moved
        if np.linalg.norm((steps - np.round(steps)) @ crystal.cell, axis=1).max() > _TOLERANCE:
            return None
        onto[own] = own[nearest]
    return onto


def _basis(cell: np.ndarray, translations: np.ndarray, parts: int) -> np.ndarray:
    """The shortest vectors of the lattice of `cell` and the `translations`, of which the cell holds `parts`."""
    if parts == 1:
        return reduced(cell)
    short, _ = nearest_images(translations[1:], cell)
    vectors = np.concatenate(
        [short, cell, cell @ np.array([[0, 1, 0], [0, 0, 1], [1, 0, 0]]), _sums(short), _sums(cell)]
    )
    volume = abs(np.linalg.det(cell)) / parts
    vectors = vectors[np.argsort(np.linalg.norm(vectors, axis=1), kind="stable")]
    for a, first in enumerate(vectors):
        for b in range(a + 1, len(vectors)):
            triples = np.abs(np.einsum("x,nx->n", np.cross(first, vectors[b]), vectors[b + 1 :]))
            if (fits := np.flatnonzero(np.abs(triples - volume) < 1e-2 * volume)).size:
                return reduced(np.array([first, vectors[b], vectors[b + 1 + fits[0]]]))
    raise AssertionError("no three translations of a crystal span its primitive cell")


def _sums(vectors: np.ndarray) -> np.ndarray:
    return (vectors[:, None] - vectors[None]).reshape(-1, 3)[1:]


def _each_once(crystal: Crystal) -> Crystal:
    """Without bonds that are given twice, in the same or the other direction."""
    seen, kept = set(), []
    for b, ((i, j), image) in enumerate(zip(crystal.bonds.tolist(), crystal.images.tolist(), strict=True)):
        one, other = (i, j, *image), (j, i, *(-x for x in image))
        if one not in seen and other not in seen:
            seen.add(one)
            kept.append(b)
    return Crystal(
        crystal.name, crystal.cell, crystal.numbers, crystal.positions, crystal.bonds[kept], crystal.images[kept]
    )

"""Neighbour lists against ASE's, for the cells that break neighbour lists."""

from __future__ import annotations

import ase.neighborlist
import numpy as np
import pytest
from ase import Atoms

from helio.errors import HelioError
from helio.neighbors import NeighborList, host_list, reciprocal_vectors

GENERATOR = np.random.default_rng(0)
SYSTEMS = {
    "free": Atoms("H12", GENERATOR.uniform(0, 6, (12, 3))),
    "cubic": Atoms("H12", GENERATOR.uniform(0, 6, (12, 3)), cell=np.eye(3) * 6, pbc=True),
    "triclinic": Atoms("H9", GENERATOR.uniform(0, 5, (9, 3)), cell=[[5, 0, 0], [2.4, 5, 0], [-2.2, 2.0, 6]], pbc=True),
    "flat": Atoms("H6", GENERATOR.uniform(0, 3, (6, 3)), cell=[9, 8, 1.1], pbc=True),
    "one atom, many images": Atoms("H", cell=[2.0, 2.1, 1.9], pbc=True),
    "slab": Atoms("H8", GENERATOR.uniform(0, 5, (8, 3)), cell=[5, 5, 30], pbc=(True, True, False)),
    "wire": Atoms("H8", GENERATOR.uniform(-9, 9, (8, 3)), cell=[0, 0, 4], pbc=(False, False, True)),
    "outside the cell": Atoms("H5", GENERATOR.uniform(-40, 40, (5, 3)), cell=[4, 5, 6], pbc=True),
    "isolated": Atoms("H3", [[0, 0, 0], [50, 0, 0], [0, 70, 0]]),
    "single": Atoms("H"),
}


def complete(atoms: Atoms) -> np.ndarray:
    return atoms.cell.new(atoms.cell.array * atoms.pbc[:, None]).complete().array


def pairs_of(found: NeighborList) -> list[tuple[int, ...]]:
    rows, columns = np.nonzero(np.asarray(found.mask))
    shifts = np.zeros((len(rows), 3), int) if found.shift is None else np.asarray(found.shift)[rows, columns]
    return sorted(
        (int(i), int(j), *map(int, s))
        for i, j, s in zip(rows, np.asarray(found.index)[rows, columns], shifts, strict=True)
    )


@pytest.mark.parametrize("name", SYSTEMS)
@pytest.mark.parametrize("cutoff", [1.5, 4.5])
def test_equal_ase(name: str, cutoff: float):
    atoms = SYSTEMS[name]
    pbc = (bool(atoms.pbc[0]), bool(atoms.pbc[1]), bool(atoms.pbc[2]))
    found = host_list(atoms.positions, complete(atoms), pbc, cutoff=cutoff)
    i, j, shift = ase.neighborlist.neighbor_list("ijS", atoms, cutoff)
    expected = sorted((int(a), int(b), *map(int, s)) for a, b, s in zip(i, j, shift, strict=True))
    assert pairs_of(found) == expected
    assert not bool(found.overflow)


@pytest.mark.parametrize("name", SYSTEMS)
def test_half_names_each_pair_once(name: str):
    atoms = SYSTEMS[name]
    pbc = (bool(atoms.pbc[0]), bool(atoms.pbc[1]), bool(atoms.pbc[2]))
    found = host_list(atoms.positions, complete(atoms), pbc, cutoff=4.5, rows=len(atoms) + 3)
    full = pairs_of(found)
    half = np.asarray(found.half)
    half = half[half[:, 0] < len(atoms) + 3]
    assert len(half) * 2 == len(full)
    named = set()
    for row, column in half:
        shift = (0, 0, 0) if found.shift is None else tuple(int(n) for n in np.asarray(found.shift)[row, column])
        j = int(np.asarray(found.index)[row, column])
        named |= {(int(row), j, *shift), (j, int(row), *(-n for n in shift))}
    assert sorted(named) == full


def test_without_a_cutoff_every_pair():
    found = host_list(SYSTEMS["isolated"].positions, np.eye(3), (False, False, False), cutoff=None)
    assert len(pairs_of(found)) == 6
    with pytest.raises(HelioError, match="needs a long-range cutoff"):
        host_list(np.zeros((1, 3)), np.eye(3), (True, True, True), cutoff=None)


def test_reciprocal_vectors_are_one_of_each_pair():
    cell = np.array([[5.0, 0, 0], [2.4, 5, 0], [-2.2, 2.0, 6]])
    triples = reciprocal_vectors(cell, longest=4.0)
    grid = np.stack(np.meshgrid(*[np.arange(-9, 10)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    lengths = np.linalg.norm(2 * np.pi * grid @ np.linalg.inv(cell).T, axis=1)
    expected = {tuple(t) for t in grid[(lengths <= 4.0) & (lengths > 0)].tolist()}
    both = {tuple(t) for t in triples.tolist()} | {tuple(-t) for t in triples}
    assert {tuple(int(n) for n in t) for t in both} == expected
    assert len(triples) * 2 == len(expected)

"""Each check fails for a crystal that is made to fail it, and for no other; a sound one passes all."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from helio.frameworks.checks import Check, Demands, check
from helio.frameworks.connectivity import nets
from helio.frameworks.crystal import Crystal
from helio.frameworks.valence import loose_valences

WIDE = 5.0  # A, a pore


def sound() -> Crystal:
    """A cube of zinc, joined along each axis by methylene chains: Zn-CH2-CH2-CH2-, 7 A; no metal bonds hydrogen."""
    numbers, places, bonds, images = [30], [np.zeros(3)], [], []
    axes = np.eye(3)
    for axis in range(3):
        along, side, other = axes[axis], axes[(axis + 1) % 3], axes[(axis + 2) % 3]
        chain = []
        for step, bend in ((2.0, 0.3), (3.5, -0.3), (5.0, 0.3)):
            chain.append(len(numbers))
            center = step * along + bend * side
            numbers += [6, 1, 1]
            outward = np.sign(bend) * 0.6 * side
            places += [center, center + outward + 0.9 * other, center + outward - 0.9 * other]
            bonds += [(chain[-1], chain[-1] + 1), (chain[-1], chain[-1] + 2)]
            images += [(0, 0, 0)] * 2
        bonds += [(0, chain[0]), (chain[0], chain[1]), (chain[1], chain[2]), (chain[2], 0)]
        images += [(0, 0, 0)] * 3 + [tuple(axes[axis].astype(int))]
    return Crystal(
        "sound",
        7.0 * np.eye(3),
        np.array(numbers, np.int32),
        np.array(places),
        np.array(bonds, np.int32),
        np.array(images, np.int32),
    )


def failed(crystal: Crystal, pore: float = WIDE, **demands) -> list[str]:
    return [one.name for one in check(crystal, pore, Demands(**demands)) if not one.passed]


def without(crystal: Crystal, atoms: list[int]) -> Crystal:
    """Without some atoms and their bonds."""
    kept = np.setdiff1d(np.arange(len(crystal)), atoms)
    place = np.full(len(crystal), -1)
    place[kept] = np.arange(len(kept))
    bonds = place[crystal.bonds]
    there = (bonds >= 0).all(axis=1)
    return replace(
        crystal,
        numbers=crystal.numbers[kept],
        positions=crystal.positions[kept],
        bonds=bonds[there].astype(np.int32),
        images=crystal.images[there],
    )


def with_atoms(crystal: Crystal, numbers: list[int], places: Any, bonds: list[tuple[int, int]]) -> Crystal:
    return replace(
        crystal,
        numbers=np.concatenate([crystal.numbers, numbers]).astype(np.int32),
        positions=np.concatenate([crystal.positions, places]),
        bonds=np.concatenate([crystal.bonds, np.reshape(bonds, (-1, 2))]).astype(np.int32),
        images=np.concatenate([crystal.images, np.zeros((len(bonds), 3))]).astype(np.int32),
    )


def cut(crystal: Crystal, axis: int) -> Crystal:
    """Without the bonds that cross one face, which is moved away, their ends closed with hydrogen."""
    crossing = crystal.images[:, axis] != 0
    carbon = int(crystal.bonds[crossing][0, 0])
    cell = crystal.cell + 3.0 * np.diag(np.eye(3)[axis])
    open_ = replace(crystal, cell=cell, bonds=crystal.bonds[~crossing], images=crystal.images[~crossing])
    return with_atoms(open_, [1], [crystal.positions[carbon] + 1.0 * np.eye(3)[axis]], [(carbon, len(crystal))])


def test_sound_crystal_passes():
    assert check(sound(), WIDE) == [
        Check(name, "")
        for name in ("composition", "overlap", "bonds", "coordination", "connectivity", "valence", "pore")
    ]


def test_composition():
    crystal = sound()
    carbon_alone = replace(crystal, numbers=np.where(crystal.numbers == 30, 14, crystal.numbers).astype(np.int32))
    assert failed(carbon_alone) == ["composition"]
    assert failed(carbon_alone, metal=False) == []


def test_overlap_and_loose_fragment():
    crystal = sound()
    methane = [6, 1, 1, 1, 1]
    tetrahedron = np.array([[0, 0, 0], [1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]]) * 0.63
    bonds = [(len(crystal), len(crystal) + i) for i in range(1, 5)]
    free = with_atoms(crystal, methane, tetrahedron + 3.9, bonds)
    assert failed(free) == ["connectivity"]  # a loose fragment, no more
    through = with_atoms(crystal, methane, tetrahedron + np.array([0, 0, 7.3]), bonds)  # into the zinc of the next cell
    assert failed(through) == ["overlap", "connectivity"]


def test_torn_bond():
    crystal = sound()
    stretched = replace(crystal, cell=crystal.cell + np.diag([0, 0, 1.2]))  # between carbon and the next zinc
    assert failed(stretched) == ["bonds"]
    (reason,) = [one.reason for one in check(stretched, WIDE) if one.name == "bonds"]
    assert reason.startswith("1 bond of wrong length, such as C-Zn of 3.2")


def test_coordination_and_valence():
    crystal = sound()
    missing = without(crystal, [5])  # a hydrogen atom: a radical, but three bonds are a carbon's
    assert failed(missing) == ["valence"]
    # Two at one carbon: it has two bonds and is bent. At a metal, it may keep what is left.
    assert failed(without(crystal, [2, 3])) == ["coordination"]
    center = crystal.positions[2]
    doubled = with_atoms(crystal, [9], [center + np.array([0.6, 0.3, 0.9])], [(2, len(crystal))])
    assert failed(doubled) == ["coordination"]


def test_connectivity():
    crystal = sound()
    layer = cut(crystal, 2)
    assert nets(layer) == [(len(layer), 2)]
    assert failed(layer) == ["connectivity"]
    assert failed(layer, dimensions=2) == []
    assert nets(cut(layer, 1))[0][1] == 1


def test_interpenetrated_nets():
    crystal = sound()
    wide = replace(crystal, cell=crystal.cell)
    other = replace(crystal, positions=crystal.positions + 3.5)
    both = replace(
        wide,
        numbers=np.tile(crystal.numbers, 2),
        positions=np.concatenate([crystal.positions, other.positions]),
        bonds=np.concatenate([crystal.bonds, crystal.bonds + len(crystal)]),
        images=np.tile(crystal.images, (2, 1)),
    )
    assert nets(both) == [(len(crystal), 3)] * 2
    assert "2 nets that are not bonded" in next(one.reason for one in check(both, WIDE) if one.name == "connectivity")


def test_pore():
    assert failed(sound(), 2.39) == ["pore"]
    assert failed(sound(), 2.39, smallest_pore=2.0) == []


@pytest.mark.parametrize(
    ("name", "left"),
    [
        ("C6H6", 0),
        ("CH3NO2", 0),
        ("CH3COOH", 0),
        ("C5H5N", 0),
        ("HCOOH", 0),
        ("CO2", 0),
        ("HCN", 0),
        ("CH3", 1),
        ("C6H5", 1),
        ("CH2NHCH2", 2),
        ("CH3SO2CH3", 0),
    ],
)
def test_valences_of_molecules(name, left):
    """Against molecules of ASE's collection and a few made by hand: closed shells have nothing left."""
    assert loose_valences(molecule(name)) == left


def molecule(name: str) -> Crystal:
    from ase.build import molecule as build

    from helio.frameworks.bonds import find_bonds

    known = {
        "CH3SO2CH3": ([16, 8, 8, 6, 6, *[1] * 6],
                      [(0, 1), (0, 2), (0, 3), (0, 4), *[(3, i) for i in (5, 6, 7)], *[(4, i) for i in (8, 9, 10)]]),
        "CH2NHCH2": ([7, 6, 6, *[1] * 5], [(0, 1), (0, 2), (0, 3), (1, 4), (1, 5), (2, 6), (2, 7)]),
        "C6H5": ([6] * 6 + [1] * 5, [*[(i, (i + 1) % 6) for i in range(6)], *[(i, 6 + i) for i in range(5)]]),
    }  # fmt: skip
    if name in known:
        numbers, bonds = known[name]
        count = len(numbers)
        return Crystal(name, 50 * np.eye(3), np.array(numbers), np.zeros((count, 3)), np.array(bonds),
                       np.zeros((len(bonds), 3), np.int32))  # fmt: skip
    atoms = build(name)
    empty = np.zeros((0, 2), np.int32), np.zeros((0, 3), np.int32)
    return find_bonds(Crystal(name, 20 * np.eye(3), atoms.numbers, atoms.positions + 5, *empty))


def test_metals_take_what_is_left():
    """Two oxygen atoms of a carboxylate at zinc; the same without the zinc has a charge."""
    bonds = [(0, 1), (0, 2), (0, 3), (1, 4), (2, 4)]
    crystal = Crystal("formate", 20 * np.eye(3), np.array([6, 8, 8, 1, 30]), np.zeros((5, 3)), np.array(bonds),
                      np.zeros((5, 3), np.int32))  # fmt: skip
    assert loose_valences(crystal) == 0
    assert loose_valences(without(crystal, [4])) == 1

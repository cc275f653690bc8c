"""The starts of a part of fragments."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from ase import Atoms

from helio.distillation.fragments import Blocks, Fragment
from helio.distillation.recipe import Fragments
from helio.distillation.starts import Start, Starts, generator
from helio.errors import HelioError
from helio.files.structures import read_structures

_SPHERES = 100
# Systems that are held cut in pieces.
_AT_HAND = 8


def spheres(part: Fragments, name: str, seed: int, elements: Sequence[int]) -> Starts:
    """Spheres around random heavy atoms, of the molecules with carbon where there are any.

    Fragments around one block, and blocks of the same kind, are held out together or not at all.

    Raises:
        HelioError: a file cannot be read, or nothing in it can be cut out.
    """
    systems = _systems(part)
    cut = lru_cache(_AT_HAND)(lambda number: Blocks.of(systems[number]))
    _check_understood(cut(0), part)

    def make(number: int) -> Start:
        rng = generator(seed, name, number)
        blocks = cut(int(rng.integers(len(systems))))
        centre = int(rng.choice(_centres(blocks)))
        fragment = blocks.cut_out(blocks.around(centre, part.radius), near=centre)
        if len(fragment.atoms) > part.most_atoms:
            raise HelioError(f"a fragment of more than {part.most_atoms} atoms")
        _check(fragment, part, elements)
        atoms = fragment.atoms.copy()
        atoms.info |= {"charge": fragment.charge, "spin": 0}
        fragment.smiles()  # raises where the valences cannot be
        middle = blocks.cut_out(blocks.of_atom[[centre]]).smiles()
        return Start(atoms, f"{name} {middle}")

    return Starts(part.count or _SPHERES, make)


def fragment_molecules(part: Fragments, name: str, seed: int, elements: Sequence[int]) -> list[str]:
    """The SMILES of all bonded fragments of the first system in each file, each once, or of so many drawn at random.

    Raises:
        HelioError: as `spheres` does, or there are too many fragments, or none of these sizes and charges.
    """
    found: dict[str, None] = {}
    for atoms in _systems(part, first=True):
        blocks = Blocks.of(atoms)
        _check_understood(blocks, part)
        for union in blocks.unions(part.heavy_atoms):
            fragment = blocks.cut_out(union)
            try:
                _check(fragment, part, elements)
                found[fragment.smiles()] = None
            except HelioError:  # one that is not asked for
                continue
    if not found:
        raise HelioError(f"no fragment of the part {name} has the elements, size and charge that are asked for")
    listed = sorted(found)
    order = generator(seed, name).permutation(len(listed))[: part.count]
    return [listed[number] for number in np.sort(order)]


def _systems(part: Fragments, *, first: bool = False) -> list[Atoms]:
    found: list[Atoms] = []
    for path in part.paths:
        structures = read_structures(path)[: 1 if first else None]
        if not (structures[0].numbers == 1).any():
            raise HelioError(
                f"{path} has no hydrogens, without which charges of fragments are not known: complete it, for example "
                "by `helio build solvate`"
            )
        found += structures
    return found


def _check_understood(blocks: Blocks, part: Fragments) -> None:
    """Raise `HelioError` where not a single molecule with carbon, or none at all, has known bonds."""
    if not blocks.system.known[_centres(blocks)].any():
        raise HelioError(
            f"no molecule of {part.paths[0]} is understood: hydrogens are missing, or atoms overlap; relax the "
            "structure, for example by `helio opt`"
        )


def _centres(blocks: Blocks) -> np.ndarray:
    """Heavy atoms of the molecules with carbon; of all, where there are none."""
    numbers, molecules = blocks.system.atoms.numbers, blocks.system.molecules
    organic = np.isin(molecules, molecules[numbers == 6])
    heavy = numbers > 1
    return np.flatnonzero(heavy & organic if organic.any() else heavy)


def _check(fragment: Fragment, part: Fragments, elements: Sequence[int]) -> None:
    """Raise `HelioError` for what the teacher cannot describe or nobody asked for."""
    if not set(fragment.atoms.numbers.tolist()) <= set(elements):
        raise HelioError("a fragment with elements that the teacher does not know")
    if abs(fragment.charge) > part.most_charge:
        raise HelioError(f"a fragment with a charge of more than {part.most_charge} e")
    if (int(fragment.atoms.numbers.sum()) - fragment.charge) % 2:
        raise HelioError("a fragment with an odd number of electrons")

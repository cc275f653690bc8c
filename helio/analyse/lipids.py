"""Lipids and the carbons of their tails, found by the bonds alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from helio.analyse.frames import Frames

_H, _C, _N, _O = 1, 6, 7, 8
# Chains of fewer carbons than this are no tails.
_SHORTEST = 6


@dataclass(frozen=True)
class Tail:
    """An acyl chain: numbers of atoms in the universe."""

    molecule: int
    name: str  # "sn-1" and "sn-2" of glycerol, "acyl" else; with the lipid's name before it if there are several lipids
    carbons: tuple[int, ...]  # from C1, the carbonyl, to the methyl at the end
    hydrogens: tuple[tuple[int, ...], ...]  # of each carbon


def tails(frames: Frames) -> list[Tail]:
    """All acyl chains of at least six carbons: straight chains that begin at an ester's or amide's C=O.

    sn-2 is bound to a carbon with one hydrogen, sn-1 to one with two.
    """
    numbers = frames.atomic_numbers
    bonds = np.asarray(frames.universe.bonds.indices).reshape(-1, 2)
    bonds = bonds[(numbers[bonds] == _C).any(axis=1)]
    neighbors: dict[int, list[int]] = {}
    for i, j in bonds.tolist():
        neighbors.setdefault(i, []).append(j)
        neighbors.setdefault(j, []).append(i)
    chosen = set(frames.atoms.ix.tolist())
    found = []
    for carbon in (i for i in sorted(neighbors) if numbers[i] == _C and i in chosen):
        bridge = _bridge(carbon, neighbors, numbers)
        if bridge is not None:
            carbons = _chain(carbon, neighbors, numbers)
            if len(carbons) >= _SHORTEST:
                hydrogens = tuple(tuple(h for h in neighbors[c] if numbers[h] == _H) for c in carbons)
                name = _place(carbon, bridge, neighbors, numbers)
                found.append(Tail(int(frames.molecules[carbon]), name, carbons, hydrogens))
    return _named(frames, found)


def _bridge(carbon: int, neighbors: dict[int, list[int]], numbers: np.ndarray) -> int | None:
    """The O or N by which an acyl group C(=O)C hangs on the rest; None if `carbon` is none."""
    around = neighbors[carbon]
    oxygens = [i for i in around if numbers[i] == _O and len(neighbors[i]) == 1]
    bridges = [i for i in around if numbers[i] in (_O, _N) and len(neighbors[i]) > 1]
    # Only bonds with a carbon are among the neighbours, so that an amide's N has two even with its hydrogen.
    if len(around) == 3 and len(oxygens) == 1 and len(bridges) == 1 and sum(numbers[i] == _C for i in around) == 1:
        return bridges[0]
    return None


def _chain(first: int, neighbors: dict[int, list[int]], numbers: np.ndarray) -> tuple[int, ...]:
    """Carbons from `first` on until the chain ends; empty if it branches or holds anything else."""
    chain = [first]
    while True:
        heavy = [i for i in neighbors[chain[-1]] if numbers[i] != _H and i not in chain[-2:]]
        if len(chain) == 1:
            heavy = [i for i in heavy if numbers[i] == _C]
        if not heavy:
            return tuple(chain)
        if len(heavy) > 1 or numbers[heavy[0]] != _C or heavy[0] in chain:
            return ()
        chain.append(heavy[0])


def _place(carbon: int, bridge: int, neighbors: dict[int, list[int]], numbers: np.ndarray) -> str:
    behind = [i for i in neighbors[bridge] if i != carbon and numbers[i] == _C]
    if numbers[bridge] != _O or len(behind) != 1:
        return "acyl"
    hydrogens = sum(numbers[i] == _H for i in neighbors[behind[0]])
    return {1: "sn-2", 2: "sn-1"}.get(hydrogens, "acyl")


def _named(frames: Frames, found: list[Tail]) -> list[Tail]:
    """With the lipid in the name where there are several."""
    atoms = frames.universe.atoms
    if not hasattr(atoms, "resnames"):
        return found
    lipids = [str(atoms[tail.carbons[0]].resname) for tail in found]
    if len(set(lipids)) == 1:
        return found
    return [
        Tail(tail.molecule, f"{lipid} {tail.name}", tail.carbons, tail.hydrogens)
        for lipid, tail in zip(lipids, found, strict=True)
    ]

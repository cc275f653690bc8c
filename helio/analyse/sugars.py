"""Rings of sugars and the bonds between them, found by the bonds alone."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from helio.analyse.frames import Frames
from helio.errors import HelioError

_H, _C, _N, _O = 1, 6, 7, 8


@dataclass(frozen=True)
class SugarRing:
    """A ring of four or five saturated carbons and an oxygen, with an anomeric carbon."""

    oxygen: int
    carbons: tuple[int, ...]  # from the anomeric one on, around the ring
    positions: dict[int, int]  # number of each carbon of the sugar, rings and chains, as in C1, C2, ...

    @property
    def anomeric(self) -> int:
        """The ring's carbon that is also bonded to an oxygen or nitrogen outside."""
        return self.carbons[0]


@dataclass(frozen=True)
class GlycosidicBond:
    """Atoms of the torsions of a bond C1-O-Cx from one sugar's anomeric carbon.

    phi is O5-C1-O-Cx and psi is C1-O-Cx-C(x-1), as in IUPAC-IUB, Eur. J. Biochem. 131, 5 (1983); where Cx is anomeric
    too, psi ends at its ring's oxygen.
    """

    name: str  # "GLC 1 (1→4) GLC 2"
    phi: tuple[int, int, int, int]
    psi: tuple[int, int, int, int]


def sugar_rings(frames: Frames) -> list[SugarRing]:
    """The rings of all sugars among the chosen atoms, in the order of their oxygens; empty if there is none."""
    numbers = frames.atomic_numbers
    bonds = np.asarray(frames.universe.bonds.indices).reshape(-1, 2)
    # Only a carbon's bonds matter, which leaves out all water.
    neighbors = _neighbors(bonds[(numbers[bonds] == _C).any(axis=1)])
    chosen = set(frames.atoms.ix.tolist())
    rings = []
    for oxygen in np.flatnonzero(numbers == _O).tolist():
        ends = neighbors.get(oxygen, ())
        if oxygen in chosen and len(ends) == 2 and (numbers[list(ends)] == _C).all():
            carbons = _carbon_path(ends[0], ends[1], neighbors, numbers)
            if (ring := _ring(oxygen, carbons, neighbors, numbers)) is not None:
                rings.append(ring)
    return rings


def glycosidic_bonds(frames: Frames) -> list[GlycosidicBond]:
    """All bonds C1-O-C from anomeric carbons to another sugar, or to anything whose second torsion is defined.

    Raises:
        HelioError: there is no such bond.
    """
    if not (found := find_glycosidic_bonds(frames)):
        raise HelioError(
            f"{frames.label} holds no bond between sugars (an anomeric carbon, an oxygen and another carbon)"
        )
    return found


def find_glycosidic_bonds(frames: Frames) -> list[GlycosidicBond]:
    """As `glycosidic_bonds`, empty where there is none."""
    numbers = frames.atomic_numbers
    rings = sugar_rings(frames)
    neighbors = _neighbors(np.asarray(frames.universe.bonds.indices).reshape(-1, 2)) if rings else {}
    owner = {carbon: ring for ring in rings for carbon in ring.positions}
    found = []
    for ring in rings:
        for bridge in neighbors[ring.anomeric]:
            others = [i for i in neighbors[bridge] if i != ring.anomeric]
            if numbers[bridge] != _O or bridge == ring.oxygen or len(others) != 1 or numbers[others[0]] != _C:
                continue
            acceptor = owner.get(others[0])
            if acceptor is not None and acceptor.anomeric == others[0] and acceptor.oxygen < ring.oxygen:
                continue  # a bond of two anomeric carbons counts once
            end = _last_of_psi(others[0], acceptor, neighbors[others[0]], numbers)
            if end is not None:
                phi = (ring.oxygen, ring.anomeric, bridge, others[0])
                name = _bond_name(frames, ring, acceptor, others[0], rings)
                found.append(GlycosidicBond(name, phi, (ring.anomeric, bridge, others[0], end)))
    return found


def _last_of_psi(carbon: int, acceptor: SugarRing | None, neighbors: list[int], numbers: np.ndarray) -> int | None:
    """C(x-1) of a sugar, or the only carbon there is; None if nothing singles one out."""
    if acceptor is None:
        carbons = [i for i in neighbors if numbers[i] == _C]
        return carbons[0] if len(carbons) == 1 else None
    if carbon == acceptor.anomeric:
        return acceptor.oxygen
    return min((i for i in neighbors if i in acceptor.positions), key=acceptor.positions.__getitem__)


def _bond_name(
    frames: Frames, donor: SugarRing, acceptor: SugarRing | None, carbon: int, rings: list[SugarRing]
) -> str:
    first = donor.positions[donor.anomeric]
    if acceptor is None:
        return f"{_sugar_name(frames, donor, rings)} ({first}→) {_atom_name(frames, carbon)}"
    link = f"({first}→{acceptor.positions[carbon]})"
    return f"{_sugar_name(frames, donor, rings)} {link} {_sugar_name(frames, acceptor, rings)}"


def _sugar_name(frames: Frames, ring: SugarRing, rings: list[SugarRing]) -> str:
    """The residue's, if each sugar is a residue of its own."""
    atoms = frames.universe.atoms
    homes = [int(atoms[other.oxygen].resindex) for other in rings]
    if hasattr(atoms, "resnames") and len(set(homes)) == len(homes) > 1:
        residue = atoms[ring.oxygen].residue
        return f"{residue.resname} {residue.resid}"
    return f"sugar {rings.index(ring) + 1}"


def _atom_name(frames: Frames, number: int) -> str:
    atom = frames.universe.atoms[number]
    if hasattr(frames.universe.atoms, "resnames") and hasattr(frames.universe.atoms, "names"):
        return f"{atom.resname} {atom.resid} {atom.name}"
    return f"atom {number}"


def _neighbors(bonds: np.ndarray) -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for i, j in bonds.tolist():
        found.setdefault(i, []).append(j)
        found.setdefault(j, []).append(i)
    return found


def _carbon_path(start: int, end: int, neighbors: dict[int, list[int]], numbers: np.ndarray) -> list[int]:
    """The shortest chain of saturated carbons between both, of at most five; empty if there is none."""
    queue = deque([[start]])
    seen = {start}
    while queue:
        path = queue.popleft()
        if path[-1] == end:
            return path
        if len(path) < 5:
            for other in neighbors[path[-1]]:
                if numbers[other] == _C and len(neighbors[other]) == 4 and other not in seen:
                    seen.add(other)
                    queue.append([*path, other])
    return []


def _ring(oxygen: int, carbons: list[int], neighbors: dict[int, list[int]], numbers: np.ndarray) -> SugarRing | None:
    if len(carbons) not in (4, 5) or len(neighbors[carbons[0]]) != 4:
        return None

    def outside(carbon: int) -> Iterable[int]:
        return (i for i in neighbors[carbon] if i != oxygen and i not in carbons)

    anomeric = [end for end in (carbons[0], carbons[-1]) if any(numbers[i] in (_N, _O) for i in outside(end))]
    if len(anomeric) != 1:
        return None
    ordered = carbons if anomeric[0] == carbons[0] else carbons[::-1]
    # A ketose or sialic acid has C1 outside of the ring.
    first = 2 if any(numbers[i] == _C for i in outside(ordered[0])) else 1
    positions = {carbon: first + i for i, carbon in enumerate(ordered)}
    positions |= {i: 1 for i in outside(ordered[0]) if numbers[i] == _C}
    here, before = ordered[-1], ordered[-2]
    while True:  # the chain behind the ring: C6 of glucose, C7 to C9 of sialic acid
        chain = [i for i in neighbors[here] if numbers[i] == _C and i != before and i not in positions]
        if len(chain) != 1:
            break
        here, before = chain[0], here
        positions[here] = positions[before] + 1
    return SugarRing(oxygen, tuple(ordered), positions)

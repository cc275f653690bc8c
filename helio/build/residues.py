"""Residues that openmm does not know, kept as they are: their hydrogens, bonds and charges by their chemistry."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from scipy.spatial import KDTree

from helio.build.charge import is_standard
from helio.build.chemistry import KNOWN_RESIDUES, LINKED_RESIDUES, Chemistry, read_chemistry
from helio.build.matching import LyingResidue, MatchedResidue, Partner, bonded, is_carbonyl, match
from helio.errors import HelioError

_BOND_REACH = 2.6  # A; no bond between the elements of the model is longer
_C_OXT = 1.25  # A, in carboxylates
_TO_HYDROGEN = 1.4  # A; a hydrogen belongs to the nearest heavy atom within this
_NEVER_BONDED = ("HOH", "CL")


@dataclass(frozen=True)
class Definition:
    """A residue of openmm and what its chemistry says about it."""

    residue: Any
    heavy: Sequence[Any]  # atoms of openmm
    hydrogens: Sequence[tuple[int, Any]]  # that the structure has: number of the heavy atom, atom of openmm
    links: Sequence[tuple[Any, Any]]  # its atom, the atom of another residue
    matched: MatchedResidue
    oxt: np.ndarray | None = None  # place of a terminal oxygen that is missing, A; the last of the heavy atoms

    @property
    def keeps_hydrogens(self) -> bool:
        """Whether the structure has the right number of hydrogens at each atom."""
        counts = Counter(parent for parent, _ in self.hydrogens)
        return [counts[number] for number in range(len(self.matched.hydrogens))] == list(self.matched.hydrogens)


def define_residues(
    topology: Any,
    positions: np.ndarray,
    given: Mapping[str, Chemistry],
    *,
    ph: float,
    source: str,
    replaceable: Mapping[str, str] = MappingProxyType({}),
) -> list[Definition]:
    """Match the residues whose chemistry is given or known, which are all but the standard ones.

    Residues of another kind pass where their hydrogens are there.

    Args:
        topology: of openmm, whose residues have all their heavy atoms.
        positions: in A, (N, 3).
        given: chemistry by name of residue; it goes before what Helio knows.
        ph: decides between forms that Helio knows.
        source: name of the file, for messages.
        replaceable: standard residues that may stand for others, by their names, for messages.

    Raises:
        HelioError: chemistry is missing for residues without hydrogens (all are named), or does not fit.
    """
    links = _links(topology, positions)
    chosen, missing = _chosen(topology, links, given, ph)
    if missing:
        raise HelioError(_missing_message(missing, source, replaceable))
    return [
        _defined(residue, chemistry, links.get(residue.index, []), positions, source) for residue, chemistry in chosen
    ]


def _links(topology: Any, places: np.ndarray) -> dict[int, list[tuple[Any, Any]]]:
    """For each residue with a bond to another that openmm does not know of: its atom and the other's, by distance."""
    atoms = [
        atom
        for atom in topology.atoms()
        if atom.element is not None and atom.element.symbol != "H" and atom.residue.name not in _NEVER_BONDED
    ]
    if not atoms:
        return {}
    indices = np.array([atom.index for atom in atoms])
    links: dict[int, list[tuple[Any, Any]]] = defaultdict(list)
    for i, j in KDTree(places[indices]).query_pairs(_BOND_REACH):
        first, second = atoms[i], atoms[j]
        if first.residue.index != second.residue.index and bonded(
            first.element.symbol, second.element.symbol, float(np.linalg.norm(places[indices[i]] - places[indices[j]]))
        ):
            links[first.residue.index].append((first, second))
            links[second.residue.index].append((second, first))
    return links


def _chosen(
    topology: Any, links: Mapping[int, Sequence[tuple[Any, Any]]], given: Mapping[str, Chemistry], ph: float
) -> tuple[list[tuple[Any, Chemistry]], list[Any]]:
    """Residues with the chemistry to complete them by, and residues that lack one."""
    known: dict[str, Chemistry] = dict(given)
    chosen, missing = [], []
    for residue in topology.residues():
        name = residue.name
        if name in known:
            chosen.append((residue, known[name]))
        elif is_standard(name):
            if any(not _usual_link(own, other) for own, other in links.get(residue.index, [])):
                if name not in LINKED_RESIDUES:
                    missing.append(residue)
                    continue
                chosen.append((residue, read_chemistry(LINKED_RESIDUES[name].at(ph))))
        elif name in KNOWN_RESIDUES:
            known[name] = read_chemistry(KNOWN_RESIDUES[name].at(ph))
            chosen.append((residue, known[name]))
        else:
            symbols = [atom.element.symbol for atom in residue.atoms()]
            if "C" in symbols and "H" not in symbols:
                missing.append(residue)
    return chosen, missing


def _usual_link(own: Any, other: Any) -> bool:
    """Whether the bond is one that openmm expects of a standard residue: in its chain, or a disulfide."""
    pair = {own.name, other.name}
    return pair in ({"C", "N"}, {"O3'", "P"}) or (own.name == other.name == "SG")


def _missing_message(missing: Sequence[Any], source: str, replaceable: Mapping[str, str]) -> str:
    counts = Counter(residue.name for residue in missing)
    names = sorted(counts)
    listed = ", ".join(f"{name} ({counts[name]})" if counts[name] > 1 else name for name in names)
    options = " ".join(f"--ligand {name}=SMILES" for name in names)
    linked = [name for name in names if is_standard(name)]
    note = f" ({', '.join(linked)}: bonded to other residues than the neighbours in the chain)" if linked else ""
    return (
        f"the hydrogens and the charge of {listed} in {source} are not known{note}: give their chemistry with "
        f"{options} (or NAME=FILE.sdf), {_replacement(names, replaceable)}or leave them out with --drop "
        f"{','.join(names)}"
    )


def _defined(
    residue: Any, chemistry: Chemistry, links: Sequence[tuple[Any, Any]], places: np.ndarray, source: str
) -> Definition:
    atoms = list(residue.atoms())
    heavy = [atom for atom in atoms if atom.element.symbol != "H"]
    hydrogens = _owned([atom for atom in atoms if atom.element.symbol == "H"], heavy, places)
    name = f"residue {residue.name} {residue.chain.id.strip()} {residue.id} of {source}".replace("  ", " ")
    lying = _lying(heavy, hydrogens, links, places)
    try:
        return Definition(residue, heavy, hydrogens, links, match(lying, chemistry, name))
    except HelioError:
        oxt = _terminal_oxygen(heavy, links, places)
        if oxt is None:
            raise
    lying = LyingResidue(
        [*lying.symbols, "O"], np.vstack([lying.positions, oxt]), [*lying.hydrogens, 0], lying.partners
    )
    return Definition(residue, heavy, hydrogens, links, match(lying, chemistry, name), oxt)


def _owned(hydrogens: Sequence[Any], heavy: Sequence[Any], places: np.ndarray) -> list[tuple[int, Any]]:
    """Hydrogens with the number of the heavy atom that is nearest."""
    of_heavy, owned = places[[atom.index for atom in heavy]], []
    for hydrogen in hydrogens:
        distances = np.linalg.norm(of_heavy - places[hydrogen.index], axis=1)
        if distances.min() < _TO_HYDROGEN:
            owned.append((int(distances.argmin()), hydrogen))
    return owned


def _lying(
    heavy: Sequence[Any],
    hydrogens: Sequence[tuple[int, Any]],
    links: Sequence[tuple[Any, Any]],
    places: np.ndarray,
) -> LyingResidue:
    counts = Counter(parent for parent, _ in hydrogens)
    number = {atom.index: place for place, atom in enumerate(heavy)}
    return LyingResidue(
        symbols=[atom.element.symbol for atom in heavy],
        positions=places[[atom.index for atom in heavy]],
        hydrogens=[counts[place] for place in range(len(heavy))],
        partners=[
            Partner(number[own.index], other.element.symbol, places[other.index], _carbonyl(other, places))
            for own, other in links
        ],
    )


def _carbonyl(carbon: Any, places: np.ndarray) -> np.ndarray | None:
    for atom in carbon.residue.atoms():
        distance = float(np.linalg.norm(places[atom.index] - places[carbon.index]))
        if carbon.element.symbol == "C" and atom.element.symbol == "O" and is_carbonyl(distance):
            return places[atom.index]
    return None


def _terminal_oxygen(heavy: Sequence[Any], links: Sequence[tuple[Any, Any]], places: np.ndarray) -> np.ndarray | None:
    """Where OXT belongs, A, in the plane of CA, C and O; None for what is no end of a chain of amino acids."""
    at = {atom.name: places[atom.index] for atom in heavy}
    if not {"N", "CA", "C", "O"} <= at.keys() or "OXT" in at or any(own.name == "C" for own, _ in links):
        return None
    away = sum((at["C"] - at[name]) / np.linalg.norm(at["C"] - at[name]) for name in ("CA", "O"))
    return at["C"] + _C_OXT * away / np.linalg.norm(away)


def _replacement(names: Iterable[str], replaceable: Mapping[str, str]) -> str:
    changes = [name for name in sorted(names) if name in replaceable]
    if not changes:
        return ""
    becoming = ", ".join(f"{name} becomes {replaceable[name]}" for name in changes)
    return f"make other residues of them with --replace-residues {','.join(changes)} ({becoming}), "

"""Topologies of openmm in which residues have the hydrogens of their chemistry."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from helio.build.chemistry import KNOWN_RESIDUES
from helio.build.residues import Definition

# Before the names of residues that openmm must leave alone while it adds hydrogens to the others.
_VEIL = "?"


@dataclass(frozen=True)
class FormalCharges:
    """Charge and spin that follow from the chemistry of residues; keys are indices of residues."""

    by_residue: Mapping[int, Mapping[str, int]]  # charged atoms by name
    radicals: int


def with_definitions(
    topology: Any, places: np.ndarray, definitions: Sequence[Definition]
) -> tuple[Any, np.ndarray, FormalCharges, list[str]]:
    """The topology with the hydrogens and bonds of the definitions, positions in A, charges, and words for a report.

    The residues are veiled: see `unveil`.
    """
    from openmm import app

    by_index = {definition.residue.index: definition for definition in definitions}
    fresh, positions, copies = app.Topology(), list[np.ndarray](), dict[int, Any]()
    fresh.setPeriodicBoxVectors(topology.getPeriodicBoxVectors())
    charges: dict[int, dict[str, int]] = {}

    def add(name: str, element: Any, residue: Any, place: np.ndarray) -> Any:
        positions.append(place)
        return fresh.addAtom(name, element, residue)

    for chain in topology.chains():
        new_chain = fresh.addChain(chain.id)
        for residue in chain.residues():
            definition = by_index.get(residue.index)
            veil = _VEIL if definition else ""
            target = fresh.addResidue(veil + residue.name, new_chain, residue.id, residue.insertionCode)
            for atom in residue.atoms() if definition is None else definition.heavy:
                copies[atom.index] = add(atom.name, atom.element, target, places[atom.index])
            if definition is None:
                continue
            heavy = [copies[atom.index] for atom in definition.heavy]
            if definition.oxt is not None:
                heavy.append(add("OXT", app.element.oxygen, target, definition.oxt))
            for parent, name, place in _hydrogens(definition, places):
                fresh.addBond(heavy[parent], add(name, app.element.hydrogen, target, place))
            for first, second in definition.matched.bonds:
                fresh.addBond(heavy[first], heavy[second])
            named = zip(heavy, definition.matched.charges, strict=True)
            charges[residue.index] = {atom.name: charge for atom, charge in named if charge}
    _copy_bonds(topology, fresh, copies, by_index)
    radicals = sum(definition.matched.radicals for definition in definitions)
    return fresh, np.array(positions).reshape(-1, 3), FormalCharges(charges, radicals), _lines(definitions)


def unveil(topology: Any) -> None:
    """Give the residues of `with_definitions` their names back, in place."""
    for residue in topology.residues():
        residue.name = residue.name.removeprefix(_VEIL)


def _hydrogens(definition: Definition, places: np.ndarray) -> Iterator[tuple[int, str, np.ndarray]]:
    """Number of the heavy atom, name and position of each."""
    if definition.keeps_hydrogens:
        for parent, hydrogen in definition.hydrogens:
            yield parent, hydrogen.name, places[hydrogen.index]
        return
    names = [atom.name for atom in definition.heavy] + ["OXT"] * (definition.oxt is not None)
    used, counts = set(names), Counter[int]()
    for number, (parent, place) in enumerate(definition.matched.added, 1):
        counts[parent] += 1
        several = definition.matched.hydrogens[parent] > 1
        name = f"H{names[parent].lstrip('CNOSP') or names[parent][:1] * (names[parent] != 'N')}"
        name += str(counts[parent]) if several else ""
        if name in used or len(name) > 4:
            name = next(f"H{k}" for k in range(number, 1000) if f"H{k}" not in used)
        used.add(name)
        yield parent, name, np.asarray(place)


def _copy_bonds(topology: Any, fresh: Any, copies: Mapping[int, Any], definitions: Mapping[int, Definition]) -> None:
    """Bonds outside of defined residues, and theirs to others."""
    known = set[frozenset[int]]()

    def add(first: Any, second: Any) -> None:
        pair = frozenset((first.index, second.index))
        if pair not in known:
            known.add(pair)
            fresh.addBond(copies[first.index], copies[second.index])

    for first, second in topology.bonds():
        inside = first.residue.index == second.residue.index and first.residue.index in definitions
        if not inside and first.index in copies and second.index in copies:
            add(first, second)
    for definition in definitions.values():
        for own, other in definition.links:
            add(own, other)


def _lines(definitions: Sequence[Definition]) -> list[str]:
    groups: dict[tuple[str, int], list[Definition]] = defaultdict(list)
    for definition in definitions:
        groups[definition.residue.name, definition.matched.charge].append(definition)
    lines = []
    for (name, charge), members in groups.items():
        known = KNOWN_RESIDUES.get(name)
        title = f"{name} ({known.name})" if known else name
        kept = sum(definition.keeps_hydrogens for definition in members)
        anew = sum(bool(definition.hydrogens) for definition in members) - kept
        treatment = f"hydrogens of the file in {kept}, added in {len(members) - kept}"
        treatment += f", for {anew} of these instead of others in the file" if anew else ""
        lines.append(f"kept {len(members)} {title}, each of charge {charge:+d}: {treatment}")
    return lines

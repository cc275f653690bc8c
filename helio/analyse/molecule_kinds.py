"""Molecules of the same formula."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from helio.analyse.frames import Frames


@dataclass(frozen=True)
class MoleculeKind:
    """A formula in Hill's order, and the numbers of its molecules (`Frames.molecules`)."""

    formula: str
    molecules: np.ndarray


def molecule_kinds(frames: Frames) -> list[MoleculeKind]:
    """The kinds of molecules of which an atom is chosen, the most frequent first."""
    from ase.formula import Formula

    present = np.unique(frames.molecules[frames.atoms.ix])
    elements, inverse = np.unique(frames.atomic_numbers, return_inverse=True)
    content = np.zeros((frames.molecules.max() + 1, len(elements)), int)
    np.add.at(content, (frames.molecules, inverse), 1)
    rows, kinds = np.unique(content[present], axis=0, return_inverse=True)
    symbols = [_symbol(number) for number in elements]
    found = [
        MoleculeKind(
            Formula.from_dict({s: int(n) for s, n in zip(symbols, row, strict=True) if n}).format("hill"),
            present[kinds == number],
        )
        for number, row in enumerate(rows)
    ]
    return sorted(found, key=lambda kind: -len(kind.molecules))


def _symbol(number: int) -> str:
    from ase.data import chemical_symbols

    return chemical_symbols[number]

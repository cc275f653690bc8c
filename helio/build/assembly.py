"""Molecules with names put together into one system."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from ase import Atoms
from vesin import ase_neighbor_list

# Per-atom arrays of names, as ASE's reader of PDB files calls them; strings of at most four letters.
NAMES = ("atomtypes", "residuenames", "residuenumbers")
# Per-atom array of whole numbers: where the charge is written in formats that give it to atoms.
FORMAL_CHARGES = "formal_charges"


def label(atoms: Atoms, residue: str, names: Sequence[str] | None = None) -> Atoms:
    """Name the atoms, in place, as one residue; without `names` by element and number (C1, C2, H1)."""
    if names is None:
        counts: dict[str, int] = {}
        names = []
        for symbol in atoms.symbols:
            counts[symbol] = counts.get(symbol, 0) + 1
            names.append(f"{symbol}{counts[symbol]}"[:4])
    atoms.arrays["atomtypes"] = np.array(names, "U4")
    atoms.arrays["residuenames"] = np.full(len(atoms), residue, "U4")
    atoms.arrays["residuenumbers"] = np.ones(len(atoms), int)
    return atoms


def assemble(parts: Sequence[Atoms], cell: np.ndarray | None = None) -> Atoms:
    """One system of `parts`, in that order; the first part keeps its residues' numbers, the others count on.

    Args:
        parts: molecules with names, `info["charge"]` and `info["spin"]`, which are summed.
        cell: of a periodic system, A; (3,) edges or (3, 3) rows.
    """
    numbers, last = [], 0
    for part in parts:
        numbers.append(_consecutive(part) + last if numbers else part.arrays["residuenumbers"])
        last = int(numbers[-1].max())
    whole = Atoms(
        numbers=np.concatenate([part.numbers for part in parts]),
        positions=np.concatenate([part.positions for part in parts]),
        cell=cell,
        pbc=cell is not None,
        info={name: sum(int(part.info[name]) for part in parts) for name in ("charge", "spin")},
    )
    for name in ("atomtypes", "residuenames"):
        whole.arrays[name] = np.concatenate([part.arrays[name] for part in parts]).astype("U4")
    whole.arrays["residuenumbers"] = np.concatenate(numbers)
    whole.arrays[FORMAL_CHARGES] = np.concatenate([formal_charges(part) for part in parts])
    whole.arrays["chains"] = np.concatenate([chains(part) for part in parts])
    return whole


def chains(atoms: Atoms) -> np.ndarray:
    """The letter of each atom's chain, A where none is known."""
    return atoms.arrays.get("chains", np.full(len(atoms), "A", "U1"))


def formal_charges(atoms: Atoms) -> np.ndarray:
    """The formal charge of each atom, (N,); zero where none is known."""
    return atoms.arrays.get(FORMAL_CHARGES, np.zeros(len(atoms), int))


def _consecutive(part: Atoms) -> np.ndarray:
    """Numbers of the part's residues, counted from 1."""
    given = part.arrays["residuenumbers"]
    return 1 + np.concatenate([[0], np.cumsum(given[1:] != given[:-1])])


def molecule_numbers(parts: Sequence[Atoms]) -> np.ndarray:
    """For every atom of `assemble(parts)` the number of its part, (N,)."""
    return np.repeat(np.arange(len(parts)), [len(part) for part in parts])


def shortest_contact(atoms: Atoms, molecules: np.ndarray, reach: float = 3.0) -> float:
    """Shortest distance in A between atoms of different molecules, periodic images included.

    Args:
        atoms: whole molecules.
        molecules: the number of each atom's molecule, (N,).
        reach: no more than this is looked for; returned where nothing is nearer.
    """
    i, j, distances, shifts = ase_neighbor_list("ijdS", atoms, reach)
    apart = (molecules[i] != molecules[j]) | (shifts != 0).any(axis=1)
    return float(distances[apart].min(initial=reach))

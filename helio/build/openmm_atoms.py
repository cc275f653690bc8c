"""Between openmm's topologies and ASE's atoms."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
from ase import Atoms

from helio.build.assembly import FORMAL_CHARGES
from helio.errors import HelioError

# A; CRC Handbook of Chemistry and Physics, typical lengths in organic molecules.
_BOND_TO_HYDROGEN = {"C": 1.09, "N": 1.01, "O": 0.96, "S": 1.34}


def to_atoms(topology: Any, positions: Any, formal_charges: Mapping[int, int]) -> Atoms:
    """Atoms with names from an openmm `Topology` and positions with a unit; without charge, spin and cell.

    Args:
        topology: with elements.
        positions: with a unit.
        formal_charges: of the atoms that have one, by index.
    """
    from openmm import unit

    listed = list(topology.atoms())
    atoms = Atoms(
        numbers=[atom.element.atomic_number for atom in listed],
        positions=np.array(positions.value_in_unit(unit.angstrom), float).reshape(-1, 3),
    )
    atoms.arrays["atomtypes"] = np.array([atom.name for atom in listed], "U4")
    atoms.arrays["residuenames"] = np.array([atom.residue.name for atom in listed], "U4")
    atoms.arrays["residuenumbers"] = np.array([_number(atom.residue) for atom in listed])
    atoms.arrays["chains"] = np.array([(atom.residue.chain.id.strip() or "A")[0] for atom in listed], "U1")
    atoms.arrays[FORMAL_CHARGES] = np.array([formal_charges.get(index, 0) for index in range(len(atoms))])
    return atoms


def _number(residue: Any) -> int:
    """As in the file; residues that have none there, or letters, are counted."""
    return int(residue.id) if residue.id.lstrip("-").isdigit() else residue.index + 1


def add_hydrogens(topology: Any, positions: Any, *, ph: float, seed: int) -> tuple[Any, Any]:
    """The topology and positions with the hydrogens that belong there at a pH, by openmm's rules.

    Protonation follows from standard pKa values, for histidine also from its hydrogen bonds; cysteines that are
    bonded to each other keep none. Hydrogens that are there already stay.
    """
    from openmm import Platform, app

    model = app.Modeller(topology, positions)
    with _seeded(seed):
        try:
            model.addHydrogens(pH=ph, platform=Platform.getPlatformByName("Reference"))
        except ValueError as error:
            raise HelioError(f"hydrogens cannot be added: {error}") from error
    return model.topology, _with_usual_lengths(model.topology, model.positions)


def _with_usual_lengths(topology: Any, positions: Any) -> Any:
    """Positions with every bond to hydrogen that is off by more than 0.06 A set to its usual length.

    Without a force field openmm leaves the bonds of the hydrogens that it adds about 0.15 A too long.
    """
    from openmm import unit

    moved = np.array(positions.value_in_unit(unit.angstrom), float).reshape(-1, 3)
    for pair in topology.bonds():
        heavy, hydrogen = sorted(pair, key=lambda atom: atom.element.symbol == "H")
        usual = _BOND_TO_HYDROGEN.get(heavy.element.symbol)
        if hydrogen.element.symbol != "H" or usual is None:
            continue
        bond = moved[hydrogen.index] - moved[heavy.index]
        length = np.linalg.norm(bond)
        if abs(length - usual) > 0.06:
            moved[hydrogen.index] = moved[heavy.index] + bond * (usual / length)
    return moved * unit.angstrom


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Python's generator, which openmm draws from, seeded for a while."""
    before = random.getstate()
    random.seed(seed)
    try:
        yield
    finally:
        random.setstate(before)

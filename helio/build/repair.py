"""Structures from a protein data bank made complete: missing atoms, missing loops, hydrogens."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np

from helio.build.charge import broken_chains
from helio.build.elements import check_elements
from helio.build.openmm_atoms import add_hydrogens
from helio.errors import HelioError
from helio.packages import need


def complete_protein(
    path: str | Path, *, ph: float, drop: Collection[str] = (), seed: int = 0
) -> tuple[Any, Any, list[str]]:
    """Topology and positions of openmm with all atoms, and what was changed, in words.

    Missing heavy atoms and, where the file has SEQRES records, missing loops are built by pdbfixer (not missing tails);
    modified residues that it knows (MSE) become standard ones; hydrogens are added for the pH. Residues that openmm
    does not know stay as they are and must have their hydrogens.

    Args:
        path: PDB or PDBx/mmCIF file.
        ph: decides which residues are charged.
        drop: names of residues to leave out.
        seed: of the positions of new atoms.

    Raises:
        HelioError: for a file that cannot be read, elements that are not supported, broken chains, or a residue that
            is not known and has no hydrogens.
    """
    fixer = _read(Path(path))
    said = _drop(fixer, drop) + _standardise(fixer)
    check_elements(
        [atom.element.atomic_number if atom.element else 0 for atom in fixer.topology.atoms()],
        str(path),
        "leave the residues with them out with --drop NAME, or replace them",
    )
    said += _add_missing(fixer, seed)
    gaps = broken_chains(fixer.topology, _angstrom(fixer.positions))
    if gaps:
        raise HelioError(
            f"chains of {path} are broken between residues {', '.join(gaps)}: build the missing residues first "
            "(they are built here if the file lists them in SEQRES records)"
        )
    topology, positions = add_hydrogens(fixer.topology, fixer.positions, ph=ph, seed=seed)
    for residue in topology.residues():
        symbols = [atom.element.symbol for atom in residue.atoms()]
        if "C" in symbols and "H" not in symbols:
            raise HelioError(
                f"residue {residue.name} {residue.id} of {path} has no hydrogens, and where they belong is not known: "
                f"add them, or leave it out with --drop {residue.name}"
            )
    return topology, positions, said


def _read(path: Path) -> Any:
    need("openmm", "pdbfixer", extra="build")
    from openmm import Platform
    from pdbfixer import PDBFixer

    if not path.is_file():
        raise HelioError(f"there is no file {path}")
    if path.suffix.lower() not in (".pdb", ".ent", ".cif", ".pdbx", ".mmcif"):
        raise HelioError(f"{path} must be a .pdb or .cif file: residues are recognised by their names")
    kind = "pdbfile" if path.suffix.lower() in (".pdb", ".ent") else "pdbxfile"
    try:
        with open(path) as file:
            fixer = PDBFixer(**{kind: file}, platform=Platform.getPlatformByName("Reference"))
    except (ValueError, IndexError, KeyError, TypeError, AttributeError, AssertionError) as error:
        raise HelioError(f"{path} cannot be read as a protein structure ({type(error).__name__}: {error})") from error
    if fixer.topology.getNumAtoms() == 0:
        raise HelioError(f"{path} holds no atoms")
    return fixer


def _drop(fixer: Any, names: Collection[str]) -> list[str]:
    from openmm import app

    wanted = {name.strip().upper() for name in names if name.strip()}
    found = [residue for residue in fixer.topology.residues() if residue.name.upper() in wanted]
    absent = wanted - {residue.name.upper() for residue in found}
    if absent:
        there = sorted({residue.name for residue in fixer.topology.residues()})
        raise HelioError(f"--drop {','.join(sorted(absent))}: no such residues; there are {' '.join(there)}")
    if not found:
        return []
    model = app.Modeller(fixer.topology, fixer.positions)
    model.delete(found)
    if model.topology.getNumAtoms() == 0:
        raise HelioError(f"nothing is left without {','.join(sorted(wanted))}")
    fixer.topology, fixer.positions = model.topology, model.positions
    return [f"left out {len(found)} residues {' '.join(sorted(wanted))}"]


def _standardise(fixer: Any) -> list[str]:
    fixer.findNonstandardResidues()
    changes = sorted({f"{residue.name} to {name}" for residue, name in fixer.nonstandardResidues})
    fixer.replaceNonstandardResidues()
    return [f"changed {change}" for change in changes]


def _add_missing(fixer: Any, seed: int) -> list[str]:
    fixer.findMissingResidues()
    lengths = {chain.index: len(list(chain.residues())) for chain in fixer.topology.chains()}
    fixer.missingResidues = {
        (chain, at): names for (chain, at), names in fixer.missingResidues.items() if 0 < at < lengths[chain]
    }
    fixer.findMissingAtoms()
    loops = sum(map(len, fixer.missingResidues.values()))
    atoms = sum(map(len, [*fixer.missingAtoms.values(), *fixer.missingTerminals.values()]))
    fixer.addMissingAtoms(seed=seed + 1)
    return [f"built {count} missing {what}" for count, what in ((loops, "residues"), (atoms, "heavy atoms")) if count]


def _angstrom(positions: Any) -> np.ndarray:
    from openmm import unit

    return np.array(positions.value_in_unit(unit.angstrom), float).reshape(-1, 3)

"""Structures from a protein data bank made complete: missing atoms, missing loops, hydrogens.

A residue keeps its chemistry: none becomes another one unless that is asked for.
"""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from helio.build.charge import broken_chains, formal_charges, is_standard, standard_name
from helio.build.chemistry import Chemistry
from helio.build.defined_topology import unveil, with_definitions
from helio.build.elements import SUPPORTED
from helio.build.locations import single_locations
from helio.build.openmm_atoms import add_hydrogens
from helio.build.residues import define_residues
from helio.errors import HelioError, counted
from helio.files.regular_file import read_text, regular_file
from helio.packages import need

_PDB, _CIF = (".pdb", ".ent"), (".cif", ".pdbx", ".mmcif")
# Atoms that a standard residue may have besides those of pdbfixer's templates: at the ends of chains.
_END_ATOMS = frozenset({"OXT", "OP3", "H5T", "H3T"})
_VEIL = "?"  # before names of residues that pdbfixer would exchange
_MAX_BYTES = 2**30  # the largest entry of the Protein Data Bank has a quarter of this
_PARTIAL = 6  # names of atoms that a message lists


@dataclass(frozen=True)
class Repair:
    """How a file is understood and completed."""

    ph: float = 7.0
    chemistry: Mapping[str, Chemistry] = field(default_factory=dict)  # of residues, by name
    drop: Collection[str] = ()  # names of residues to leave out
    replace: Collection[str] = ()  # names of residues to replace by the standard ones that pdbfixer knows for them
    altloc: str | None = None  # as in `single_locations`
    frame: int = 0
    seed: int = 0  # of the positions of new atoms


@dataclass(frozen=True)
class CompleteStructure:
    """All atoms of a file."""

    topology: Any  # of openmm
    positions: Any  # with a unit
    formal_charges: Mapping[int, int]  # by index of atom
    unknown: Sequence[str]  # names of residues whose charge is not known
    unpaired_electrons: int
    waters: int  # that the file holds
    said: Sequence[str]  # what was done, in words


def complete_structure(path: str | Path, repair: Repair) -> CompleteStructure:
    """Topology and positions with all atoms.

    Missing heavy atoms and, where the file has SEQRES records, missing loops of standard residues are built by pdbfixer
    (not missing tails); hydrogens are added to standard residues by openmm, for the pH, and to others by the chemistry
    that is given or that Helio knows. Residues of which neither is known must have their hydrogens.

    Raises:
        HelioError: for a file that cannot be read, elements that are not supported, broken chains, or residues that
            would have to become others, or whose hydrogens are not known.
    """
    path = Path(path)
    fixer, said = _read(path, repair)
    said += _drop(fixer, repair.drop) + _rename(fixer)
    fixer.findNonstandardResidues()
    replaceable = _replaceable(fixer)
    said += _replace(fixer, repair.replace, replaceable)
    _check_elements(fixer, path, replaceable)
    _check_known_names(fixer, repair, path)
    waters = sum(residue.name == "HOH" for residue in fixer.topology.residues())
    said += _add_missing(fixer, repair.seed, path)
    places = _angstrom(fixer.positions)
    gaps = broken_chains(fixer.topology, places)
    if gaps:
        raise HelioError(
            f"chains of {path} are broken between residues {', '.join(gaps)}: build the missing residues first "
            "(they are built here if the file lists them in SEQRES records)"
        )
    definitions = define_residues(
        fixer.topology, places, repair.chemistry, ph=repair.ph, source=str(path), replaceable=replaceable
    )
    topology, places, charges, lines = with_definitions(fixer.topology, places, definitions)
    topology, positions = add_hydrogens(topology, _with_unit(places), ph=repair.ph, seed=repair.seed)
    unveil(topology)
    located, unknown = formal_charges(topology, charges.by_residue)
    return CompleteStructure(topology, positions, located, unknown, charges.radicals, waters, [*said, *lines])


def _read(path: Path, repair: Repair) -> tuple[Any, list[str]]:
    need("openmm", "pdbfixer", extra="build")
    from openmm import Platform
    from openmm.app.element import hydrogen
    from pdbfixer import PDBFixer

    regular_file(path)
    suffix = path.suffix.lower()
    if suffix not in (*_PDB, *_CIF):
        raise HelioError(f"{path} must be a .pdb or .cif file: residues are recognised by their names")
    text = read_text(path, "structure file", max_bytes=_MAX_BYTES)
    text, said = single_locations(text, cif=suffix in _CIF, source=str(path), altloc=repair.altloc, frame=repair.frame)
    kind = "pdbxfile" if suffix in _CIF else "pdbfile"
    try:
        fixer = PDBFixer(**{kind: io.StringIO(text)}, platform=Platform.getPlatformByName("Reference"))
    except Exception as error:  # pdbfixer raises bare `Exception`, and its parsers whatever a damaged line brings
        raise HelioError(f"{path} cannot be read as a protein structure ({type(error).__name__}: {error})") from error
    for atom in fixer.topology.atoms():
        if atom.element is not None and atom.element.atomic_number == 1:
            atom.element = hydrogen  # deuterium, which pdbfixer would take for a heavy atom
    return fixer, said


def _drop(fixer: Any, names: Collection[str]) -> list[str]:
    from openmm import app

    wanted = {name.strip().upper() for name in names if name.strip()}
    dropped = [residue for residue in fixer.topology.residues() if residue.name.upper() in wanted]
    absent = wanted - {residue.name.upper() for residue in dropped}
    if absent:
        raise HelioError(f"--drop {','.join(sorted(absent))}: no such residues; there are {_names(fixer)}")
    if not dropped:
        return []
    model = app.Modeller(fixer.topology, fixer.positions)
    model.delete(dropped)
    if model.topology.getNumAtoms() == 0:
        raise HelioError(f"nothing is left without {','.join(sorted(wanted))}")
    fixer.topology, fixer.positions = model.topology, model.positions
    return [f"left out {counted(len(dropped), 'residue')} {' '.join(sorted(wanted))}"]


def _names(fixer: Any) -> str:
    return " ".join(sorted({residue.name for residue in fixer.topology.residues()}))


def _rename(fixer: Any) -> list[str]:
    """Call residues that differ in protons alone by one name."""
    renamed = Counter[tuple[str, str]]()
    for residue in fixer.topology.residues():
        name = standard_name(residue.name)
        if name != residue.name:
            renamed[residue.name, name] += 1
            residue.name = name
    return [f"read {count} {old} as {new}, whose protons follow the pH" for (old, new), count in renamed.items()]


def _replaceable(fixer: Any) -> dict[str, str]:
    """Standard residues that pdbfixer or the file (MODRES) knows for others, by name, of the file or its sequence."""
    from pdbfixer.pdbfixer import substitutions

    listed = {name for sequence in fixer.sequences for name in sequence.residues if not is_standard(name)}
    in_file = {residue.name: name for residue, name in fixer.nonstandardResidues if residue.name != name}
    return {name: substitutions[name] for name in listed if name in substitutions} | in_file


def _replace(fixer: Any, names: Collection[str], replaceable: Mapping[str, str]) -> list[str]:
    wanted = {name.strip().upper() for name in names if name.strip()}
    unknown = wanted - replaceable.keys()
    if unknown:
        there = " ".join(f"{old} (by {new})" for old, new in sorted(replaceable.items())) or "none"
        raise HelioError(f"--replace-residues {','.join(sorted(unknown))}: those that can be replaced are {there}")
    fixer.nonstandardResidues = [pair for pair in fixer.nonstandardResidues if pair[0].name in wanted]
    counts = Counter((residue.name, name) for residue, name in fixer.nonstandardResidues)
    if counts:
        fixer.replaceNonstandardResidues()
    for sequence in fixer.sequences:
        sequence.residues = [replaceable[name] if name in wanted else name for name in sequence.residues]
    return [f"replaced {count} {old} by {new}: their chemistry is another now" for (old, new), count in counts.items()]


def _check_elements(fixer: Any, path: Path, replaceable: Mapping[str, str]) -> None:
    foreign, residues = Counter[str](), set[str]()
    for atom in fixer.topology.atoms():
        symbol = atom.element.symbol if atom.element else f"atoms of no known element ({atom.name})"
        if symbol not in SUPPORTED:
            foreign[symbol] += 1
            residues.add(atom.residue.name)
    if not foreign:
        return
    listed = ", ".join(f"{symbol} ({counted(count, 'atom')})" for symbol, count in foreign.items())
    advice = f"leave out residues with --drop {','.join(sorted(residues))}"
    changes = [name for name in sorted(residues) if name in replaceable]
    if changes:
        becoming = ", ".join(f"{name} becomes {replaceable[name]}" for name in changes)
        advice += f", or make others of them with --replace-residues {','.join(changes)} ({becoming})"
    raise HelioError(f"{path} holds {listed}, but only {' '.join(SUPPORTED)} are supported: {advice}")


def _check_known_names(fixer: Any, repair: Repair, path: Path) -> None:
    """Refuse residues with the name of a standard one and atoms that it has not."""
    for residue in fixer.topology.residues():
        template = fixer.templates.get(residue.name)
        if template is None or residue.name in repair.chemistry:
            continue
        usual = {atom.name for atom in template.topology.atoms()} | _END_ATOMS
        odd = [atom.name for atom in residue.atoms() if atom.element.symbol != "H" and atom.name not in usual]
        if odd:
            raise HelioError(
                f"residue {residue.name} {residue.chain.id} {residue.id} of {path} has atoms that {residue.name} has "
                f"not ({' '.join(odd[:_PARTIAL])}): if it is another residue, give it its own name, as SEP for a "
                f"phosphorylated SER; else tell what it is with --ligand {residue.name}=SMILES"
            )


def _add_missing(fixer: Any, seed: int, path: Path) -> list[str]:
    _find_missing_residues(fixer)
    lengths = {chain.index: len(list(chain.residues())) for chain in fixer.topology.chains()}
    fixer.missingResidues = {
        (chain, at): names for (chain, at), names in fixer.missingResidues.items() if 0 < at < lengths[chain]
    }
    listed = {name.removeprefix(_VEIL) for names in fixer.missingResidues.values() for name in names}
    unknown = sorted(name for name in listed if name not in fixer.templates)
    if unknown:
        raise HelioError(
            f"{path} lists residues {' '.join(unknown)} in loops that it does not place, and only standard residues "
            "can be built: build these loops with another program, or make standard residues of them with "
            f"--replace-residues {','.join(unknown)} where pdbfixer knows one"
        )
    fixer.findMissingAtoms()
    loops = sum(map(len, fixer.missingResidues.values()))
    atoms = sum(map(len, [*fixer.missingAtoms.values(), *fixer.missingTerminals.values()]))
    fixer.addMissingAtoms(seed=seed + 1)
    return [f"built {count} missing {what}" for count, what in ((loops, "residues"), (atoms, "heavy atoms")) if count]


def _find_missing_residues(fixer: Any) -> None:
    """As pdbfixer finds them, but a missing residue that is none of the standard ones keeps its name, veiled."""
    residues = list(fixer.topology.residues())

    def veiled(name: str) -> str:
        return name if is_standard(name) else _VEIL + name

    sequences = [sequence.residues for sequence in fixer.sequences]
    names = [residue.name for residue in residues]
    for sequence in fixer.sequences:
        sequence.residues = [veiled(name) for name in sequence.residues]
    for residue in residues:
        residue.name = veiled(residue.name)
    try:
        fixer.findMissingResidues()
    finally:
        for sequence, original in zip(fixer.sequences, sequences, strict=True):
            sequence.residues = original
        for residue, name in zip(residues, names, strict=True):
            residue.name = name


def _angstrom(positions: Any) -> np.ndarray:
    from openmm import unit

    return np.array(positions.value_in_unit(unit.angstrom), float).reshape(-1, 3)


def _with_unit(places: np.ndarray) -> Any:
    from openmm import unit

    return places * unit.angstrom

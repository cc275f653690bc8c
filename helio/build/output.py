"""Built systems as files."""

from __future__ import annotations

from pathlib import Path

from ase import Atoms

from helio.build.assembly import NAMES, chains
from helio.files.atomic import write_text
from helio.files.structures import check_writable, write_structure
from helio.system import System

# Residues that make up chains: ATOM records and a TER at the end, as the format wants it; all others are HETATM.
_POLYMERS = frozenset(
    "ALA ARG ASN ASP CYS GLN GLU GLY HIS ILE LEU LYS MET PHE PRO SER THR TRP TYR VAL ACE NME"
    " DA DC DG DT A C G U".split()
)


def write_built(path: str | Path, atoms: Atoms, *, overwrite: bool = False) -> None:
    """Write a built system in the format of the file's extension: all or nothing.

    Names of atoms and residues go into .pdb, .gro and .extxyz; the charge into .extxyz alone.

    Raises:
        HelioError: if the file exists and `overwrite` is not set, if the format is unknown, if the place cannot be
            written, or if charge and spin contradict the number of electrons.
    """
    System.from_ase(atoms)
    path = Path(path)
    check_writable(path, overwrite=overwrite)
    if path.suffix.lower() == ".pdb":
        write_text(path, pdb_text(atoms))
        return
    if path.suffix.lower() == ".xyz":  # plain columns; ASE would write every array
        atoms = Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=atoms.pbc, info=atoms.info)
    write_structure(path, atoms, overwrite=overwrite)


def pdb_text(atoms: Atoms) -> str:
    """The text of a PDB file, version 3.3, with the box in CRYST1 where there is one.

    Numbers of atoms and residues that outgrow their columns start again from zero.
    """
    lines = [f"REMARK   1 TOTAL CHARGE {atoms.info['charge']:+d}, UNPAIRED ELECTRONS {atoms.info['spin']:d}"]
    if atoms.pbc.any():
        a, b, c, alpha, beta, gamma = atoms.cell.cellpar()
        lines.append(f"CRYST1{a:9.3f}{b:9.3f}{c:9.3f}{alpha:7.2f}{beta:7.2f}{gamma:7.2f} P 1           1")
    rows = zip(atoms.symbols, atoms.positions, *(atoms.arrays[name] for name in NAMES), chains(atoms), strict=True)
    open_chain = None
    for serial, (symbol, (x, y, z), name, residue, number, chain) in enumerate(rows, 1):
        belongs = residue in _POLYMERS
        record = "ATOM" if belongs else "HETATM"
        if open_chain is not None and (not belongs or chain != open_chain):
            lines.append("TER")
        open_chain = chain if belongs else None
        name = name if len(name) > 3 or len(symbol) > 1 else f" {name}"
        lines.append(
            f"{record:6s}{serial % 100000:5d} {name:<4s} {residue:>3s} {chain}{number % 10000:4d}"
            f"    {x:8.3f}{y:8.3f}{z:8.3f}{1:6.2f}{0:6.2f}          {symbol.upper():>2s}"
        )
    return "\n".join([*lines, "END", ""])

"""Built systems as files."""

from __future__ import annotations

from pathlib import Path

from ase import Atoms

from helio.build.assembly import FORMAL_CHARGES, NAMES, chains, formal_charges
from helio.errors import HelioError
from helio.files.atomic import write_text
from helio.files.structures import check_writable, write_structure
from helio.system import System

# Residues that make up chains: ATOM records and a TER at the end, as the format wants it; all others are HETATM.
_POLYMERS = frozenset(
    "ALA ARG ASN ASP CYS GLN GLU GLY HIS ILE LEU LYS MET PHE PRO SER THR TRP TYR VAL ACE NME"
    " DA DC DG DT A C G U".split()
)

_MAX_SDF_ATOMS = 999
_WHOLE = (".extxyz", ".xyz", ".pdb")  # hold charge and unpaired electrons; PDB in a remark


def write_built(path: str | Path, atoms: Atoms, *, overwrite: bool = False) -> None:
    """Write a built system in the format of the file's extension: all or nothing.

    Names of atoms and residues go into .pdb, .gro and .extxyz; charge and unpaired electrons into .extxyz and .pdb, the
    charge into .sdf.

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
    if path.suffix.lower() == ".sdf":
        write_text(path, sdf_text(atoms))
        return
    if path.suffix.lower() == ".xyz":  # plain columns; ASE would write every array
        atoms = Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=atoms.pbc, info=atoms.info)
    elif FORMAL_CHARGES in atoms.arrays:
        atoms = atoms.copy()
        del atoms.arrays[FORMAL_CHARGES]
    write_structure(path, atoms, overwrite=overwrite)


def holds_charge(path: str | Path, atoms: Atoms) -> bool:
    """Whether `write_built` writes the charge of these atoms into a file of this name."""
    suffix = Path(path).suffix.lower()
    located = int(formal_charges(atoms).sum()) == atoms.info["charge"]
    return suffix in _WHOLE or (suffix == ".sdf" and located) or not atoms.info["charge"]


def holds_spin(path: str | Path, atoms: Atoms) -> bool:
    """Whether `write_built` writes the unpaired electrons of these atoms into a file of this name."""
    return Path(path).suffix.lower() in _WHOLE or not atoms.info["spin"]


def pdb_text(atoms: Atoms) -> str:
    """The text of a PDB file, version 3.3, with the box in CRYST1 where there is one and formal charges of atoms.

    Numbers of atoms and residues that outgrow their columns start again from zero.
    """
    lines = [f"REMARK   1 TOTAL CHARGE {atoms.info['charge']:+d}, UNPAIRED ELECTRONS {atoms.info['spin']:d}"]
    if atoms.pbc.any():
        a, b, c, alpha, beta, gamma = atoms.cell.cellpar()
        lines.append(f"CRYST1{a:9.3f}{b:9.3f}{c:9.3f}{alpha:7.2f}{beta:7.2f}{gamma:7.2f} P 1           1")
    names = (atoms.arrays[name] for name in NAMES)
    rows = zip(atoms.symbols, atoms.positions, *names, chains(atoms), formal_charges(atoms), strict=True)
    open_chain = None
    for serial, (symbol, (x, y, z), name, residue, number, chain, charge) in enumerate(rows, 1):
        belongs = residue in _POLYMERS
        record = "ATOM" if belongs else "HETATM"
        if open_chain is not None and (not belongs or chain != open_chain):
            lines.append("TER")
        open_chain = chain if belongs else None
        name = name if len(name) > 3 or len(symbol) > 1 else f" {name}"
        lines.append(
            f"{record:6s}{serial % 100000:5d} {name:<4s} {residue:>3s} {chain}{number % 10000:4d}"
            f"    {x:8.3f}{y:8.3f}{z:8.3f}{1:6.2f}{0:6.2f}          {symbol.upper():>2s}{_signed(charge)}"
        )
    return "\n".join([*lines, "END", ""])


def sdf_text(atoms: Atoms) -> str:
    """The text of an SDF file, version V2000, with formal charges in M  CHG; bonds are not written.

    Raises:
        HelioError: more atoms than the format has room for.
    """
    if len(atoms) > _MAX_SDF_ATOMS:
        raise HelioError(
            f"an .sdf file holds at most {_MAX_SDF_ATOMS} atoms, not {len(atoms):,}: build an .extxyz file"
        )
    rows = [
        f"{x:10.4f}{y:10.4f}{z:10.4f} {symbol:<3s} 0  0  0  0  0  0  0  0  0  0  0  0"
        for symbol, (x, y, z) in zip(atoms.symbols, atoms.positions, strict=True)
    ]
    charged = [f"{index + 1:4d}{charge:4d}" for index, charge in enumerate(formal_charges(atoms)) if charge]
    groups = [charged[start : start + 8] for start in range(0, len(charged), 8)]  # as many as a line may hold
    counts = f"{len(atoms):3d}  0  0  0  0  0  0  0  0  0999 V2000"
    charges = [f"M  CHG{len(group):3d}{''.join(group)}" for group in groups]
    return "\n".join(["", "  Helio", "", counts, *rows, *charges, "M  END", "$$$$", ""])


def _signed(charge: int) -> str:
    """As in columns 79 and 80: the size before the sign."""
    return f"{abs(charge)}{'+' if charge > 0 else '-'}" if charge else ""

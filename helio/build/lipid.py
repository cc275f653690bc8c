"""One lipid: from a file or a SMILES, with its head and the ends of its tails known, upright."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms

from helio.build.assembly import label
from helio.build.elements import check_elements
from helio.build.smiles import embedded, from_rdkit
from helio.errors import HelioError
from helio.files.structures import read_structure
from helio.packages import need

_MOLECULE_FILES = (".sdf", ".mol", ".mol2", ".pdb", ".xyz", ".extxyz")
# Assignments of double bonds that rdkit tries: a lipid needs few, polycyclic molecules can need years.
_ATTEMPTS = 20000
# A stretched chain is 1.25 A long per bond: bonds of 1.53 A at 112 degrees, less some play.
_RISE = 1.25
# The tails of one lipid are held within this distance (A) while it is stretched: chains in a membrane are 4.8 A apart.
_BESIDE = 6.0


@dataclass(frozen=True)
class Lipid:
    """A molecule whose head points along z, its tails to -z."""

    atoms: Atoms
    head: int  # index of the atom that marks the head
    tails: tuple[int, ...]  # indices of the last heavy atoms of the tails

    @property
    def length(self) -> float:
        """Height in A of the head above the mean of its tails."""
        z = self.atoms.positions[:, 2]
        return float(z[self.head] - z[list(self.tails)].mean())

    @property
    def mass_above_head(self) -> float:
        """In amu, of the atoms that stand higher than the one that marks the head."""
        z = self.atoms.positions[:, 2]
        return float(self.atoms.get_masses()[z > z[self.head]].sum())


def read_lipid(
    source: str, *, head: str | None = None, tails: Collection[str] = (), charge: int | None = None, seed: int = 0
) -> Lipid:
    """A lipid from a structure file of one molecule, else from a SMILES, then stretched.

    Args:
        source: path of a file (.pdb, .mol2, .sdf, .extxyz and others), or a SMILES.
        head: name or number (from 0) of the atom that marks the head; by default phosphorus, else the N or O that is
            most bonds away from any carbon.
        tails: names or numbers of the atoms at the ends of the tails; by default the ends of the chains that lead
            farthest from the head.
        charge: by default that of the SMILES or file, else 0.
        seed: of the conformer.

    Raises:
        HelioError: for a file or SMILES that cannot be read, more than one molecule, elements that are not supported,
            or names that no atom has.
    """
    is_file = Path(source).suffix.lower() in _MOLECULE_FILES or Path(source).exists()
    found, atoms = _from_file(Path(source), charge) if is_file else _from_smiles(source, seed)
    bonds = np.array(_chem().GetDistanceMatrix(found))
    mark = _head(atoms, bonds, head)
    ends = tuple(_named(atoms, name) for name in tails) or _tails(atoms, bonds, mark)
    if mark in ends:
        raise HelioError(f"the head of {source} is also an end of its tails: name others with --head and --tails")
    atoms.positions = _stretched(found, mark, ends, bonds)
    if charge is not None:
        atoms.info["charge"] = charge
    return Lipid(_upright(atoms, mark, ends), mark, ends)


def _chem() -> Any:
    need("rdkit", extra="build")
    from rdkit import Chem

    return Chem


def _from_smiles(smiles: str, seed: int) -> tuple[Any, Atoms]:
    found = embedded(smiles, seed=seed)
    return found, from_rdkit(found, "LIP")


def _from_file(path: Path, charge: int | None) -> tuple[Any, Atoms]:
    """The molecule of rdkit, with bonds, and its named atoms."""
    chem = _chem()
    from rdkit import rdBase

    if not path.is_file():
        raise HelioError(f"there is no file {path}")
    with rdBase.BlockLogs():
        if path.suffix.lower() in (".mol", ".sdf", ".mol2"):
            read = chem.MolFromMol2File if path.suffix.lower() == ".mol2" else chem.MolFromMolFile
            found = read(str(path), removeHs=False)
            if found is None or found.GetNumConformers() == 0:
                raise HelioError(f"{path} cannot be read as a molecule with coordinates")
            atoms = from_rdkit(found, "LIP")
        else:
            atoms = _named_atoms(path, charge)
            check_elements(atoms.numbers, str(path), "choose another lipid")
            found = _with_bonds(atoms, path)
    check_elements(atoms.numbers, str(path), "choose another lipid")
    _check_one_molecule(found, path)
    return found, atoms


def _check_one_molecule(found: Any, path: Path) -> None:
    pieces = len(_chem().GetMolFrags(found))
    if pieces != 1:
        raise HelioError(f"{path} holds {pieces} molecules: give a file with one lipid and nothing else")


def _named_atoms(path: Path, charge: int | None) -> Atoms:
    read = read_structure(path)
    info = {"charge": int(read.info.get("charge", 0)) if charge is None else charge, "spin": 0}
    names, residues = read.arrays.get("atomtypes"), read.arrays.get("residuenames")
    return label(
        Atoms(read.numbers, read.positions, info=info),
        "LIP" if residues is None else str(residues[0]).strip(),
        None if names is None else [str(name).strip() for name in names],
    )


def _with_bonds(atoms: Atoms, path: Path) -> Any:
    """A molecule of rdkit with the bonds that distances and the charge tell."""
    from rdkit.Chem import rdDetermineBonds

    rows = (
        f"{symbol} {x:.6f} {y:.6f} {z:.6f}" for symbol, (x, y, z) in zip(atoms.symbols, atoms.positions, strict=True)
    )
    found = _chem().MolFromXYZBlock("\n".join([str(len(atoms)), "", *rows]))
    rdDetermineBonds.DetermineConnectivity(found)
    _check_one_molecule(found, path)
    try:
        rdDetermineBonds.DetermineBondOrders(found, charge=atoms.info["charge"], maxIterations=_ATTEMPTS)
        _chem().SanitizeMol(found)
    except (ValueError, RuntimeError) as error:  # no molecule; too many attempts
        raise HelioError(
            f"the bonds of {path} make no molecule of charge {atoms.info['charge']:+d}: give the right --charge; "
            "all hydrogens must be there"
        ) from error
    return found


def _named(atoms: Atoms, name: str) -> int:
    names = [str(each) for each in atoms.arrays["atomtypes"]]
    if name in names:
        return names.index(name)
    if name.isdigit() and int(name) < len(atoms):
        return int(name)
    raise HelioError(f"the lipid has no atom {name!r}; its heavy atoms are {' '.join(n for n in names if n[0] != 'H')}")


def _head(atoms: Atoms, bonds: np.ndarray, name: str | None) -> int:
    if name is not None:
        return _named(atoms, name)
    carbons = np.flatnonzero(atoms.numbers == 6)
    candidates = np.flatnonzero(atoms.numbers == 15)
    if len(candidates) == 0:
        candidates = np.flatnonzero(np.isin(atoms.numbers, (7, 8)))
    if len(candidates) == 0 or len(carbons) == 0:
        raise HelioError(
            "the lipid has no P, N or O to mark its head, or no carbon: name atoms with --head and --tails"
        )
    return int(candidates[np.argmax(bonds[np.ix_(candidates, carbons)].max(axis=1))])


def _tails(atoms: Atoms, bonds: np.ndarray, head: int) -> tuple[int, ...]:
    """Carbons at the end of a chain that leads at least 0.6 times as far from the head as the longest one."""
    heavy = atoms.numbers > 1
    ends = (atoms.numbers == 6) & ((bonds[:, heavy] == 1).sum(axis=1) == 1)
    if not ends.any():
        ends = atoms.numbers == 6
    reach = np.where(ends, bonds[head], 0)
    return tuple(int(index) for index in np.flatnonzero(reach >= 0.6 * reach.max()))


def _stretched(found: Any, head: int, tails: tuple[int, ...], bonds: np.ndarray) -> np.ndarray:
    """Positions (N, 3) after a relaxation by MMFF94 or UFF in which the tails are drawn from the head, together."""
    from rdkit.Chem import rdForceFieldHelpers as fields

    if fields.MMFFHasAllMoleculeParams(found):
        properties = fields.MMFFGetMoleculeProperties(found)
        field = fields.MMFFGetMoleculeForceField(found, properties)
        add = field.MMFFAddDistanceConstraint
    else:
        field = fields.UFFGetMoleculeForceField(found)
        add = field.UFFAddDistanceConstraint
    field.Initialize()
    for tail in tails:
        add(head, tail, False, _RISE * bonds[head, tail] * 0.95, 1000.0, 20.0)
    for index, first in enumerate(tails):
        for second in tails[index + 1 :]:
            slack = _RISE * abs(bonds[head, first] - bonds[head, second])
            add(first, second, False, 4.0, _BESIDE + slack, 20.0)
    for _ in range(20):
        if field.Minimize(maxIts=500) == 0:
            break
    return np.array(found.GetConformer().GetPositions())


def _upright(atoms: Atoms, head: int, tails: tuple[int, ...]) -> Atoms:
    """Turned, in place: the way from the tails to the head is z, the ends of the tails lie about the origin."""
    middle = atoms.positions[list(tails)].mean(axis=0)
    atoms.positions -= middle
    atoms.rotate(atoms.positions[head].copy(), "z", center=(0, 0, 0))
    return atoms

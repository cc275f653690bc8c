"""Molecules and liquids from SMILES."""

from __future__ import annotations

from typing import Any

import numpy as np
from ase import Atoms

from helio.build.assembly import FORMAL_CHARGES, label
from helio.build.elements import check_elements
from helio.build.packing import Group, cube_for, pack
from helio.errors import HelioError, excerpt
from helio.packages import need

# Distance geometry takes memory that grows with the square of the atoms, 2 GB here, and time with the cube.
_MAX_HEAVY_ATOMS = 1000


def molecule(smiles: str, *, seed: int = 0) -> Atoms:
    """One molecule with all hydrogens, not periodic: an ETKDG conformer of rdkit, relaxed by its MMFF94 or UFF.

    The charge is the sum of formal charges, the spin the number of radical electrons.

    Raises:
        HelioError: for a SMILES that cannot be read or embedded, or elements that are not supported.
    """
    found = embedded(smiles, seed=seed)
    return from_rdkit(found, "MOL")


def liquid(smiles: str, copies: int, *, density: float, seed: int = 0) -> Atoms:
    """A periodic cube of `copies` equal molecules at a density in g/cm3; charges and spins add up.

    Raises:
        HelioError: as `molecule`, or if the molecules do not fit.
    """
    if copies < 1:
        raise HelioError(f"a liquid needs at least one molecule, not {copies}")
    one = molecule(smiles, seed=seed)
    return pack([Group(one, copies)], cube_for(copies * one.get_masses().sum(), density), seed=seed)


def embedded(smiles: str, *, seed: int) -> Any:
    """An rdkit molecule with hydrogens and one relaxed conformer; raises as `molecule` does."""
    need("rdkit", extra="build")
    from rdkit import Chem, rdBase

    with rdBase.BlockLogs():
        parsed = Chem.MolFromSmiles(smiles)
    if parsed is None or parsed.GetNumAtoms() == 0:
        raise HelioError(f"{excerpt(smiles)} is no SMILES that rdkit can read: check brackets, rings and valences")
    name = f"the SMILES {excerpt(smiles)}"
    if parsed.GetNumAtoms() > _MAX_HEAVY_ATOMS:
        raise HelioError(
            f"{name} has {parsed.GetNumAtoms():,} heavy atoms, and conformers are built of {_MAX_HEAVY_ATOMS} at most: "
            "give a smaller molecule, or build it of parts"
        )
    check_elements((atom.GetAtomicNum() for atom in parsed.GetAtoms()), name, "choose another")
    whole = Chem.AddHs(parsed)
    with rdBase.BlockLogs():  # rdkit reports every atom that its force fields have no exact type for
        found = _with_conformer(whole, seed)
    if not found:
        raise HelioError(f"rdkit finds no conformer of {excerpt(smiles)}: try another --seed, or give a structure file")
    return whole


def _with_conformer(whole: Any, seed: int) -> bool:
    """Give an rdkit molecule a relaxed conformer; False where none is found."""
    from rdkit.Chem import rdDistGeom
    from rdkit.Chem import rdForceFieldHelpers as fields

    settings = rdDistGeom.ETKDGv3()
    settings.randomSeed = seed + 1
    if rdDistGeom.EmbedMolecule(whole, settings) != 0:
        settings.useRandomCoords = True
        if rdDistGeom.EmbedMolecule(whole, settings) != 0:
            return False
    if fields.MMFFHasAllMoleculeParams(whole):
        fields.MMFFOptimizeMolecule(whole, maxIters=2000)
    elif fields.UFFHasAllMoleculeParams(whole):
        fields.UFFOptimizeMolecule(whole, maxIters=2000)
    return True


def from_rdkit(found: Any, residue: str) -> Atoms:
    """Named atoms of an rdkit molecule with a conformer."""
    from rdkit import Chem

    atoms = Atoms(
        [atom.GetSymbol() for atom in found.GetAtoms()],
        np.array(found.GetConformer().GetPositions()),
        info={
            "charge": Chem.GetFormalCharge(found),
            "spin": sum(atom.GetNumRadicalElectrons() for atom in found.GetAtoms()),
        },
    )
    atoms.arrays[FORMAL_CHARGES] = np.array([atom.GetFormalCharge() for atom in found.GetAtoms()], int)
    return label(atoms, residue)

"""Molecules and liquids from SMILES."""

from __future__ import annotations

from typing import Any

import numpy as np
from ase import Atoms

from helio.build.assembly import label
from helio.build.elements import check_elements
from helio.build.packing import Group, cube_for, pack
from helio.errors import HelioError
from helio.packages import need


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
        raise HelioError(f"{smiles!r} is no SMILES that rdkit can read: check brackets, rings and valences")
    check_elements((atom.GetAtomicNum() for atom in parsed.GetAtoms()), f"the SMILES {smiles}", "choose another")
    whole = Chem.AddHs(parsed)
    with rdBase.BlockLogs():  # rdkit reports every atom that its force fields have no exact type for
        found = _with_conformer(whole, seed)
    if not found:
        raise HelioError(f"rdkit finds no conformer of {smiles}: try another --seed, or give a structure file")
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
    return label(atoms, residue)

"""The starts of each part of a recipe; the n-th depends on the seed, the part's name and n alone."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
from ase import Atoms

from helio.build import liquid, molecule, water_box
from helio.datasets import read_labelled
from helio.datasets.structure import LabelledStructure
from helio.distillation.cutting import fragment_molecules, spheres
from helio.distillation.enumeration import enumerated
from helio.distillation.placement import cluster
from helio.distillation.recipe import Boxes, Chains, Clusters, Files, Fragments, Molecules, Part, drawn
from helio.distillation.sequences import random_sequence, smiles_of
from helio.distillation.starts import Start, Starts, generator, seed_of
from helio.errors import HelioError
from helio.files.regular_file import read_text
from helio.packages import need

WATER = "O"
# Random sequences that are tried to find one that is not too charged.
_TRIES = 1000


def starts_of(part: Part, name: str, *, seed: int, elements: Sequence[int]) -> Starts:
    """The starts of a part.

    Args:
        part: of a recipe.
        name: its name, which random numbers depend on.
        seed: of the recipe.
        elements: that the teacher knows; files and lists of SMILES are searched for molecules of these alone.

    Raises:
        HelioError: files that cannot be read, or nothing that fits.
    """
    if isinstance(part, Files):
        return _from_files(part, name, seed, elements)
    if isinstance(part, Molecules):
        return _conformers(molecules_of(part, name, seed, elements), part.conformers, name, seed)
    if isinstance(part, Chains):
        return _conformers(_chains(part, name, seed), part.conformers, name, seed)
    if isinstance(part, Clusters):
        return _clusters(part, name, seed, elements)
    if isinstance(part, Fragments):
        if part.way == "bottom-up":
            return _conformers(fragment_molecules(part, name, seed, elements), part.conformers, name, seed)
        return spheres(part, name, seed, elements)
    return _boxes(part, name, seed)


def molecules_of(part: Molecules | Clusters, name: str, seed: int, elements: Sequence[int]) -> list[str]:
    """The SMILES of a part, canonical, each once."""
    listed = list(part.smiles)
    if part.smiles_file is not None:
        lines = read_text(part.smiles_file, "file of SMILES", max_bytes=2**28).splitlines()
        listed += [line.split()[0] for line in lines if line.strip()]
    known = {smiles: None for smiles in map(_canonical, listed) if _fits(smiles, part, elements)}
    if part.enumerated:
        made = enumerated(
            part.enumerated, seed=seed_of(seed, name), most_charge=part.most_charge, heavy_atoms=part.heavy_atoms
        )
        known |= dict.fromkeys(made)
    if not known:
        raise HelioError(f"no molecule of the part {name} has the elements, size and charge that are asked for")
    return list(known)


def _canonical(smiles: str) -> str:
    need("rdkit", extra="build")
    from rdkit import Chem, rdBase

    with rdBase.BlockLogs():
        parsed = Chem.MolFromSmiles(smiles)
    if parsed is None or parsed.GetNumAtoms() == 0:
        raise HelioError(f"{smiles!r} is no SMILES that rdkit can read: check brackets, rings and valences")
    return Chem.MolToSmiles(parsed)


def _fits(smiles: str, part: Molecules | Clusters, elements: Sequence[int]) -> bool:
    from rdkit import Chem

    parsed = Chem.MolFromSmiles(smiles)
    return (
        {atom.GetAtomicNum() for atom in parsed.GetAtoms()} <= {*elements}
        and part.heavy_atoms[0] <= parsed.GetNumHeavyAtoms() <= part.heavy_atoms[1]
        and abs(Chem.GetFormalCharge(parsed)) <= part.most_charge
    )


def _conformers(smiles: Sequence[str], each: int, name: str, seed: int) -> Starts:
    def make(number: int) -> Start:
        one = smiles[number // each]
        return Start(_built(one, seed_of(seed, name, number)), one)

    return Starts(len(smiles) * each, make)


def _built(smiles: str, seed: int) -> Atoms:
    """One conformer, without what rdkit says about atoms that its force fields do not know."""
    need("rdkit", extra="build")
    from rdkit import rdBase

    with rdBase.BlockLogs():
        return molecule(smiles, seed=seed)


def _chains(part: Chains, name: str, seed: int) -> list[str]:
    need("rdkit", extra="build")
    from rdkit import Chem

    found = [_canonical(smiles_of(part.chain, sequence)) for sequence in part.sequences]
    rng = generator(seed, name, "sequences")
    for _ in range(part.random * _TRIES):
        if len(found) >= len(part.sequences) + part.random:
            break
        smiles = _canonical(smiles_of(part.chain, random_sequence(part.chain, drawn(rng, part.lengths), rng)))
        if smiles not in found and abs(Chem.GetFormalCharge(Chem.MolFromSmiles(smiles))) <= part.most_charge:
            found.append(smiles)
    if len(found) < len(part.sequences) + part.random:
        raise HelioError(f"the part {name} has fewer than {part.random} different sequences of that length and charge")
    return found


def _clusters(part: Clusters, name: str, seed: int, elements: Sequence[int]) -> Starts:
    smiles = molecules_of(part, name, seed, elements)

    @cache
    def monomer(one: str, conformer: int) -> Atoms:
        return _built(one, seed_of(seed, name, "monomer", one, conformer))

    def make(number: int) -> Start:
        rng = generator(seed, name, number)
        chosen = [str(one) for one in rng.choice(smiles, size=drawn(rng, part.molecules))]
        chosen += [part.solvent] * drawn(rng, part.solvent_molecules)
        if not chosen:
            raise HelioError("a cluster of no molecules")
        parts = [monomer(one, int(rng.integers(3))) for one in chosen]
        return Start(cluster(parts, rng, gaps=part.gaps), ".".join(sorted(chosen)))

    return Starts(part.count, make)


def _boxes(part: Boxes, name: str, seed: int) -> Starts:
    def make(number: int) -> Start:
        rng = generator(seed, name, number)
        count, density = drawn(rng, part.molecules), float(rng.uniform(*part.densities))
        own = int(rng.integers(2**31 - 1))
        if part.smiles == WATER:
            box = water_box(count, density=density, seed=own)
        else:
            box = liquid(part.smiles, count, density=density, seed=own)
        return Start(box, f"{name} {number}")

    return Starts(part.count, make)


def _from_files(part: Files, name: str, seed: int, elements: Sequence[int]) -> Starts:
    """All fitting geometries are held in memory."""
    found: list[LabelledStructure] = []
    for path in map(Path, part.paths):
        for structure in read_labelled(path):
            small = len(structure.atomic_numbers) <= part.most_atoms
            if small and structure.problem is None and set(structure.atomic_numbers.tolist()) <= set(elements):
                found.append(structure)
    if not found:
        raise HelioError(f"no structure in the files of the part {name} has elements of the teacher alone")
    order = generator(seed, name).permutation(len(found))
    chosen = np.sort(order[: part.count or len(order)])

    def make(number: int) -> Start:
        return _given(found[chosen[number]])

    return Starts(len(chosen), make)


def _given(structure: LabelledStructure) -> Start:
    atoms = Atoms(structure.atomic_numbers, structure.positions, cell=structure.cell, pbc=structure.pbc)
    charge = int(structure.charge or 0)
    spin = structure.unpaired_electrons
    atoms.info["charge"] = charge
    atoms.info["spin"] = int(atoms.numbers.sum() - charge) % 2 if spin is None else int(spin)
    return Start(atoms, f"{atoms.get_chemical_formula()} {charge:+d}")

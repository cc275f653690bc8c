"""Proteins and other solutes in a box of water."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from math import isfinite
from pathlib import Path
from types import MappingProxyType
from typing import Literal

import numpy as np
from ase import Atoms

from helio.build.chemistry import read_chemistry
from helio.build.openmm_atoms import to_atoms
from helio.build.repair import CompleteStructure, Repair, complete_structure
from helio.build.solvent import SOLUTE_VOLUME, WATER_VOLUME, ammonium, chloride, surrounded
from helio.errors import HelioError, counted

CounterIons = Literal["chloride", "any", "none"]
Shape = Literal["cube", "box"]
ExistingWater = Literal["keep", "drop", "only"]
# A file whose waters take more than this share of the box about its atoms, beside the solute, is solvated; the ordered
# waters of a crystal take a tenth to a third.
_FULL = 0.5


def solvate(
    path: str | Path,
    *,
    padding: float = 10.0,
    ph: float = 7.0,
    charge: int | None = None,
    counter_ions: CounterIons = "chloride",
    shape: Shape = "cube",
    drop: Collection[str] = (),
    ligands: Mapping[str, str] = MappingProxyType({}),
    replace: Collection[str] = (),
    altloc: str | None = None,
    frame: int = 0,
    existing_water: ExistingWater | None = None,
    seed: int = 0,
    report: Callable[[str], None] = lambda text: None,
) -> Atoms:
    """A solute from a PDB or mmCIF file with all its atoms, in a periodic box of water.

    Args:
        path: of the solute; chloride in the file stays.
        padding: least distance from the solute to the faces of the box, A.
        ph: decides which residues are charged.
        charge: of the solute; by default counted, for amino acids, nucleotides, caps, water and chloride, and for
            residues whose chemistry is known.
        counter_ions: what makes the box neutral: "chloride" for a positive solute (a negative one is an error),
            "any" to use ammonium for a negative one, "none" to keep the charge. Sodium and potassium are not among the
            elements of the model.
        shape: "cube" has room for the solute in any orientation, "box" only as it lies.
        drop: names of residues to leave out.
        ligands: chemistry of residues by name: SMILES, or path of an .sdf, .mol or .mol2 file.
        replace: names of modified residues to replace by the standard ones.
        altloc: letter of the alternate locations to take; by default those with the largest occupancy.
        frame: number of the model of the file, from 0.
        existing_water: "keep" the water of the file as part of the solute, "drop" it, or take the file as a box that is
            solvated already ("only": no water and no ions are added, the cell is that of the file). By default water is
            kept, and a file that is full of water is an error.
        seed: of new atoms' and ions' places.
        report: is told what was done, in words.

    Raises:
        HelioError: for what `complete_structure` refuses, a charge that is not known or cannot be neutralised, or a
            file that is solvated already.
    """
    if not 0 < padding < float("inf"):
        raise HelioError(f"the padding must be a finite length above zero, not {padding:g} A")
    if not isfinite(ph):
        raise HelioError(f"the pH must be a finite number, not {ph}")
    chemistry = {name.upper(): read_chemistry(source) for name, source in ligands.items()}
    dropped = (*drop, "HOH") if existing_water == "drop" else tuple(drop)
    structure = complete_structure(path, Repair(ph, chemistry, dropped, replace, altloc, frame, seed))
    for line in structure.said:
        report(line)
    solute = to_atoms(structure.topology, structure.positions, structure.formal_charges)
    solute.info = {"charge": _charge(structure, charge, path), "spin": structure.unpaired_electrons}
    report(f"the solute has {counted(len(solute), 'atom')} and charge {solute.info['charge']:+d}")
    if existing_water == "only":
        return _as_box(solute, structure, path, report)
    _check_not_solvated(solute, structure, existing_water, path)
    if structure.waters:
        report(
            f"kept {counted(structure.waters, 'water')} of the file, beside those that are added (--existing-water "
            "drop: none)"
        )
    ion = _counter_ion(solute.info["charge"], counter_ions)

    edges = _edges(solute, padding, shape)
    solute.positions += edges / 2 - (solute.positions.max(axis=0) + solute.positions.min(axis=0)) / 2
    count = abs(solute.info["charge"]) if ion else 0
    solution = surrounded(solute, ion or chloride(), count, edges, seed=seed)
    waters = (len(solution) - len(solute) - count * len(ion or [])) // 3
    report(
        f"added {counted(waters, 'water')} and {counted(count, 'ion')} in a box of "
        f"{' x '.join(f'{edge:.1f}' for edge in edges)} A"
    )
    return solution


def _as_box(solute: Atoms, structure: CompleteStructure, path: str | Path, report: Callable[[str], None]) -> Atoms:
    """The file as it is, periodic."""
    from openmm import unit

    vectors = structure.topology.getPeriodicBoxVectors()
    if vectors is None:
        raise HelioError(
            f"{path} has no cell (CRYST1), so its water fills no known box: use --existing-water keep or drop"
        )
    solute.set_cell(np.array(vectors.value_in_unit(unit.angstrom), float))
    solute.pbc = True
    report(f"took the {counted(structure.waters, 'water')} and the cell of the file; no water and no ions were added")
    return solute


def _check_not_solvated(
    solute: Atoms, structure: CompleteStructure, wanted: ExistingWater | None, path: str | Path
) -> None:
    """Raise `HelioError` where the file's water fills its box, and what to do with it was not said."""
    if wanted is not None or not structure.waters:
        return
    is_water = solute.arrays["residuenames"] == "HOH"
    room = float(np.prod(np.ptp(solute.positions, axis=0)))
    room -= SOLUTE_VOLUME * float(solute.get_masses()[~is_water].sum())
    filled = structure.waters * WATER_VOLUME
    if filled > _FULL * room:
        raise HelioError(
            f"{path} holds {counted(structure.waters, 'water')}, which fill the space about the solute: it is "
            "solvated already. "
            "Choose --existing-water only (the box as it is), drop (new water instead) or keep (more water about it)"
        )


def _charge(structure: CompleteStructure, given: int | None, path: str | Path) -> int:
    counted, unknown = sum(structure.formal_charges.values()), structure.unknown
    if given is not None:
        return given
    if unknown:
        options = " ".join(f"--ligand {name}=SMILES" for name in unknown)
        raise HelioError(
            f"the charge of {' '.join(unknown)} in {path} is not known: give their chemistry with {options} (or "
            f"NAME=FILE.sdf), or the charge of the whole solute with --charge (all else in it has {counted:+d}), or "
            f"leave them out with --drop {','.join(unknown)}"
        )
    return counted


def _counter_ion(charge: int, wanted: CounterIons) -> Atoms | None:
    if charge == 0 or wanted == "none":
        return None
    if charge > 0:
        return chloride()
    if wanted == "any":
        return ammonium()
    raise HelioError(
        f"the solute has charge {charge:+d}, and sodium or potassium ions are not among the elements of the model: "
        "neutralise it with ammonium (--counter-ions any), choose another --ph, or keep the charge "
        "(--counter-ions none)"
    )


def _edges(solute: Atoms, padding: float, shape: Shape) -> np.ndarray:
    extent = np.ptp(solute.positions, axis=0)
    if shape == "cube":
        centre = (solute.positions.max(axis=0) + solute.positions.min(axis=0)) / 2
        extent = np.full(3, 2 * np.linalg.norm(solute.positions - centre, axis=1).max())
    return extent + 2 * padding

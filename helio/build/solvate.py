"""Proteins and other solutes in a box of water."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, Literal

import numpy as np
from ase import Atoms

from helio.build.charge import net_charge
from helio.build.openmm_atoms import to_atoms
from helio.build.repair import complete_protein
from helio.build.solvent import ammonium, chloride, surrounded
from helio.errors import HelioError

CounterIons = Literal["chloride", "any", "none"]
Shape = Literal["cube", "box"]


def solvate(
    path: str | Path,
    *,
    padding: float = 10.0,
    ph: float = 7.0,
    charge: int | None = None,
    counter_ions: CounterIons = "chloride",
    shape: Shape = "cube",
    drop: Collection[str] = (),
    seed: int = 0,
    report: Callable[[str], None] = lambda text: None,
) -> Atoms:
    """A solute from a PDB or mmCIF file with all its atoms, in a periodic box of water.

    Args:
        path: of the solute; water and chloride in the file stay.
        padding: least distance from the solute to the faces of the box, A.
        ph: decides which residues are charged.
        charge: of the solute; by default counted, for amino acids, nucleotides, caps, water and chloride.
        counter_ions: what makes the box neutral: "chloride" for a positive solute (a negative one is an error),
            "any" to use ammonium for a negative one, "none" to keep the charge. Sodium and potassium are not among the
            elements of the model.
        shape: "cube" has room for the solute in any orientation, "box" only as it lies.
        drop: names of residues to leave out.
        seed: of new atoms' and ions' places.
        report: is told what was done, in words.

    Raises:
        HelioError: for what `complete_protein` refuses, for a charge that is not known or cannot be neutralised.
    """
    if not padding > 0:
        raise HelioError(f"the padding must be above zero, not {padding:g} A")
    topology, positions, said = complete_protein(path, ph=ph, drop=drop, seed=seed)
    for line in said:
        report(line)
    solute = to_atoms(topology, positions)
    solute.info = {"charge": _charge(topology, charge, path), "spin": 0}
    report(f"the solute has {len(solute)} atoms and charge {solute.info['charge']:+d}")
    ion = _counter_ion(solute.info["charge"], counter_ions)

    edges = _edges(solute, padding, shape)
    solute.positions += edges / 2 - (solute.positions.max(axis=0) + solute.positions.min(axis=0)) / 2
    count = abs(solute.info["charge"]) if ion else 0
    whole = surrounded(solute, ion or chloride(), count, edges, seed=seed)
    waters = (len(whole) - len(solute) - count * len(ion or [])) // 3
    report(f"added {waters} waters and {count} ions in a box of {' x '.join(f'{edge:.1f}' for edge in edges)} A")
    return whole


def _charge(topology: Any, given: int | None, path: str | Path) -> int:
    counted, unknown = net_charge(topology)
    if given is not None:
        return given
    if unknown:
        raise HelioError(
            f"the charge of {' '.join(unknown)} in {path} is not known: give the charge of the whole solute "
            f"with --charge (all else in it has {counted:+d}), or leave them out with --drop {','.join(unknown)}"
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

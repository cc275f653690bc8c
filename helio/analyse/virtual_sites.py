"""Trajectories of other programs without their virtual sites: charges beside atoms, lone pairs, dummies.

Such sites (M of TIP4P, EP, LP, DUM) stand for no nucleus. Analyses know atoms alone, so they are taken out of the
universe of MDAnalysis and of every frame, and the user is told which.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import numpy as np
from jaxtyping import Bool, Int
from MDAnalysis.coordinates.base import ReaderBase

# Names of virtual sites in the force fields of GROMACS, Amber, CHARMM, OPLS and in files with dummy atoms.
_NAME = re.compile(r"(MW|MW?\d|EP\w?\d?|EPW|LP\w?\d?|LPW|DUM\w*|DU\d*|VS\w?\d?|XX?\d*|IW)", re.IGNORECASE)
_TYPE = re.compile(r"(DUM\w*|MNH3|MCH3\w?|MW|EP|LP|VS\w*|IW)", re.IGNORECASE)
_WATER = frozenset("HOH WAT SOL H2O TIP TIP4 TP4 T4P T4E TIP5 T5P OPC SPCE".split())


def virtual_sites(universe: Any) -> Bool[np.ndarray, " N"]:
    """True for sites of a universe that are no atoms, by their names and types, and by the name M in water."""
    atoms = universe.atoms
    blank = np.full(len(atoms), "", object)
    names = np.asarray(getattr(atoms, "names", blank)).astype(str)
    types = np.asarray(getattr(atoms, "types", blank)).astype(str)
    residues = np.asarray(getattr(atoms, "resnames", blank)).astype(str)
    elements = np.asarray(getattr(atoms, "elements", blank)).astype(str)
    named = np.array([bool(_NAME.fullmatch(name)) for name in names])
    typed = np.array([bool(_TYPE.fullmatch(kind)) for kind in types])
    in_water = np.isin(np.char.upper(residues), list(_WATER)) & np.isin(np.char.upper(names), ["M", "MW", "EPW", "LP"])
    unknown = np.char.strip(elements) == ""
    return (named & (typed | unknown)) | (in_water & unknown) | (typed & unknown)


def without_sites(universe: Any, sites: Bool[np.ndarray, " N"]) -> tuple[Any, str]:
    """A universe of the real atoms, whose trajectory reads the same frames, and a sentence on what was left out."""
    import MDAnalysis

    names = Counter(np.asarray(universe.atoms.names)[sites].tolist())
    listed = ", ".join(f"{count:,} {name}" for name, count in names.most_common(4))
    real = np.flatnonzero(~sites)
    reduced = MDAnalysis.Merge(universe.atoms[real])
    reduced.trajectory = _RealAtoms(universe.trajectory, real)
    return reduced, f"{int(sites.sum()):,} virtual sites are left out ({listed}): they are no atoms"


class _RealAtoms(ReaderBase):
    """Frames of another reader with some of its atoms."""

    format = "HELIO-REAL"

    def __init__(self, reader: Any, real: Int[np.ndarray, " n"]) -> None:
        self.reader, self._real = reader, real
        self.units = reader.units
        self.n_atoms = len(real)
        first = reader[0]
        super().__init__(str(getattr(reader, "filename", "")))
        self.ts = self._Timestep(self.n_atoms, velocities=first.has_velocities, forces=first.has_forces)
        self._fill(first)

    @property
    def n_frames(self) -> int:
        """Number of frames."""
        return self.reader.n_frames

    @property
    def dt(self) -> float:
        """Time between frames in ps."""
        return self.reader.dt

    def _fill(self, source: Any) -> Any:
        ts = self.ts
        ts.frame, ts.time, ts.dimensions = source.frame, source.time, source.dimensions
        ts.positions = source.positions[self._real]
        if source.has_velocities:
            ts.velocities = source.velocities[self._real]
        if source.has_forces:
            ts.forces = source.forces[self._real]
        return ts

    def _read_frame(self, frame: int) -> Any:
        return self._fill(self.reader[frame])

    def _read_next_timestep(self, ts: Any = None) -> Any:
        following = self.ts.frame + 1
        if following >= self.n_frames:
            raise OSError("beyond the last frame")  # what MDAnalysis expects of a reader
        return self._read_frame(following)

    def _reopen(self) -> None:
        self.ts.frame = -1

    def close(self) -> None:
        """Close the other reader."""
        self.reader.close()

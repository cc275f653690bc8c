"""A run's trajectory in the formats of other programs, frame by frame."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import IO, Any, Literal, cast

import ase.io
import ase.units
import numpy as np
from ase import Atoms
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from helio.errors import HelioError
from helio.files.atomic import atomic_path
from helio.files.orientation import in_standard_orientation, stated_cell
from helio.files.pdb import totals_remark
from helio.files.regular_file import read_text
from helio.files.run_folder import RunFolder
from helio.files.structures import read_structure
from helio.files.trajectory import ENERGY, Frame, Particles, read_frames, read_particles
from helio.simulate.bonds import bonds, make_whole
from helio.simulate.saved_atoms import saved_atoms
from helio.simulate.start_structure import take_names
from helio.units import FS

Format = Literal["xtc", "dcd", "extxyz", "pdb"]
Write = Callable[[Atoms, Frame], None]


def export_trajectory(
    folder: str | Path,
    out: str | Path,
    *,
    kind: Format,
    stride: int = 1,
    selection: str = "all",
    wrap: bool = False,
    overwrite: bool = False,
) -> int:
    """Write a run's trajectory to `out` and return the number of frames.

    Extended xyz holds everything that was saved, in the units of ASE, and what the run began with: names, fixed atoms
    and, where all atoms are written, charge and spin, so that it can be simulated again as the same system. The other
    formats hold positions and the cell, which they know only in a standard orientation: where the run's cell has
    another, positions are turned along.

    Args:
        folder: of the run.
        out: the file; it appears whole or not at all.
        kind: its format.
        stride: every n-th frame is taken.
        selection: atoms to write, in the language of MDAnalysis.
        wrap: put molecules, whole, back into the cell.
        overwrite: replace `out` if it exists.

    Raises:
        HelioError: there is no trajectory, a part of it is missing, the selection is wrong, or `out` exists or cannot
            be written.
    """
    run, out = RunFolder(Path(folder)), Path(out)
    if out.exists() and not overwrite:
        raise HelioError(f"{out} exists; give another name or --overwrite")
    if not run.trajectory.exists():
        raise HelioError(f"{folder} holds no trajectory.h5md")
    particles = read_particles(run.trajectory)
    topology = run.saved_topology if run.saved_topology.exists() else run.topology
    content = read_text(topology, "topology", max_bytes=2**31)
    if (count := len(saved_atoms(content, "all"))) != len(particles.ids):
        raise HelioError(
            f"{topology} has {count} atoms and the trajectory {len(particles.ids)}: one of them is damaged"
        )
    chosen = saved_atoms(content, selection)
    number = 0
    first = list(islice(read_frames(run.trajectory, stride=stride), 2))
    if not first:
        raise HelioError(f"{run.trajectory} holds no frame")
    wrapped = _Wrapping(particles, first[0]) if wrap else None
    interval = first[1].time_ps - first[0].time_ps if len(first) == 2 else None
    start = _start(run, particles, chosen)
    with atomic_path(out) as temporary, _writer(temporary, kind, topology, chosen, interval, start) as write:
        for frame in read_frames(run.trajectory, stride=stride):
            atoms = _atoms(particles, frame)
            if wrapped is not None:
                atoms.positions = wrapped(atoms)
            write(atoms, frame)
            number += 1
    return number


def _atoms(particles: Particles, frame: Frame) -> Atoms:
    cell = stated_cell(frame.arrays.get("edges", np.zeros((3, 3))), particles.pbc)
    atoms = Atoms(particles.species, frame.arrays["position"], cell=cell, pbc=particles.pbc, masses=particles.masses)
    return atoms


def _start(run: RunFolder, particles: Particles, chosen: np.ndarray) -> Atoms | None:
    """The chosen ones of the saved atoms as the run began; only all atoms together have a charge and a spin."""
    if not run.start.exists():
        return None
    start = read_structure(run.start)
    atoms = start[np.asarray(particles.ids)[chosen]]
    assert isinstance(atoms, Atoms)
    if len(atoms) < len(start):
        atoms.info.clear()
    return atoms


class _Wrapping:
    """Molecules, whole, in the cell."""

    def __init__(self, particles: Particles, first: Frame) -> None:
        atoms = _atoms(particles, first)
        if not atoms.pbc.any():
            raise HelioError("only a periodic trajectory can be wrapped")
        # Positions are unwrapped: whole cells that join a molecule once join it for ever.
        moved = make_whole(atoms).positions - atoms.positions
        self._cells = np.rint(moved @ np.linalg.pinv(atoms.cell.array))
        pairs, _ = bonds(atoms)
        size = (len(atoms), len(atoms))
        graph = coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=size)
        _, self._molecules = connected_components(graph, directed=False)

    def __call__(self, atoms: Atoms) -> np.ndarray:
        """Positions (N, 3) in A with each molecule's centre in the cell."""
        whole = atoms.positions + self._cells @ atoms.cell.array
        counts = np.bincount(self._molecules)
        centers = np.stack([np.bincount(self._molecules, whole[:, k]) / counts for k in range(3)], axis=1)
        back = np.floor(centers @ np.linalg.inv(atoms.cell.complete().array)) * atoms.pbc
        return whole - (back @ atoms.cell.array)[self._molecules]


@contextmanager
def _writer(
    path: Path, kind: Format, topology: Path, chosen: np.ndarray, dt: float | None, start: Atoms | None
) -> Iterator[Write]:
    if kind == "extxyz":
        with path.open("w", encoding="utf-8") as file:
            yield lambda atoms, frame: ase.io.write(file, _with_all(atoms, frame, chosen, start), format="extxyz")
    elif kind == "pdb":
        lines = [
            line
            for line in read_text(topology, "topology", max_bytes=2**31).splitlines()
            if line[:6] in ("ATOM  ", "HETATM")
        ]
        with path.open("w", encoding="utf-8") as file:
            file.write(totals_remark({} if start is None else start.info))
            yield lambda atoms, frame: _write_model(file, atoms[chosen], frame, [lines[i] for i in chosen])
            file.write("END\n")
    else:
        with _mdanalysis_writer(path, kind, topology, chosen, dt) as write:
            yield write


def _with_all(atoms: Atoms, frame: Frame, chosen: np.ndarray, start: Atoms | None) -> Any:
    """The chosen atoms with all that the frame holds, and with names, fixed atoms, charge and spin of `start`."""
    known = frame.arrays
    if "velocity" in known:
        atoms.set_velocities(known["velocity"] / (1000 * FS))
    if "force" in known:
        atoms.set_array("forces", known["force"] * (ase.units.kJ / ase.units.mol))
    for name in ("charge", "hirshfeld_ratio"):
        if name in known:
            atoms.set_array(f"{name}s", known[name])
    atoms.info |= {"step": frame.step, "time_ps": frame.time_ps}
    atoms.info |= {f"{name}_eV": float(value) for name, value in known.items() if name.startswith(ENERGY)}
    written = cast(Atoms, atoms[chosen])
    if start is not None:
        take_names(written, start)
        written.info |= {name: start.info[name] for name in ("charge", "spin") if name in start.info}
        written.set_constraint(start.constraints)
    return written


def _write_model(file: IO[str], atoms: Any, frame: Frame, lines: list[str]) -> None:
    """A model of a pdb file, with its own cell; `lines` are those of the topology."""
    positions, dimensions, _ = in_standard_orientation(atoms)
    if (positions < -999).any() or (positions > 9999).any():
        raise HelioError(f"pdb cannot hold step {frame.step}, whose atoms have gone too far; try --wrap or extxyz")
    if dimensions is not None:
        a, b, c, alpha, beta, gamma = dimensions
        file.write(f"CRYST1{a:9.3f}{b:9.3f}{c:9.3f}{alpha:7.2f}{beta:7.2f}{gamma:7.2f} P 1           1\n")
    file.write(f"REMARK 250 step {frame.step}, {frame.time_ps:g} ps\nMODEL     {frame.step % 10000:4d}\n")
    for line, (x, y, z) in zip(lines, positions, strict=True):
        file.write(f"{line[:30]}{x:8.3f}{y:8.3f}{z:8.3f}{line[54:]}\n")
    file.write("ENDMDL\n")


@contextmanager
def _mdanalysis_writer(
    path: Path, kind: Format, topology: Path, chosen: np.ndarray, dt: float | None
) -> Iterator[Write]:
    import MDAnalysis

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about what neither topology nor format say
        universe = MDAnalysis.Universe(topology, format="PDB")
        group = cast(Any, universe.atoms)[chosen]
        times = {"dt": dt} if kind == "dcd" and dt is not None else {}  # the others note each frame's time
        with MDAnalysis.Writer(str(path), n_atoms=len(chosen), **times) as writer:

            def write(atoms: Atoms, frame: Frame) -> None:
                moment = universe.trajectory.ts
                moment.positions, moment.dimensions, _ = in_standard_orientation(atoms)
                moment.time, moment.data["step"] = frame.time_ps, frame.step
                writer.write(group)

            yield write

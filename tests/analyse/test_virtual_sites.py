"""Trajectories with sites that are no atoms."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import MDAnalysis
import numpy as np
import pytest
from MDAnalysis.coordinates.XTC import XTCWriter
from typer.testing import CliRunner

from helio.analyse import open_frames
from helio.cli import app

NAMES = ["N", "CA", "C", "O"]


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """An amino acid in TIP4P water with a dummy atom, as GROMACS writes it: no elements, no masses."""
    random = np.random.default_rng(0)
    names = [*NAMES, *["OW", "HW1", "HW2", "MW"] * 12, "DUM"]
    residues = ["ALA"] * 4 + ["SOL"] * 48 + ["DUM"]
    numbers = [1] * 4 + [2 + i // 4 for i in range(48)] + [99]
    places = [[0, 0, 0], [1.46, 0, 0], [2.0, 1.42, 0], [1.25, 2.39, 0]]
    for _ in range(12):
        oxygen = random.uniform(4, 15, size=3)
        places += list(oxygen + np.array([[0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0], [0.1, 0.1, 0]]))
    positions = np.array([*places, [8.0, 8.0, 8.0]])
    lines = [f"a box\n{len(names)}\n"]
    for i, (name, residue, number, place) in enumerate(zip(names, residues, numbers, positions, strict=True)):
        x, y, z = place / 10
        lines.append(f"{number:5d}{residue:<5}{name:>5}{i + 1:5d}{x:8.3f}{y:8.3f}{z:8.3f}\n")
    topology, trajectory = tmp_path / "conf.gro", tmp_path / "traj.xtc"
    topology.write_text("".join([*lines, "   2.00000   2.00000   2.00000\n"]))
    universe: Any = MDAnalysis.Universe(str(topology))
    with XTCWriter(str(trajectory), n_atoms=len(names)) as writer:
        for frame in range(5):
            universe.atoms.positions = positions + 0.01 * frame
            universe.trajectory.ts.time = float(frame)
            writer.write(universe.atoms)
    return topology, trajectory


def test_sites_are_left_out_and_told(files: tuple[Path, Path]) -> None:
    topology, trajectory = files
    frames = open_frames(trajectory, topology)
    assert frames.note == "13 virtual sites are left out (12 MW, 1 DUM): they are no atoms"
    assert len(frames.universe.atoms) == 4 + 36 and (frames.atomic_numbers > 0).all()
    assert len(frames) == 5 and frames.times_ps.tolist() == [0, 1, 2, 3, 4]
    first, last = frames.moment(0).positions.copy(), frames.moment(4).positions
    np.testing.assert_allclose(last - first, 0.04, atol=5e-3)
    assert int(frames.molecules.max()) == 12  # each water is one molecule
    assert len(open_frames(trajectory, topology, selection="resname ALA").atoms) == 4


def test_through_the_command_line(files: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    topology, trajectory = files
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["analyse", "density", str(trajectory), "--topology", str(topology)])
    assert result.exit_code == 0, result.output
    assert "Note: 13 virtual sites are left out (12 MW, 1 DUM)" in " ".join(result.output.split())
    page = CliRunner().invoke(app, ["report", str(trajectory), "--topology", str(topology), "--out", "page.html"])
    assert page.exit_code == 0, page.output
    assert "virtual sites are left out" in Path("page.html").read_text()


def test_unknown_elements_name_the_atoms(files: tuple[Path, Path]) -> None:
    topology, _ = files
    topology.write_text(topology.read_text().replace("   CA", "  ?Q?"))
    result = CliRunner().invoke(app, ["analyse", "density", str(topology)])
    assert result.exit_code == 1
    assert "atoms named '?Q?' are not known" in " ".join(result.output.split())

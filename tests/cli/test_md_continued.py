"""`helio md RUN`: a new run from where another one ended."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import yaml
from ase.build import molecule
from typer.testing import CliRunner

from helio.cli import app
from helio.files.structures import read_structure, write_structure
from helio.files.trajectory import read_frames
from helio.force_field import ForceField
from helio.force_field.model_file import ModelInfo, save_model


@pytest.fixture(scope="module")
def run(small_force_field: ForceField, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A short run of an ion in a box, far from the origin."""
    folder = tmp_path_factory.mktemp("continued")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr("helio.cli.compiled.keep_compiled_programs", lambda: None)
        save_model(small_force_field, "small.safetensors", ModelInfo(name="small"))
        atoms = molecule("H2O", cell=[9.0, 9.5, 10.0], pbc=True)
        atoms.positions += 500
        atoms.info |= {"charge": 1, "spin": 1}
        write_structure("ion.extxyz", atoms)
        options = ["--model", "small.safetensors", "--steps", "20", "--timestep", "0.1", "--save-every", "10"]
        options += ["--log-every", "10", "--temperature", "0:20,0.002:40", "--out", "run-nvt"]
        assert md("ion.extxyz", *options)[0] == 0
        yield folder / "run-nvt"


def md(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["md", *arguments])
    return result.exit_code, " ".join(result.output.split())


def test_nvt_to_npt(run: Path) -> None:
    code, output = md("run-nvt", "--ensemble", "npt", "--steps", "10", "--out", "run-npt")
    assert code == 0, output
    assert "run-nvt: goes on from step 20 (0.002 ps)" in output and "as NPT for 10 steps" in output
    last, first = list(read_frames(run / "trajectory.h5md"))[-1], next(read_frames(Path("run-npt/trajectory.h5md")))
    for name in ("position", "velocity", "edges"):
        np.testing.assert_allclose(first.arrays[name], last.arrays[name], atol=1e-4, err_msg=name)
    assert first.arrays["position"].min() > 400  # at the user's coordinates
    start = read_structure("run-npt/start.extxyz")
    assert (start.info["charge"], start.info["spin"]) == (1, 1)
    settings = yaml.safe_load(Path("run-npt/settings.yaml").read_text())
    assert settings["timestep"] == 0.1 and settings["temperature"] == 40.0 and settings["velocities"] == "file"
    assert settings["model"].endswith("small.safetensors") and settings["ensemble"] == "npt"


def test_options_win_and_the_old_run_stays(run: Path) -> None:
    before = (run / "checkpoint.npz").read_bytes()
    code, output = md("run-nvt", "--ensemble", "nve", "--timestep", "0.2", "--steps", "2")
    assert code == 0 and Path("run/trajectory.h5md").exists(), output
    assert yaml.safe_load(Path("run/settings.yaml").read_text())["timestep"] == 0.2
    assert (run / "checkpoint.npz").read_bytes() == before
    code, output = md("run-nvt", "--out", "run-nvt")
    assert code == 1 and "exists" in output


def test_damaged_checkpoints_are_refused(run: Path) -> None:
    content = (run / "checkpoint.npz").read_bytes()
    (run / "checkpoint.npz").write_bytes(content[: len(content) // 2])
    code, output = md("run-nvt", "--out", "next")
    assert code == 1 and "damaged" in output and not Path("next").exists()

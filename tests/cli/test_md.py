"""`helio md`, `helio resume` and `helio opt` as a user meets them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from ase.build import molecule
from ase.constraints import FixAtoms
from typer.testing import CliRunner

from helio.cli import app
from helio.files.structures import read_structure, write_structure
from helio.files.trajectory import read_frames
from helio.force_field import ForceField
from helio.force_field.model_file import ModelInfo, save_model
from helio.simulate.run import Outcome
from helio.simulate.settings import SECTIONS, MDSettings


@pytest.fixture
def files(small_force_field: ForceField, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, str]:
    """Paths of a structure and of a model, in an empty folder that is the present one."""
    monkeypatch.chdir(tmp_path)
    # The setting of the compilation cache would outlive the test.
    monkeypatch.setattr("helio.cli.compiled.keep_compiled_programs", lambda: None)
    save_model(small_force_field, "small.safetensors", ModelInfo(name="small"))
    write_structure("water.xyz", molecule("H2O"))
    return "water.xyz", "small.safetensors"


def test_dry_run_writes_nothing(files: tuple[str, str]) -> None:
    options = ["--steps", "1000", "--save-atoms", "element H", "--save", "forces", "--dry-run"]
    result = CliRunner().invoke(app, ["md", files[0], "--model", files[1], *options])
    assert result.exit_code == 0, result.output
    assert "11 frames of 2 atoms" in result.output and "long_range_cutoff: 1000.0" in result.output
    assert re.search(r"Memory: about \d+ MB", result.output)
    speed = re.search(
        r"about (\S+) steps per second, (\S+) ns/day; the run would take (\d+):(\d\d):(\d\d)", result.output
    )
    assert speed is not None
    rate, per_day, *clock = (float(number) for number in speed.groups())
    assert per_day == pytest.approx(rate * 0.5e-6 * 86400, rel=0.02)
    assert 3600 * clock[0] + 60 * clock[1] + clock[2] == pytest.approx(1000 / rate, abs=0.6)
    assert not Path("run").exists()


def test_settings_file_with_options_over_it(
    files: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sub").mkdir()
    values = {"structure": f"../{files[0]}", "model": f"../{files[1]}", "out": "made", "steps": 100}
    values |= {"temperature": [[0, 10], [1, 20]], "restraints": [{"kind": "sphere", "radius": 5, "stiffness": 1}]}
    Path("sub/settings.yaml").write_text(yaml.safe_dump(values))
    called: dict[str, Any] = {}

    def run_md(atoms: Any, settings: MDSettings, out: Path, **_: Any) -> Outcome:
        called.update(settings=settings, out=out)
        return Outcome(4, 4, interrupted=False)

    monkeypatch.setattr("helio.simulate.run.run_md", run_md)
    options = ["--steps", "4", "--pressure", "0:1,5:100", "--frozen", "0,2", "--save", "forces,charges"]
    result = CliRunner().invoke(app, ["md", "sub/settings.yaml", "--remove-rotation", *options])
    assert result.exit_code == 0, result.output
    assert called["out"].resolve() == tmp_path / "sub" / "made"
    settings = called["settings"]
    assert (
        settings.steps == 4 and settings.temperature == ((0, 10), (1, 20)) and settings.pressure == ((0, 1), (5, 100))
    )
    assert settings.frozen == (0, 2) and settings.save == ("forces", "charges") and settings.remove_rotation
    assert settings.restraints[0].radius == 5.0
    assert CliRunner().invoke(app, ["md", "sub/settings.yaml", "--out", "other"]).exit_code == 0
    assert called["out"] == Path("other") and called["settings"].steps == 100


def test_help_shows_every_setting_with_its_default() -> None:
    result = CliRunner().invoke(app, ["md", "--help"], env={"COLUMNS": "200"})
    assert result.exit_code == 0 and "Example: helio md" in result.output
    for name in set(MDSettings.model_fields) - {"restraints"}:
        assert f"--{name.replace('_', '-')}" in result.output
    assert "default so3lr" in result.output and "nve|nvt|npt" in result.output
    assert all(title in result.output for title in SECTIONS.values())


def test_run_that_comes_apart(files: tuple[str, str]) -> None:
    options = ["--steps", "4", "--log-every", "2", "--closest", "1.2"]
    result = CliRunner().invoke(app, ["md", files[0], "--model", files[1], *options])
    assert result.exit_code == 1 and "Traceback" not in result.output
    assert "stopped at step 2" in result.output and "A apart" in result.output
    np.testing.assert_allclose(read_structure("run/last-good.extxyz").positions, molecule("H2O").positions, atol=1e-5)


def test_md_resume_and_export(files: tuple[str, str]) -> None:
    arguments = ["md", files[0], "--model", files[1], "--steps", "4", "--log-every", "2", "--save-every", "2"]
    arguments += ["--save", "energy_terms", "--save-atoms", "element H"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert "ns/day" in result.output and "Done: 4 steps" in result.output
    again = CliRunner().invoke(app, arguments)
    assert again.exit_code == 1 and "exists" in again.output
    longer = CliRunner().invoke(app, ["resume", "run", "--steps", "6"])
    assert longer.exit_code == 0 and "Done: 6 steps" in longer.output
    assert [line.split(",")[0] for line in Path("run/log.csv").read_text().splitlines()] == ["step", "0", "2", "4", "6"]
    frames = list(read_frames(Path("run/trajectory.h5md")))
    assert [frame.step for frame in frames] == [0, 2, 4, 6]
    assert set(frames[0].arrays) >= {"position", "energy_network", "energy_potential"}
    exported = CliRunner().invoke(app, ["export", "run", "--format", "extxyz", "--stride", "2"])
    assert exported.exit_code == 0 and "Wrote 2 frames" in exported.output
    assert read_structure("run/trajectory.extxyz").get_chemical_symbols() == ["H", "H"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--ensemble", "npt"], "periodic"),
        (["--temperature", "0:100,0:200"], "ascend"),
        (["--save", "dipoles"], "save"),
        (["--save-atoms", "my atoms"], "not understood"),
        (["--charge", "1"], "electrons"),
        (["--electrostatics", "ewald"], "ewald"),
        (["--model", "nothing"], "nothing"),
    ],
)
def test_mistakes_are_one_line(files: tuple[str, str], options: list[str], message: str) -> None:
    result = CliRunner().invoke(app, ["md", files[0], "--model", files[1], *options])
    assert result.exit_code == 1
    assert message in result.output.lower() and "Traceback" not in result.output
    assert not Path("run").exists()


def test_opt(files: tuple[str, str]) -> None:
    arguments = ["opt", files[0], "--model", files[1], "--steps", "3", "--fmax", "100"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert len(read_structure("water-opt.extxyz")) == 3
    assert CliRunner().invoke(app, arguments).exit_code == 1
    short = CliRunner().invoke(app, [*arguments[:-1], "1e-9", "--overwrite"])
    assert short.exit_code == 1 and "not converged" in short.output


@pytest.fixture
def kinds(files: tuple[str, str]) -> list[str]:
    """Options that make runs short."""
    return ["--model", files[1], "--steps", "2", "--save-every", "1", "--timestep", "2"]


CASES = Path(__file__).parents[1] / "files" / "cases"


def run_of(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["md", *arguments])


def test_first_line_tells_what_was_understood(kinds: list[str]) -> None:
    result = run_of(str(CASES / "succinate.sdf"), *kinds)
    assert result.exit_code == 0, result.output
    assert result.output.startswith("succinate.sdf: 12 atoms (C4H4O4); charge -2 ")
    assert read_structure("run/start.extxyz").info["charge"] == -2
    neutral = run_of(str(CASES / "succinate.sdf"), *kinds, "--charge", "0", "--out", "neutral")
    assert "charge 0 (as asked for)" in neutral.output
    assert read_structure("neutral/start.extxyz").info["charge"] == 0
    refused = run_of(str(CASES / "half_oxygen.cif"), *kinds, "--out", "b")
    assert refused.exit_code == 1 and "O at site 2" in refused.output and not Path("b").exists()


def test_frames_and_all_of_them(kinds: list[str]) -> None:
    both = run_of(str(CASES / "two.sdf"), *kinds, "--frame", "all", "--dry-run")
    assert both.exit_code == 0 and "2 replicas in one batch" in both.output, both.output
    second = run_of(str(CASES / "two.sdf"), *kinds, "--frame", "2", "--dry-run")
    assert "frame 2 of 2" in second.output and "3 atoms (H2O)" in second.output
    assert run_of(str(CASES / "two.sdf"), *kinds, "--frame", "x").exit_code == 1


def test_atoms_that_the_file_fixes_do_not_move(kinds: list[str]) -> None:
    water = molecule("H2O")
    water.set_constraint(FixAtoms([0]))
    write_structure("fixed.extxyz", water)
    result = run_of("fixed.extxyz", *kinds, "--temperature", "10", "--timestep", "0.2")
    assert result.exit_code == 0 and "1 fixed atom;" in result.output, result.output
    resumed = CliRunner().invoke(app, ["resume", "run", "--steps", "4"])
    assert resumed.exit_code == 0, resumed.output
    frames = list(read_frames(Path("run/trajectory.h5md")))
    moved = np.abs(frames[-1].arrays["position"] - water.positions).max(axis=1)
    assert len(frames) == 5 and moved[0] < 1e-6 and (moved[1:] > 1e-5).all()


def test_radicals_are_warned_of(files: tuple[str, str]) -> None:
    radical = molecule("CH3")
    radical.info["spin"] = 1
    write_structure("radical.extxyz", radical)
    options = ["--steps", "1", "--dry-run"]
    warned = run_of("radical.extxyz", "--model", "helio-s", *options)
    assert warned.exit_code == 0 and "Warning: helio-s is poor for unpaired electrons" in warned.output, warned.output
    assert "Warning" not in run_of(files[0], "--model", files[1], *options).output

"""`helio train`: from a store to a model, on from a checkpoint, and what it says about bad input."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml
from typer.testing import CliRunner, Result

from helio.cli import app
from helio.files.checkpoint import read_arrays
from helio.files.log import read_log
from helio.force_field import load_model, read_model_info
from helio.settings.checking import checked
from helio.train.importing import import_files
from helio.train.settings import TrainSettings

NETWORK = {
    "num_layers": 1, "features": 8, "num_heads": 2, "degrees": [1], "num_radial": 4, "spherical_hidden": 4,
    "hirshfeld_width": 4, "zbl": False, "electrostatics": False, "dispersion": False,
}  # fmt: skip


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty distorted water molecules, each two atoms joined by a spring of 20 eV/A^2."""
    rest = np.array([[0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]])
    positions = rest + 0.08 * np.random.default_rng(0).normal(size=(40, 3, 3))
    first, second = np.array([0, 0, 1]), np.array([1, 2, 2])
    vectors = positions[:, second] - positions[:, first]
    length = np.linalg.norm(vectors, axis=-1)
    stretch = length - np.linalg.norm(rest[second] - rest[first], axis=-1)
    pull = 20 * (stretch / length)[:, :, None] * vectors
    forces = np.zeros_like(positions)
    for pair in range(3):
        forces[:, first[pair]] += pull[:, pair]
        forces[:, second[pair]] -= pull[:, pair]
    folder = tmp_path_factory.mktemp("data")
    kcal = 23.060548  # per mol, in an eV
    np.savez(
        folder / "water.npz", z=np.array([8, 1, 1]), R=positions, E=10 * kcal * (stretch**2).sum(1), F=kcal * forces
    )
    import_files([folder / "water.npz"], folder / "water.h5")
    return folder / "water.h5"


def settings_file(folder: Path, store: Path, **changes: object) -> Path:
    values = {
        "task": "train", "data": str(store), "out": "run", "validation": 10, "structures_per_batch": 10,
        "network": NETWORK, "loss": {"forces": 10, "energy": 1, "dipole": 0, "hirshfeld_ratios": 0},
        "learning_rate": "1e-2", "decay": "constant", "averaging": 0.5, "steps": 40, "log_every": 7,
        "validate_every": 20, "checkpoint_every": 10, "name": "springs", "licence": "MIT", "devices": 1,
    }  # fmt: skip
    path = folder / "settings.yaml"
    path.write_text(yaml.safe_dump(values | changes))
    return path


def helio(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_training_gives_a_model_and_resumes_bit_for_bit(tmp_path: Path, store: Path) -> None:
    done = helio("train", settings_file(tmp_path, store), "--no-report")
    assert done.exit_code == 0, done.output
    assert "Done: 40 steps" in done.output and f"{tmp_path}/run/model.safetensors" in done.output
    part = helio("train", tmp_path / "settings.yaml", "--steps", 17, "--out", tmp_path / "part", "--no-report")
    assert part.exit_code == 0, part.output
    rest = helio("resume", tmp_path / "part", "--steps", 40)
    assert rest.exit_code == 0, rest.output
    whole, _ = read_arrays(tmp_path / "run" / "checkpoint.npz")
    resumed, _ = read_arrays(tmp_path / "part" / "checkpoint.npz")
    assert whole.keys() == resumed.keys()
    assert all(np.array_equal(whole[name], resumed[name]) for name in whole)

    header = read_model_info(tmp_path / "run" / "model.safetensors")
    assert (header.info.name, header.info.licence, header.settings.supported_elements) == ("springs", "MIT", (1, 8))
    assert load_model(tmp_path / "run" / "model.safetensors").settings.features == 8
    loss = read_log(tmp_path / "run" / "validation.csv")["loss"]
    assert len(loss) == 2 and loss[1] < 0.9 * loss[0]
    page = (tmp_path / "part" / "report.html").read_text()
    assert page.count("data:image/png;base64,") == 2 and "H2O" in page and "Worst structures" in page

    settings = yaml.safe_load((tmp_path / "part" / "settings.yaml").read_text())
    (tmp_path / "part" / "settings.yaml").write_text(yaml.safe_dump(settings | {"learning_rate": 0.5}))
    changed = helio("train", tmp_path / "part", "--steps", 50)
    assert changed.exit_code == 1
    assert "learning_rate was 0.01 and is 0.5" in changed.output and "Put them back" in changed.output
    assert helio("train", tmp_path / "settings.yaml").exit_code == 1  # the folder exists


def test_dry_run_checks_and_writes_nothing(tmp_path: Path, store: Path) -> None:
    result = helio("train", settings_file(tmp_path, store), "--dry-run")
    assert result.exit_code == 0, result.output
    for said in ("30 structures to train on, 10 to validate on", "3 batches per epoch", "parameters", "per second"):
        assert said in result.output
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"learning_rat": 1}, "learning_rat: Extra inputs are not permitted"),
        ({"loss": {"forces": 10, "dipole": 1}}, "the loss weighs dipole, but no structure"),
        ({"loss": {"forces": 0, "dipole": 0, "hirshfeld_ratios": 0}}, "at least one label needs a weight"),
        ({"loss": {"forces": -1}}, "loss.forces: Input should be greater than or equal to 0"),
        ({"train": 50}, "too few to train on 50 and validate on 10"),
        ({"epochs": 3}, "give steps or epochs, not both"),
        ({"weight_decay": 0.1}, "weight_decay needs optimiser: adamw"),
        ({"level_weights": {"PBE": 2}}, "PBE"),
        ({"devices": 64}, "64 devices were asked for, but there"),
        ({"data": "missing.h5"}, "there is no store"),
        ({"network": NETWORK | {"features": 7}}, "must be a multiple"),
        ({"default_level": "PBE"}, "default_level needs heads: per-level"),
        ({"default_level": "PBE", "heads": "per-level"}, "default_level is PBE, but the levels are unspecified"),
        ({"start_level": "PBE"}, "start_level needs a start"),
        ({"start": "missing.safetensors", "network": {}}, "no model and no file called missing.safetensors"),
    ],
)
def test_bad_settings_are_named_in_one_sentence(tmp_path: Path, store: Path, changes: dict, said: str) -> None:
    result = helio("train", settings_file(tmp_path, store, **changes), "--dry-run")
    assert result.exit_code == 1 and said in " ".join(result.output.split()), result.output
    assert result.output.count("Error:") == 1 and not (tmp_path / "run").exists()


def test_missing_extra_is_named(tmp_path: Path, store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "optax", None)
    result = helio("train", settings_file(tmp_path, store))
    assert result.exit_code == 1 and "[train]'" in result.output


def test_template_is_a_settings_file_with_every_default(tmp_path: Path) -> None:
    from helio.train.input_file import SETTINGS_FILE

    (tmp_path / "settings.yaml").write_text(helio("template", "train").output)
    out, values = SETTINGS_FILE.read(tmp_path / "settings.yaml")
    assert out == tmp_path / "training" and set(values) == set(TrainSettings.model_fields)
    assert checked(TrainSettings, values) == TrainSettings(data=str(tmp_path / "store.h5"))  # pyright: ignore
    assert '"TrainInput"' in helio("template", "train", "--schema").output


@pytest.mark.slow
def test_levels_of_theory_have_heads_of_their_own_in_one_file(tmp_path: Path, store: Path) -> None:
    for level in ("PBE0+MBD", "GFN2"):
        done = helio("data", "import", store.with_suffix(".npz"), tmp_path / f"{level}.h5", "--level", level)
        assert done.exit_code == 0, done.output
    both = tmp_path / "both.h5"
    assert helio("data", "import", tmp_path / "PBE0+MBD.h5", tmp_path / "GFN2.h5", both).exit_code == 0
    settings = settings_file(
        tmp_path,
        both,
        heads="per-level",
        level_weights={"GFN2": 0.0},
        default_level="GFN2",
        steps=9,
        loss={"energy": 1, "dipole": 0, "hirshfeld_ratios": 0},
    )
    done = helio("train", settings)
    assert done.exit_code == 0, done.output
    path = tmp_path / "run" / "model.safetensors"
    one, other = (load_model(path, level=level) for level in ("PBE0+MBD", "GFN2"))
    kernel, untouched = (model.energy_head.layers.first.kernel for model in (one, other))
    assert not np.array_equal(kernel, untouched)
    assert np.array_equal(one.network.layers[0].value.blocks, other.network.layers[0].value.blocks)
    info = read_model_info(path).info
    assert info.levels == ("GFN2", "PBE0+MBD") and set(info.reference_energies["GFN2"]) == {"H", "O"}
    assert (tmp_path / "run" / "report.html").exists()

    # A third level beside these, from the heads of one, the other kept by replay of data at its own level.
    again = helio("data", "import", store.with_suffix(".npz"), tmp_path / "xtb.h5", "--level", "xtb")
    assert again.exit_code == 0, again.output
    asked = ("--model", path, "--level", "PBE0+MBD", "--per-level", "--replay", tmp_path / "GFN2.h5", "--part", "heads")
    tuned = helio("finetune", tmp_path / "xtb.h5", *asked, "--steps", 8, "--batch", 10, "--out", tmp_path / "tuned")
    assert tuned.exit_code == 0, tuned.output
    found = tmp_path / "tuned" / "model.safetensors"
    assert read_model_info(found).info.levels == ("xtb", "GFN2", "PBE0+MBD")
    assert set(read_model_info(found).info.reference_energies) == {"xtb", "GFN2", "PBE0+MBD"}
    start, kept, new = load_model(path, level="PBE0+MBD"), load_model(found, level="PBE0+MBD"), load_model(found)
    assert np.array_equal(start.energy_head.layers.first.kernel, kept.energy_head.layers.first.kernel)
    assert not np.array_equal(start.energy_head.layers.first.kernel, new.energy_head.layers.first.kernel)
    assert np.array_equal(start.network.layers[0].value.blocks, new.network.layers[0].value.blocks)

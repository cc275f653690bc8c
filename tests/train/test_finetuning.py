"""Fine-tuning with replay: what is mixed, what is kept, what is reported."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
import yaml
from typer.testing import CliRunner, Result

from helio.cli import app
from helio.datasets.store import Store
from helio.errors import HelioError
from helio.evaluate.finetuning import DRIFT, VALIDATION, compare_with_start
from helio.files.log import read_log
from helio.force_field import ForceField, ForceFieldSettings
from helio.force_field.model_file import ModelInfo, named_tensors, read_model, save_model
from helio.force_field.uncertainty import Uncertainty
from helio.train.importing import import_files
from helio.train.parts import part_of
from helio.train.replay import ReplayLoader
from helio.train.start import energies_of

START = ForceFieldSettings(
    num_layers=1, features=8, num_heads=2, degrees=(1,), num_radial=4, spherical_hidden=4, hirshfeld_width=4,
    zbl=False, electrostatics=False, dispersion=False,
)  # fmt: skip


class Numbers:
    """An endless loader of (name, number)."""

    waited, epoch, batches_per_epoch, shapes = 0.0, 0, 7, ()

    def __init__(self, name: str) -> None:
        self.name, self.number = name, 0

    def __next__(self) -> tuple[str, int]:
        self.number += 1
        return self.name, self.number - 1

    def state(self) -> dict[str, Any]:
        return {"batch": self.number}

    def restore(self, state: dict[str, Any]) -> None:
        self.number = state["batch"]


def test_share_of_replay_and_going_on() -> None:
    def loader() -> Any:
        own: Any = Numbers("own")
        replay: Any = Numbers("replay")
        return ReplayLoader(own, replay, 0.3, lambda batch: ("changed", batch[1]))  # pyright: ignore

    whole = list(islice(loader(), 100))
    for count in (10, 50, 100):
        assert sum(name == "changed" for name, _ in whole[:count]) == 3 * count // 10
    assert [number for name, number in whole if name == "own"] == list(range(70))
    assert loader().batches_per_epoch == 10
    first, second = loader(), loader()
    head = list(islice(first, 37))
    second.restore(first.state())
    assert head + list(islice(second, 63)) == whole
    with pytest.raises(HelioError, match="began without replay"):
        loader().restore({"batch": 3})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model with an uncertainty, water with forces of springs and shifted energies, and others without labels."""
    folder, rng = tmp_path_factory.mktemp("finetuning"), np.random.default_rng(0)
    rigid = Uncertainty(jnp.eye(START.features), jnp.eye(START.features), limit=1.0)
    start = replace(ForceField.initialise(START, 1), uncertainty=rigid)
    save_model(start, folder / "start.safetensors", ModelInfo("start"))
    rest = np.array([[0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]])
    for name, count in (("water", 40), ("others", 20)):
        positions = rest + 0.06 * rng.normal(size=(count, 3, 3))
        values = {"z": np.array([8, 1, 1]), "R": positions, "F": 460 * (rest - positions), "E": np.full(count, -4.8e4)}
        np.savez(folder / f"{name}.npz", **values)
        import_files([folder / f"{name}.npz"], folder / f"{name}.h5")
    return folder


def helio(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.mark.slow
def test_fine_tuning_keeps_the_rest_and_reports_what_changed(folder: Path) -> None:
    arguments = [folder / "water.h5", "--model", folder / "start.safetensors", "--out", folder / "run", "--batch", 8]
    arguments += ["--part", "rest", "--part", "embedding=0", "--replay", folder / "others.h5", "--steps", 80]
    done = helio("finetune", *arguments, "--learning-rate", 0.01)
    assert done.exit_code == 0, done.output
    assert "replay, from the start" in done.output and "ratio" in done.output
    assert "The uncertainty of the start belongs to its weights and is left out" in done.output

    start, _ = read_model(folder / "start.safetensors")
    tuned, _ = read_model(folder / "run" / "model.safetensors")
    before, after = named_tensors(start), named_tensors(tuned)
    assert start.uncertainty is not None and tuned.uncertainty is None
    changed = {part_of(name) for name in before if not np.array_equal(before[name], after[name])}
    assert changed == {"layer-1", "energy-head"}  # the other heads have no labels here

    changes = {(change.structures, change.label): change for change in compare_with_start(folder / "run")}
    forces = changes[VALIDATION, "forces"]
    assert forces.after < 0.97 * forces.before
    assert forces.after == pytest.approx(min(read_log(folder / "run" / "validation.csv")["forces_mae"]), rel=1e-3)
    assert changes[DRIFT, "forces"].before == pytest.approx(0, abs=1e-6) and changes[DRIFT, "forces"].after > 1e-3
    # Energies are shifted to those of the start: what is left is how they vary, not the 2,000 eV of the labels.
    store = Store(folder / "water.h5")
    own = energies_of(
        start.astype("float32"), store, np.arange(20), long_range_cutoff=12.0, structures_per_batch=8,
        precision="float32",
    )  # fmt: skip
    assert np.isnan(own[20:]).all() and changes[VALIDATION, "energy"].before < 3 * np.nanstd(own)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"parts": {"head": 1}}, "no part called 'head': its parts are embedding, layer-1, energy-head"),
        ({"start": None}, "lora_rank needs a start"),
        ({"replay": "nowhere.h5"}, "there is no store"),
        ({"parts": {"heads": -1}}, "parts.heads: Input should be greater than or equal to 0"),
    ],
)
def test_bad_settings_are_named(folder: Path, tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    values = {
        "data": str(folder / "water.h5"), "start": str(folder / "start.safetensors"), "lora_rank": 2, "steps": 1,
        "loss": {"forces": 10, "dipole": 0, "hirshfeld_ratios": 0}, "devices": 1,
    }  # fmt: skip
    values = {name: value for name, value in (values | changes).items() if value is not None}
    (tmp_path / "settings.yaml").write_text(yaml.safe_dump(values))
    result = helio("train", tmp_path / "settings.yaml", "--dry-run")
    assert result.exit_code == 1 and said in result.output, result.output

"""A training learns the motion of Rouse chains, goes on as if it had never stopped, and refuses what does not fit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

from helio.coarse.input_file import SETTINGS_FILE
from helio.coarse.model_file import read_coarse, save_coarse
from helio.coarse.settings import CoarseTrainSettings, HistoryNoise, NetworkSettings, SimulateSettings
from helio.coarse.training import MODEL, resume_coarse, train_coarse
from helio.errors import HelioError
from helio.files.log import read_log
from helio.settings.checking import checked
from tests.coarse.conftest import melt_store

EXAMPLES = Path(__file__).parents[2] / "examples" / "coarse"

TINY = {"history": 3, "width": 8, "layers": 1, "hidden_layers": 1, "embedding_width": 4, "embedding_layers": 1,
        "embedding_size": 4, "type_size": 2}  # fmt: skip


def settings(store: Path, **more: Any) -> CoarseTrainSettings:
    values = {
        "data": str(store),
        "network": TINY,
        "systems_per_batch": 4,
        "windows_per_system": 8,
        "validation_windows": 10,
        "learning_rate": 0.01,
        "warmup_updates": 0,
        "decay": "constant",
        "averaging": 0.9,
        "steps": 40,
        "log_every": 10,
        "validate_every": 20,
        "checkpoint_every": 20,
    }
    return checked(CoarseTrainSettings, values | more)


def train(made: CoarseTrainSettings, out: Path) -> None:
    assert train_coarse(made, out, report=lambda progress: None).reason == "done"


@pytest.mark.slow
def test_training_learns_and_resumes_bit_for_bit(rouse_store: Path, tmp_path: Path) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    train(settings(rouse_store), whole)
    log = read_log(whole / "log.csv")
    assert log["loss"][-1] < log["loss"][0] - 0.03
    train(settings(rouse_store, steps=20), parts)
    outcome = resume_coarse(parts, report=lambda progress: None, steps=40)
    assert outcome.step == 40
    assert (whole / MODEL).read_bytes() == (parts / MODEL).read_bytes()
    with np.load(whole / "checkpoint.npz") as one, np.load(parts / "checkpoint.npz") as other:
        assert all(np.array_equal(one[name], other[name]) for name in one.files if name != "header")
    model, info = read_coarse(whole / MODEL)
    assert info.step_time == 2 and info.time_unit == "tau" and model.architecture.type_names == ("R",)
    save_coarse(model, tmp_path / "again.safetensors", info)
    again = read_coarse(tmp_path / "again.safetensors")[0]
    assert all(np.array_equal(a, b) for a, b in zip(jax.tree.leaves(model), jax.tree.leaves(again), strict=True))


def test_damaged_and_foreign_models(rouse_store: Path, tmp_path: Path) -> None:
    with pytest.raises(HelioError, match="no model file"):
        read_coarse(tmp_path / "none.safetensors")
    (tmp_path / "short.safetensors").write_bytes(b"12345678")
    with pytest.raises(HelioError, match="truncated, damaged or no model file"):
        read_coarse(tmp_path / "short.safetensors")


def test_template_is_a_settings_file_with_every_default(tmp_path: Path) -> None:
    (tmp_path / "settings.yaml").write_text(SETTINGS_FILE.template())
    out, values = SETTINGS_FILE.read(tmp_path / "settings.yaml")
    assert out == tmp_path / "coarse-training"
    assert checked(CoarseTrainSettings, values) == CoarseTrainSettings(data=str(tmp_path / "store.h5"))  # pyright: ignore
    assert set(values) == set(CoarseTrainSettings.model_fields)
    assert "out" in SETTINGS_FILE.kind.model_json_schema()["properties"]


@pytest.mark.parametrize(
    ("kind", "values", "message"),
    [
        (CoarseTrainSettings, {"data": "a", "stps": 3}, r"stps: Extra inputs are not permitted \(got 3\)"),
        (
            CoarseTrainSettings,
            {"data": "a", "network": {"history": 1}},
            r"network\.history: .* or equal to 2",
        ),
        (
            CoarseTrainSettings,
            {"data": "a", "network": {"resting": True, "target": "acceleration"}},
            "resting is for the target displacement",
        ),
        (CoarseTrainSettings, {"data": "a", "final_learning_rate": 1}, "must not be above learning_rate"),
        (SimulateSettings, {"model": "m", "data": "a", "steps": 10, "save_every": 3}, "steps must be a multiple of"),
    ],
)
def test_wrong_settings(kind: Any, values: dict[str, Any], message: str) -> None:
    with pytest.raises(HelioError, match=message):
        checked(kind, values)


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.yaml")), ids=lambda path: path.stem)
def test_examples_are_settings_files(path: Path) -> None:
    out, values = SETTINGS_FILE.read(path)
    assert out == path.parent / path.read_text().partition("out: ")[2].split()[0]
    assert checked(CoarseTrainSettings, values).name


def test_levels_of_noise() -> None:
    assert HistoryNoise(largest=0, smallest=0, levels=3).sigmas == ()
    assert HistoryNoise(largest=0.1, smallest=0.001, levels=3).sigmas == pytest.approx((0.1, 0.01, 0.001))


@pytest.mark.slow
def test_boxes(tmp_path: Path) -> None:
    store = melt_store(tmp_path / "melt.h5")
    refined = {"levels": 2, "largest": 0.5, "smallest": 0.1, "inner_steps": 1}
    network = TINY | {"radius": 3.0, "refinement": refined, "gyration": 4}
    made = settings(store, network=network, windows_per_system=2, steps=2, rotate=True)
    train(made, tmp_path / "run")
    log = read_log(tmp_path / "run" / "log.csv")
    assert all(np.isfinite(log[f"{name}_mae"][-1]) for name in ("motion", "gyration", "score"))
    wide = network | {"radius": 6.5}
    with pytest.raises(HelioError, match="is more than half of the box of melt, whose edges are 12, 13, 14"):
        train(settings(store, network=wide), tmp_path / "wide")


def test_boxes_need_a_radius() -> None:
    with pytest.raises(HelioError, match=r"systems in a box need network\.radius"):
        NetworkSettings().architecture(type_names=("A",), bond_types=0, periodic=True, columns=3)  # pyright: ignore

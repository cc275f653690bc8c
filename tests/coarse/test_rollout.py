"""Roll-outs: alone as in a batch, resumed as whole, stopped where a system comes to harm."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from helio.coarse.model_file import CoarseInfo, save_coarse
from helio.coarse.network.architecture import Architecture
from helio.coarse.network.model import CoarseModel
from helio.coarse.network.standardise import Scales
from helio.coarse.rollout import LAST_GOOD, ROLLOUT, resume_rollout, simulate_coarse
from helio.coarse.rollout_file import Rollout
from helio.coarse.settings import SimulateSettings
from helio.coarse.store import Store
from helio.errors import HelioError
from helio.settings.checking import checked
from tests.coarse.conftest import TINY, melt_store

SCALES = Scales(
    step=1.0, change=1.4, bond=2.5, bead_mass=1.0, group_mass=8.0, gyration=2.5, longest_bond=8.0, largest_gyration=6.0
)


def model_file(
    folder: Path,
    *,
    types: tuple[str, ...] = ("R",),
    time_unit: str = "tau",
    length_unit: str = "sigma",
    scales: Scales = SCALES,
    **more: Any,
) -> Path:
    """A model with random weights, which pulls groups together and draws noise."""
    settings: dict[str, Any] = {"bond_types": 0, "periodic": False, "history": 3} | TINY | more
    model = CoarseModel(Architecture(types, **settings), scales, seed=3)
    rng = np.random.default_rng(0)
    model = jax.tree.map(lambda leaf: leaf + jnp.asarray(0.02 * rng.normal(size=leaf.shape), leaf.dtype), model)
    path = folder / "model.safetensors"
    save_coarse(model, path, CoarseInfo("test", 2.0, length_unit, time_unit, 8.0, "a test"))
    return path


def run(model: Path, store: Path, out: Path, **more: Any) -> Rollout:
    values = {"model": str(model), "data": str(store), "steps": 12, "checkpoint_every": 6, "seed": 4} | more
    simulate_coarse(checked(SimulateSettings, values), out, report=lambda progress: None)
    return Rollout(out / ROLLOUT)


def test_alone_as_in_a_batch_and_resumed_as_whole(rouse_store: Path, tmp_path: Path) -> None:
    model = model_file(tmp_path)
    with run(model, rouse_store, tmp_path / "whole", part="train") as whole, Store(rouse_store) as store:
        assert whole.names == store.part("train") and whole.info.history == 3
        name = whole.names[0]
        assert whole.frames(name) == 12 and whole.number(name, "history_end") == 3
        first = whole.centers(name)[0] - store.centers(name, 2, 3)[0]
        assert 0.2 < first.std() < 3  # goes on from the last frame of the history
        with run(model, rouse_store, tmp_path / "alone", systems=(name,)) as alone:
            np.testing.assert_allclose(alone.centers(name), whole.centers(name), atol=1e-3)
        with run(model, rouse_store, tmp_path / "parts", part="train", steps=6):
            pass
        resume_rollout(tmp_path / "parts", report=lambda progress: None, steps=12)
        with Rollout(tmp_path / "parts" / ROLLOUT) as parts:
            for each in whole.names:
                assert np.array_equal(parts.centers(each), whole.centers(each))
                assert np.array_equal(parts.rg_squared(each), whole.rg_squared(each))  # pyright: ignore


def test_harm_stops_with_the_last_good_state(rouse_store: Path, tmp_path: Path) -> None:
    model = model_file(tmp_path)
    with pytest.raises(HelioError) as caught:
        run(model, rouse_store, tmp_path / "run", bond_limit=0.55, steps=120, checkpoint_every=60)
    said = str(caught.value)
    assert "came to harm in step" in said and "a bond of it is far longer" in said and "beads" in said
    step = int(said.split("step ")[1].split(",")[0])
    with Rollout(tmp_path / "run" / ROLLOUT) as found:
        assert {found.frames(name) for name in found.names} == {step - 1}
        longest = max(
            float(np.linalg.norm(np.diff(found.centers(name), axis=1), axis=-1).max()) for name in found.names
        )
        assert longest <= 0.55 * 8.0 + 1e-4
        with np.load(tmp_path / "run" / LAST_GOOD) as state:
            name = said.split(" came")[0]
            place = found.names.index(name)
            good = state[".positions"][place][: found.centers(name).shape[1]]
            np.testing.assert_array_equal(good, found.centers(name)[-1])


@pytest.mark.slow
def test_not_finite_is_found(rouse_store: Path, tmp_path: Path) -> None:
    model = model_file(tmp_path, scales=dataclasses.replace(SCALES, step=1e38))
    with pytest.raises(HelioError, match=r"came to harm in step \d+, at group \d+ .*"):
        run(model, rouse_store, tmp_path / "run")


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"types": ("A", "B")}, "beads of the type 'R', which the model was not trained on; it knows A, B"),
        ({"history": 60}, "too short: 60 frames"),
        ({"time_unit": "ps"}, "is in sigma and tau, the model in sigma and ps"),
        ({"periodic": True, "radius": 3.0, "columns": 4}, "the model is for systems in a box"),
        ({"bond_types": 2}, "has no types of bonds, where the model was trained on types 0 to 1"),
    ],
)
def test_systems_that_do_not_fit(rouse_store: Path, tmp_path: Path, more: dict[str, Any], message: str) -> None:
    model = model_file(tmp_path, **more)
    if message.startswith("too short"):
        with pytest.raises(HelioError, match="too short"):
            run(model, rouse_store, tmp_path / "run", begin=2)
    else:
        with pytest.raises(HelioError, match=message):
            run(model, rouse_store, tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.fixture(scope="module")
def melt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return melt_store(tmp_path_factory.mktemp("melt") / "melt.h5")


IN_A_BOX: dict[str, Any] = {"periodic": True, "radius": 3.0, "noise": "paired"}


def test_boxes(melt: Path, tmp_path: Path) -> None:
    model = model_file(tmp_path, columns=24, **IN_A_BOX)
    with run(model, melt, tmp_path / "run", part="train", steps=4, checkpoint_every=4) as found:
        assert found.centers("melt").shape == (4, 80, 3) and np.isfinite(found.centers("melt")).all()
        np.testing.assert_allclose(found.array("melt", "box"), [12, 13, 14])
    wide: dict[str, Any] = IN_A_BOX | {"radius": 7.0}
    with pytest.raises(HelioError, match="box of melt is smaller than twice the model's radius"):
        run(model_file(tmp_path, columns=24, **wide), melt, tmp_path / "small", part="train")


@pytest.mark.slow
def test_crowds_are_found(melt: Path, tmp_path: Path) -> None:
    with pytest.raises(HelioError, match="too dense"):
        run(model_file(tmp_path, columns=2, **IN_A_BOX), melt, tmp_path / "run", part="train")

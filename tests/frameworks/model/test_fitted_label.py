"""A label that the model was not trained on is learnt from its latents, told with its error, and optimised."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.spatial.distance import cdist

from helio.errors import HelioError
from helio.frameworks.model import fitted_label
from helio.frameworks.model.block_encoder import BlockEncoder
from helio.frameworks.model.fitted_label import with_label
from helio.frameworks.model.model_file import FrameworkModel, FrameworkModelInfo, new_encoder, new_generative
from helio.frameworks.model.optimise import Search, optimise_latents
from helio.frameworks.model.scaling import Scales
from helio.frameworks.model.settings import EncoderSettings, NetworkSettings, ScheduleSettings
from helio.frameworks.model.wishes import Wishes, check_wishes
from helio.frameworks.store import FrameworkStore, read_content
from helio.frameworks.store_writer import write_store
from helio.precision import numerics
from tests.frameworks.model.toy import toy_library, toy_store

LATENT = 3


@pytest.fixture(scope="module")
def model() -> FrameworkModel:
    """A model with one label and random weights."""
    encoder = EncoderSettings.model_validate({"channels": 4, "features": 8, "layers": 1})
    network = NetworkSettings(latent=LATENT, features=8, pair=6, reach=3, layers=1, encoder_layers=1)
    blocks: BlockEncoder = new_encoder(encoder, 0)
    return FrameworkModel(
        encoder_settings=encoder,
        network_settings=network,
        schedule_settings=ScheduleSettings.model_validate({"steps": 4}),
        scales=Scales(np.array([[8.0] * 3 + [90] * 3, [1.0] * 6]), np.array([[0.0] * 4, [1.0] * 4]),
                      np.array([[1.0], [0.5]]), ("density",)),
        library=toy_library(),
        embeddings=np.zeros((7, 4), np.float32),
        encoder=blocks,
        generative=new_generative(network, 4, 1, 0),
        latents=np.random.default_rng(0).normal(size=(24, LATENT)).astype(np.float32),
        info=FrameworkModelInfo("random"),
    )  # fmt: skip


@pytest.fixture
def latents(monkeypatch: pytest.MonkeyPatch) -> np.ndarray:
    """Latents of the toy store, put in the place of the encoder's, which knows nothing."""
    made = np.random.default_rng(1).normal(size=(24, LATENT)).astype(np.float32)
    monkeypatch.setattr(fitted_label, "encode", lambda *_: made)
    return made


def labelled(path: Path, values: np.ndarray) -> Path:
    """The toy store with one more label."""
    content = read_content(toy_store(path))
    entries = [
        replace(entry, framework=replace(entry.framework, labels=entry.framework.labels | {"capacity": float(value)}))
        for entry, value in zip(content.entries, values, strict=True)
    ]
    write_store(path, replace(content, entries=entries), overwrite=True)
    return path


def test_a_smooth_label_is_learnt_and_optimised(model: FrameworkModel, latents: np.ndarray, tmp_path: Path) -> None:
    path = labelled(tmp_path / "a.h5", np.exp(0.5 * latents[:, 0]))
    with FrameworkStore(path) as store:
        fitted, errors = with_label(model, store, "capacity")
    assert fitted.scales.names == ("density", "capacity") and errors.frameworks == 24
    assert errors.correlation > 0.8 and errors.mean_error < 0.6 * errors.spread
    wishes = Wishes(most=("capacity",))
    check_wishes(wishes, fitted.scales)
    with numerics("float32"):
        start = np.zeros((2, LATENT), np.float32)
        before = fitted.generative.heads.labels(jnp.asarray(latents))
        np.testing.assert_array_equal(before[:, :1], model.generative.heads.labels(jnp.asarray(latents)))
        told = fitted.scales.labels_out(np.asarray(before, np.float64))[:, 1]
        assert np.corrcoef(told, np.exp(0.5 * latents[:, 0]))[0, 1] > 0.95
        found = optimise_latents(fitted, start, wishes, Search(200, 0.02, 0.1))
    assert (found[:, 0] > 0.7).all() and (found[:, 0] > 1.5 * np.abs(found[:, 1:]).max(axis=1)).all()


def test_noise_is_not_learnt(model: FrameworkModel, latents: np.ndarray, tmp_path: Path) -> None:
    path = labelled(tmp_path / "a.h5", np.random.default_rng(3).uniform(1, 2, 24))
    with FrameworkStore(path) as store:
        fitted, errors = with_label(model, store, "capacity")
    assert errors.correlation < 0.5 and errors.mean_error > 0.85 * errors.spread
    with numerics("float32"):
        far = np.asarray(fitted.generative.heads.labels(jnp.full((1, LATENT), 1e3)))
    assert np.isfinite(far).all()


def test_errors_left_out_have_a_closed_form() -> None:
    """w_i / (K + n)^-1_ii is the error of framework i where it is left out."""
    x = np.random.default_rng(0).normal(size=(12, 2))
    true = np.sin(x[:, 0])
    kernel = np.exp(-0.5 * cdist(x, x, "sqeuclidean")) + 0.1 * np.eye(12)
    inverse = np.linalg.inv(kernel)
    others = np.arange(12) != 5
    alone = np.linalg.solve(kernel[others][:, others], true[others])
    expected = true[5] - kernel[5, others] @ alone
    assert (inverse @ true)[5] / inverse[5, 5] == pytest.approx(expected)


def test_too_few_labels_are_told(model: FrameworkModel, tmp_path: Path) -> None:
    with FrameworkStore(toy_store(tmp_path / "a.h5")) as store:
        with pytest.raises(HelioError, match=r"16 frameworks have the label 'co2_uptake', and 20 are needed"):
            with_label(model, store, "co2_uptake")
        with pytest.raises(HelioError, match="the model knows the label density already"):
            with_label(model, store, "density")

from __future__ import annotations

import jax.numpy as jnp
import numpy as np

from helio.frameworks.model.model_file import read_framework_model
from helio.precision import numerics


def test_the_model_in_the_package_is_what_its_card_says() -> None:
    model = read_framework_model("helio-frameworks")
    assert (model.info.name, model.info.licence, len(model.library)) == ("helio-frameworks", "MIT", 194)
    with numerics("float32"):
        reading = model.generative.read(jnp.asarray(model.latents))
        found = model.scales.labels_out(np.asarray(reading.labels, np.float64))
    blocks = np.asarray(reading.count).argmax(axis=1)
    assert model.proportions is not None and model.sites is not None and len(model.sites.kinds) == 1000
    assert 1 <= blocks.min() and blocks.max() <= 20
    density = found[:, model.scales.names.index("density")]
    void = found[:, model.scales.names.index("void_fraction")]
    assert 0.1 < np.median(density) < 2 and -0.05 < void.min() and void.max() < 1
    assert np.corrcoef(density, void)[0, 1] < -0.8  # as in any set of frameworks

"""What compiled layers do to single atoms, against the plain layer, in float64."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from helio.errors import HelioError
from helio.kernels import available, projected, updated, why_unavailable
from helio.network.layer import Layer
from helio.precision import numerics
from tests.kernels.layers import Sizes

pytestmark = pytest.mark.skipif(not available(), reason=str(why_unavailable()))

SMALL, PUBLISHED = Sizes(), Sizes(128, 4, (1, 2, 3, 4), 32, 32)
ODD = Sizes(24, 6, (1, 3), 8, 5)  # heads narrower than a register


@pytest.fixture(autouse=True)
def in_float64() -> Any:
    with numerics("float64"):
        yield


def layer(sizes: Sizes, dtype: str = "float64") -> Layer:
    """With biases and scales that are not those of the start."""
    rng = np.random.default_rng(2)
    made = Layer(
        features=sizes.features,
        num_heads=sizes.heads,
        degrees=sizes.degrees,
        num_radial=sizes.num_radial,
        spherical_hidden=sizes.hidden,
        average_neighbors=10.0,
        rng=rng,
    )
    return jax.tree.map(lambda leaf: jnp.asarray(np.asarray(leaf) + 0.1 * rng.normal(size=leaf.shape), dtype), made)


def values(sizes: Sizes, count: int, dtype: str = "float64", seed: int = 0) -> tuple[jax.Array, ...]:
    """x, dx, chi and dchi."""
    rng, widths = np.random.default_rng(seed), (sizes.features, sizes.features, sizes.components, sizes.components)
    return tuple(jnp.asarray(rng.normal(size=(count, width)), dtype) for width in widths)


def blocks(of: Layer) -> list[jax.Array]:
    return [projection.blocks for projection in (*of.query, *of.key, of.value)]


@pytest.mark.parametrize("sizes", [SMALL, PUBLISHED, ODD])
@pytest.mark.parametrize("count", [1, 70])
def test_projections_and_their_gradient(sizes: Sizes, count: int) -> None:
    made, x = layer(sizes), values(sizes, count)[0]
    weights = [values(sizes, count, seed=seed)[0] for seed in range(1, 6)]

    def plain(x: jax.Array) -> Any:
        results = [projection(x) for projection in (*made.query, *made.key, made.value)]
        return sum(jnp.sum(w * y) for w, y in zip(weights, results, strict=True)), results

    def compiled(x: jax.Array) -> Any:
        results = projected(blocks(made), x)
        return sum(jnp.sum(w * y) for w, y in zip(weights, results, strict=True)), list(results)

    assert_same(jax.grad(compiled, has_aux=True)(x), jax.grad(plain, has_aux=True)(x), 1e-12)


@pytest.mark.parametrize("first_layer", [False, True])
@pytest.mark.parametrize("sizes", [SMALL, PUBLISHED, ODD])
@pytest.mark.parametrize("count", [1, 70])
def test_the_update_and_its_gradient(sizes: Sizes, count: int, first_layer: bool) -> None:
    made, (x, dx, chi, dchi) = layer(sizes), values(sizes, count)
    atoms = (x, dx, None if first_layer else chi, dchi)

    assert_same(update_results(made, atoms, compiled=True), update_results(made, atoms, compiled=False), 1e-11)


def test_float32_is_as_exact_as_the_plain_update() -> None:
    exact = update_results(layer(PUBLISHED), values(PUBLISHED, 40), compiled=False)
    single = layer(PUBLISHED, "float32"), values(PUBLISHED, 40, "float32")
    assert_same(update_results(*single, compiled=True), exact, 3e-5)


def test_a_batch_equals_its_elements() -> None:
    made, one = layer(SMALL), values(SMALL, 5)
    several = [values(SMALL, 5, seed=seed) for seed in range(3)]
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *[(x, dx, dchi) for x, dx, _, dchi in several])

    def evaluate(x: Any, dx: Any, dchi: Any) -> Any:  # chi does not vary along the batch
        return update_results(made, (x, dx, one[2], dchi), compiled=True)

    batched = jax.vmap(evaluate)(*stacked)
    alone = [evaluate(x, dx, dchi) for x, dx, _, dchi in several]
    assert_same(batched, jax.tree.map(lambda *leaves: jnp.stack(leaves), *alone), 0)


def test_other_derivatives_are_refused() -> None:
    made, (x, dx, chi, dchi) = layer(SMALL), values(SMALL, 3)
    rest = made._update_weights(), made._update_settings()
    with pytest.raises(HelioError, match="first derivatives only"):
        jax.grad(lambda w: updated(w, rest[1], x, dx, chi, dchi)[0].sum())(rest[0])
    with pytest.raises(HelioError, match="first derivatives only"):
        jax.grad(lambda b: projected(b, x)[0].sum())(blocks(made))
    with pytest.raises(HelioError, match="first derivatives only"):
        jax.hessian(lambda x: updated(*rest, x, dx, chi, dchi)[0].sum())(x)


def update_results(made: Layer, atoms: tuple[Any, ...], *, compiled: bool) -> Any:
    """New features and Euclidean variables, and gradients of a weighted sum of both in what they depend on."""

    def loss(atoms: tuple[Any, ...]) -> Any:
        x, dx, chi, dchi = atoms
        if compiled:
            new = updated(made._update_weights(), made._update_settings(), x, dx, chi, dchi)
        else:
            new = made._updated(x, dx, chi, dchi)
        weights = [jnp.asarray(np.random.default_rng(7).normal(size=part.shape), part.dtype) for part in new]
        return sum(jnp.sum(w * part) for w, part in zip(weights, new, strict=True)), new

    return jax.grad(loss, has_aux=True)(atoms)


def assert_same(left: Any, right: Any, tolerance: float) -> None:
    for a, b in zip(jax.tree.leaves(left), jax.tree.leaves(right), strict=True):
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance * float(np.abs(b).max()))

"""Tables of radial filters, against the networks that they stand for."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from helio.kernels import TabulatedFilters, supports
from helio.kernels.tables import NEAREST, TOLERANCES
from helio.network.radial import bernstein_basis
from helio.precision import Precision, numerics
from tests.kernels.layers import CUTOFF, GAMMA, Sizes, random_filters, table_filters, tables

SIZES = Sizes(128, 4, (1, 2, 3, 4), 32, 32)


@pytest.mark.parametrize("precision", ["float32", "float64"])
@pytest.mark.parametrize("first_layer", [True, False])
def test_values_and_slopes_are_those_of_the_networks(first_layer: bool, precision: Precision):
    filters = random_filters(SIZES, 1)
    tabulated = tables(filters, SIZES, first_layer=first_layer, precision=precision)
    largest = np.abs(tabulated.table[:, 0]).max()
    with numerics("float64"):
        distances = jnp.asarray(np.random.default_rng(0).uniform(NEAREST, CUTOFF, size=500))
        exact = jax.tree.map(lambda leaf: jnp.asarray(leaf, "float64"), filters)
        invariants = jnp.zeros((1, 4)) if first_layer else jnp.full((1, 4), 0.3)
        for own, read in zip(exact, table_filters(tabulated, first_layer=first_layer), strict=True):

            def network(distance: jax.Array, own=own) -> jax.Array:
                return own(bernstein_basis(distance, size=32, gamma=GAMMA), invariants)

            def table(distance: jax.Array, read=read) -> jax.Array:
                return read(distance[:, None], invariants)

            ahead = jnp.ones_like(distances)
            value, slope = jax.jvp(network, (distances,), (ahead,))
            found, found_slope = jax.jvp(table, (distances,), (ahead,))
            assert float(jnp.abs(value - found).max()) < 1.2 * tabulated.error * largest
            assert float(jnp.abs(slope - found_slope).max()) < 1.2 * tabulated.slope_error * largest
    tolerance, slope_tolerance = TOLERANCES[precision]
    assert 0 < tabulated.error < tolerance and 0 < tabulated.slope_error < slope_tolerance


def test_errors_fall_with_the_fourth_and_third_power_of_the_knots():
    filters = random_filters(SIZES, 2)
    few, many = (tables(filters, SIZES, first_layer=False, knots=knots) for knots in (256, 512))
    assert (few.knots, many.knots) == (256, 512)
    assert few.error / many.error == pytest.approx(16, rel=0.2)
    assert few.slope_error / many.slope_error == pytest.approx(8, rel=0.2)


def test_every_distance_has_its_place():
    """Down to zero, where the networks' own basis takes the logarithm of zero."""
    tabulated = tables(random_filters(SIZES, 1), SIZES, first_layer=True, knots=128)
    assert isinstance(tabulated, TabulatedFilters)
    assert np.isfinite(tabulated.table).all()
    with numerics("float64"):
        read, _ = table_filters(tabulated, first_layer=True)
        last = read(jnp.asarray([[0.0]]), jnp.zeros((1, 4)))
        assert np.allclose(last, tabulated.table[-1, 0, :128], rtol=1e-12)


def test_which_sizes_are_supported():
    assert supports(128, 4, (1, 2, 3, 4))
    assert supports(24, 6, (1, 3))
    assert not supports(24, 4, (1, 2, 3, 4))  # heads of six features
    assert not supports(128, 4, (1, 5))

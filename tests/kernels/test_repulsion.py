"""The compiled repulsion of nuclei, against the plain one and finite differences."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from helio.errors import HelioError
from helio.kernels import available, why_unavailable
from helio.neighbors import half_pairs, host_list
from helio.physics import pair
from helio.physics.compiled import compiled_repulsion
from helio.physics.zbl import ZBL
from helio.precision import numerics

pytestmark = pytest.mark.skipif(not available(), reason=str(why_unavailable()))

CUTOFF, REACH = 4.5, 1.5
CELL = np.array([[4.1, 0.2, 0.1], [-0.3, 4.5, 0.4], [0.5, -0.2, 4.0]])  # shorter than twice the list's cutoff


@pytest.fixture(autouse=True)
def in_float64() -> Any:
    with numerics("float64"):
        yield


def crowd(periodic: bool) -> tuple[Any, ...]:
    """Atoms closer to each other than they like, the last row of the list free."""
    rng = np.random.default_rng(4)
    positions = rng.uniform(0, 4, size=(25, 3))
    box = CELL if periodic else np.zeros((3, 3))
    neighbors = jax.tree.map(
        jnp.asarray, host_list(positions, box, (periodic, periodic, periodic), cutoff=CUTOFF, rows=26)
    )
    placed = np.concatenate([positions, np.zeros((1, 3))])
    numbers = np.append(rng.choice([1, 6, 7, 8, 17], size=25), 0)
    return jnp.asarray(numbers), jnp.asarray(placed), jnp.asarray(box), neighbors


def zbl(dtype: str = "float64") -> ZBL:
    return jax.tree.map(lambda leaf: jnp.asarray(leaf, dtype), ZBL.universal())


def energies(numbers: Any, positions: Any, cell: Any, neighbors: Any, *, compiled: bool) -> jax.Array:
    terms = zbl(str(positions.dtype))
    if compiled:
        return compiled_repulsion(terms, numbers, positions, cell, neighbors, cutoff=CUTOFF, reach=REACH)
    short = pair.measure(half_pairs(neighbors, positions, cell), CUTOFF)
    return pair.per_atom(pair.zbl_energies(terms, numbers, short, cutoff=CUTOFF, reach=REACH), short, len(numbers))


def results(crowded: tuple[Any, ...], *, compiled: bool) -> Any:
    """Energies, and gradients of a weighted sum in positions and cell."""
    numbers, positions, cell, neighbors = crowded

    def loss(positions: Any, cell: Any) -> Any:
        found = energies(numbers, positions, cell, neighbors, compiled=compiled)
        return jnp.sum(found * jnp.asarray(np.random.default_rng(1).normal(size=26), found.dtype)), found

    return jax.grad(loss, argnums=(0, 1), has_aux=True)(positions, cell)


@pytest.mark.parametrize("periodic", [False, True])
def test_energies_and_gradients(periodic: bool) -> None:
    crowded = crowd(periodic)
    compiled, plain = results(crowded, compiled=True), results(crowded, compiled=False)
    assert float(plain[1].sum()) > 1  # eV: there is something to compare
    for a, b in zip(jax.tree.leaves(compiled), jax.tree.leaves(plain), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-11 * float(np.abs(b).max()))


def test_float32() -> None:
    exact, single = crowd(True), crowd(True)
    single = (single[0], *(jnp.asarray(values, "float32") for values in single[1:3]), single[3])
    for a, b in zip(
        jax.tree.leaves(results(single, compiled=True)), jax.tree.leaves(results(exact, compiled=False)), strict=True
    ):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5 * float(np.abs(b).max()))


def test_forces_are_the_gradient_of_the_energy() -> None:
    numbers, positions, cell, neighbors = crowd(True)

    def total(positions: Any) -> jax.Array:
        return energies(numbers, positions, cell, neighbors, compiled=True).sum()

    gradient, step = jax.grad(total)(positions), 1e-5
    for atom, axis in [(0, 0), (7, 1), (24, 2)]:
        moved = jnp.zeros_like(positions).at[atom, axis].set(step)
        slope = (total(positions + moved) - total(positions - moved)) / (2 * step)
        np.testing.assert_allclose(gradient[atom, axis], slope, rtol=1e-6, atol=1e-7)


def test_in_a_batch() -> None:
    numbers, positions, cell, neighbors = crowd(True)
    several = jnp.stack([positions, positions * 1.01, positions * 0.99])

    def evaluate(positions: Any) -> Any:
        return results((numbers, positions, cell, neighbors), compiled=True)

    for batched, *alone in zip(
        *(jax.tree.leaves(tree) for tree in (jax.vmap(evaluate)(several), *map(evaluate, several))), strict=True
    ):
        np.testing.assert_array_equal(batched, np.stack(alone))


def test_what_is_not_a_number_is_seen() -> None:
    numbers, positions, cell, neighbors = crowd(True)
    found = energies(numbers, positions.at[3, 0].set(jnp.nan), cell, neighbors, compiled=True)
    assert np.isnan(np.asarray(found)).any()


def test_gradients_in_parameters_are_refused() -> None:
    numbers, positions, cell, neighbors = crowd(False)
    with pytest.raises(HelioError, match="first derivatives only"):
        jax.grad(
            lambda terms: compiled_repulsion(
                terms, numbers, positions, cell, neighbors, cutoff=CUTOFF, reach=REACH
            ).sum()
        )(zbl())

"""Waves of pairs; the network under rotations, moves, permutations and padding, in float64."""

from __future__ import annotations

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from ase.geometry.cell import cellpar_to_cell
from scipy.stats import special_ortho_group

from helio.frameworks.model.equivariant import EquivariantNetwork
from helio.frameworks.model.pairs import make_pairs, wave_vectors
from helio.frameworks.model.torus import reduced
from helio.precision import numerics

REACH = 4
CELLS = [(10, 12, 14, 80, 95, 100), (3.1, 15.6, 31, 85, 90, 84), (10, 10, 10, 60, 60, 60)]


def system(parameters: tuple[float, ...], blocks: int = 4) -> tuple[np.ndarray, np.ndarray]:
    cell, _ = reduced(np.asarray(cellpar_to_cell(parameters)), np.zeros((1, 3)))
    return np.random.default_rng(3).random((blocks, 3)), cell


def pairs_of(fractional: np.ndarray, cell: np.ndarray, mask: np.ndarray | None = None):
    real = np.ones(len(fractional), bool) if mask is None else mask
    return make_pairs(jnp.asarray(fractional), jnp.asarray(cell), jnp.asarray(real), reach=REACH)


def test_waves_are_those_of_fractional_differences() -> None:
    fractional, cell = system(CELLS[0])
    with numerics("float64"):
        found = pairs_of(fractional, cell)
    vectors = wave_vectors(REACH)
    phase = 2 * np.pi * (fractional[None] - fractional[:, None]) @ vectors.T
    assert np.asarray(found.waves) == pytest.approx(np.concatenate([np.sin(phase), np.cos(phase)], -1), abs=1e-12)
    assert np.linalg.det(np.asarray(found.cell)) == pytest.approx(np.sign(np.linalg.det(cell)))


def test_wave_vectors_are_each_counted_once_in_both_directions() -> None:
    short = {tuple(k) for k in wave_vectors(REACH).tolist()}
    assert len(short) == len(wave_vectors(REACH)) and not short & {tuple(-n for n in k) for k in short}
    near = [k for k in itertools.product((-2, -1, 0, 1, 2), repeat=3) if 0 < np.dot(k, k) <= 6]
    assert len(short) == len(near) / 2 + 3 * (REACH - 2)
    assert {(0, 0, 3), (0, 4, 0), (4, 0, 0)} < short


@pytest.fixture(scope="module")
def network() -> EquivariantNetwork:
    rng = np.random.default_rng(5)
    made = EquivariantNetwork(3, 4, features=8, pair=6, reach=REACH, layers=2, rng=rng)
    with numerics("float64"):
        return jax.tree.map(lambda leaf: jnp.asarray(np.asarray(leaf), jnp.float64), made)


def run(network: EquivariantNetwork, scalars: np.ndarray, fractional: np.ndarray, cell: np.ndarray, mask=None):
    with numerics("float64"):
        out, vectors = network(jnp.asarray(scalars), pairs_of(fractional, cell, mask))
    return np.asarray(out), np.asarray(vectors)


SCALARS = np.random.default_rng(4).normal(size=(4, 3))


@pytest.mark.parametrize("parameters", CELLS[:2])
def test_vectors_turn_with_the_crystal_and_scalars_stay(network: EquivariantNetwork, parameters) -> None:
    fractional, cell = system(parameters)
    out, vectors = run(network, SCALARS, fractional, cell)
    assert np.abs(vectors).max() > 1e-3
    rotation = special_ortho_group.rvs(3, random_state=7)
    for turn in (rotation, -rotation):
        turned_out, turned = run(network, SCALARS, fractional, cell @ turn)
        assert turned_out == pytest.approx(out, abs=1e-10)
        assert turned == pytest.approx(vectors @ turn, abs=1e-10)


def test_moving_the_crystal_on_the_torus_changes_nothing(network: EquivariantNetwork) -> None:
    fractional, cell = system(CELLS[0])
    out, vectors = run(network, SCALARS, fractional, cell)
    moved = (fractional + np.array([0.37, 0.81, 0.12])) % 1
    assert (np.abs(moved - fractional) > 0.4).any()
    moved[1] += [1, -2, 0]  # another image of one block
    for found, expected in zip(run(network, SCALARS, moved, cell), (out, vectors), strict=True):
        assert found == pytest.approx(expected, abs=1e-10)


def test_another_order_of_blocks_gives_the_same_in_that_order(network: EquivariantNetwork) -> None:
    fractional, cell = system(CELLS[0])
    order = np.array([2, 0, 3, 1])
    out, vectors = run(network, SCALARS, fractional, cell)
    found = run(network, SCALARS[order], fractional[order], cell)
    assert found[0] == pytest.approx(out[order], abs=1e-12) and found[1] == pytest.approx(vectors[order], abs=1e-12)


def test_padding_changes_nothing(network: EquivariantNetwork) -> None:
    fractional, cell = system(CELLS[0])
    out, vectors = run(network, SCALARS, fractional, cell)
    random, mask = np.random.default_rng(8), np.arange(6) < 4
    more = np.concatenate([SCALARS, random.normal(size=(2, 3))]), np.concatenate([fractional, random.random((2, 3))])
    found = run(network, *more, cell, mask)
    assert found[0][:4] == pytest.approx(out, abs=1e-12) and found[1][:4] == pytest.approx(vectors, abs=1e-12)

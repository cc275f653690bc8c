"""Wrapping, nearest images and reduced cells against brute force on skewed cells."""

from __future__ import annotations

import itertools

import jax.numpy as jnp
import numpy as np
import pytest
from ase.geometry.cell import cellpar_to_cell

from helio.cells import inverse
from helio.frameworks.model.torus import (
    cell_matrix,
    cell_parameters,
    length_unit,
    minimum_image,
    reduced,
    widths,
    wrap,
)
from helio.precision import numerics

SKEWED = [
    (10, 10, 10, 60, 60, 60),
    (8, 12, 30, 75, 100, 120),
    (21.97, 21.97, 43.7, 94.96, 94.96, 11.44),
    (9, 9, 9, 35, 40, 50),
]


def brute_force(difference: np.ndarray, cell: np.ndarray, reach: int = 9) -> np.ndarray:
    images = np.array(list(itertools.product(range(-reach, reach + 1), repeat=3)))
    return np.linalg.norm((difference[:, None] + images) @ cell, axis=-1).min(axis=1)


@pytest.mark.parametrize("parameters", SKEWED)
def test_nearest_image_is_that_of_brute_force(parameters: tuple[float, ...]) -> None:
    cell = np.asarray(cellpar_to_cell(parameters))
    random = np.random.default_rng(1)
    one, other = random.random((2, 40, 3))
    exact = brute_force(other - one, cell)
    small, start = reduced(cell, one)
    _, end = reduced(cell, other)
    with numerics("float64"):
        vectors, fractional = minimum_image(jnp.asarray(end - start), jnp.asarray(small))
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(exact, abs=1e-10)
    assert np.asarray(fractional) @ small == pytest.approx(np.asarray(vectors), abs=1e-10)
    shifts = np.asarray(fractional) - (end - start)
    assert shifts == pytest.approx(np.round(shifts), abs=1e-10)


@pytest.mark.parametrize("parameters", SKEWED)
def test_reduced_cell_is_another_cell_of_the_same_lattice(parameters: tuple[float, ...]) -> None:
    cell = np.asarray(cellpar_to_cell(parameters))
    small, _ = reduced(cell, np.zeros((1, 3)))
    change = small @ np.linalg.inv(cell)
    assert change == pytest.approx(np.round(change), abs=1e-8)
    assert abs(np.linalg.det(change)) == pytest.approx(1)
    assert np.linalg.norm(small, axis=1).max() <= np.linalg.norm(cell, axis=1).max() + 1e-9
    assert reduced(small, np.zeros((1, 3)))[0] == pytest.approx(small, abs=1e-8)


def test_places_are_wrapped_into_the_cell_even_from_just_below_it() -> None:
    wrapped = np.asarray(wrap(jnp.array([-1e-9, 1.0, 2.25, -0.25], jnp.float32)))
    assert wrapped.tolist() == [0.0, 0.0, 0.25, 0.75]


@pytest.mark.parametrize("parameters", SKEWED[:2])
def test_cells_and_their_parameters(parameters: tuple[float, ...]) -> None:
    cell = cell_matrix(parameters)
    assert cell_parameters(cell) == pytest.approx(parameters)
    volume = abs(np.linalg.det(cell))
    faces = [np.linalg.norm(np.cross(cell[(i + 1) % 3], cell[(i + 2) % 3])) for i in range(3)]
    with numerics("float64"):
        assert widths(jnp.asarray(cell)).tolist() == pytest.approx([volume / face for face in faces])
        assert float(length_unit(jnp.asarray(cell))) == pytest.approx(volume ** (1 / 3))
        assert np.asarray(inverse(jnp.asarray(cell))) @ cell == pytest.approx(np.eye(3), abs=1e-12)


def test_angles_that_no_cell_has() -> None:
    with pytest.raises(ValueError, match="no cell with the parameters"):
        cell_matrix((10, 10, 10, 60, 60, 130))

"""Dispersion beyond the cutoff against sums written out over images, in float64."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from helio.physics import dispersion, dispersion_tail
from helio.physics.free_atoms import free_atom_table
from helio.physics.switching import exponential_switch
from helio.precision import numerics
from helio.units import BOHR, HARTREE

CELL = np.array([[7.0, 0.2, 0.1], [-0.3, 7.5, 0.4], [0.5, -0.2, 22.0]])  # of a layer: far from uniform
NUMBERS = np.array([1, 6, 8, 17, 6, 7, 1])
CUTOFF, WIDTH = 8.0, 2.0  # A
ELEMENTS = (1, 6, 7, 8, 17)


@pytest.fixture(autouse=True)
def in_float64() -> Iterator[None]:
    with numerics("float64"):
        yield


def atoms() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Positions in A, polarizabilities and C6 in the molecule."""
    rng = np.random.default_rng(4)
    ratios = rng.uniform(0.6, 1.1, len(NUMBERS))
    free = free_atom_table()[NUMBERS]
    return rng.uniform(0, [1, 1, 0.25], (len(NUMBERS), 3)) @ CELL, free[:, 0] * ratios, free[:, 1] * ratios**2


def on_mesh(positions, polarizability, strain=None, *, spacing: float = 0.3) -> jax.Array:
    """Energy in eV."""
    deformation = jnp.eye(3) + (jnp.zeros((3, 3)) if strain is None else strain)
    x, y, z = (int(np.ceil(np.linalg.norm(row) / spacing)) for row in CELL)
    where = jnp.asarray(positions) @ deformation, jnp.asarray(CELL) @ deformation
    known = jnp.asarray(polarizability), jnp.asarray(NUMBERS)
    return dispersion_tail.mesh_energies(
        *known, *where, mesh=(x, y, z), elements=ELEMENTS, cutoff=CUTOFF, switch_width=WIDTH
    ).sum()


def pairs_within(positions: np.ndarray, reach: float) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Distances below `reach` (A) of all pairs of an atom and an image of another or itself, and both atoms."""
    most = [int(reach / height) + 2 for height in (6.9, 7.4, 21.9)]
    for shift in itertools.product(*(range(-m, m + 1) for m in most)):
        vectors = positions[None, :] + np.array(shift) @ CELL - positions[:, None]
        distance = np.linalg.norm(vectors, axis=-1)
        i, j = np.nonzero((distance < reach) & (distance > 0))
        yield distance[i, j], i, j


def test_waves_are_the_transform_by_quadrature() -> None:
    wave = np.array([0.0, 0.03, 0.4, 1.7, 4.0])
    r = np.linspace(6.0, 500.0, 2_000_001)
    switch = np.where(r < 8.0, np.asarray(exponential_switch(jnp.asarray((r - 6.0) / 2.0))), 0.0)
    for n in (6, 8):
        expected = [np.trapezoid(-(1 - switch) * r**-n * 4 * np.pi * r**2 * np.sinc(k * r / np.pi), r) for k in wave]
        found = dispersion_tail._waves(wave, n, CUTOFF, WIDTH)
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6 * abs(expected[0]))


def test_mesh_holds_what_the_cutoff_leaves_of_a_lattice_sum() -> None:
    positions, polarizability, c6 = atoms()
    left, far = 0.0, 60.0
    for distance, i, j in pairs_within(positions, far):
        x = c6 / polarizability**2
        pair_c6 = polarizability[i] * polarizability[j] * 2 * x[i] * x[j] / (x[i] + x[j])
        switch = np.asarray(exponential_switch(jnp.asarray((distance - 6.0) / 2.0)))
        left -= np.sum(pair_c6 * (1 - switch) * (BOHR / distance) ** 6) / 2
    x = c6 / polarizability**2
    all_c6 = np.sum(np.outer(polarizability, polarizability) * 2 * np.outer(x, x) / (x[:, None] + x))
    volume = abs(np.linalg.det(CELL))
    c6_beyond = -2 * np.pi / 3 * all_c6 * BOHR**6 / (volume * far**3)
    uniform = dispersion_tail._waves(np.zeros(1), 6, 8.0, 2.0)[0] * BOHR**6 * all_c6 / (2 * volume)
    expected = HARTREE * (left + c6_beyond - uniform)  # of the waves k != 0

    whole = float(on_mesh(positions, polarizability))
    isotropic = float(
        dispersion_tail.isotropic_energies(
            jnp.asarray(polarizability), jnp.asarray(NUMBERS), jnp.asarray(CELL), cutoff=CUTOFF, switch_width=WIDTH
        ).sum()
    )
    assert whole - isotropic == pytest.approx(expected, abs=2e-3 * abs(isotropic))
    assert abs(expected) > 0.1 * abs(isotropic)


def test_isotropic_tail_is_the_integral_over_pairs() -> None:
    """All terms of the pair energy, of free atoms, whose oscillator lengths the tail takes."""
    free = free_atom_table()[NUMBERS]
    volume = abs(np.linalg.det(CELL))
    r = np.concatenate([np.linspace(6.0, 8.0, 20_001), np.geomspace(8.0, 40_000.0, 400_001)[1:]])
    switch = np.where(r < 8.0, np.asarray(exponential_switch(jnp.asarray((r - 6.0) / 2.0))), 0.0)
    expected = 0.0
    for i, j in itertools.product(range(len(NUMBERS)), repeat=2):
        values = (free[i, 0], free[j, 0], free[i, 1], free[j, 1])
        energy = np.asarray(dispersion.pair_energy(jnp.asarray(r), *map(jnp.asarray, values), scale=1e-3))
        expected += np.trapezoid(energy * (1 - switch) * 4 * np.pi * r**2, r) / (2 * volume)
    found = dispersion_tail.isotropic_energies(
        jnp.asarray(free[:, 0]), jnp.asarray(NUMBERS), jnp.asarray(CELL), cutoff=CUTOFF, switch_width=WIDTH
    ).sum()
    assert float(found) == pytest.approx(expected, rel=1e-6)


def test_derivatives_are_those_of_the_energy() -> None:
    positions, polarizability, _ = atoms()
    gradients = jax.jit(jax.grad(lambda r, a, s: on_mesh(r, a, s, spacing=0.7), argnums=(0, 1, 2)))(
        jnp.asarray(positions), jnp.asarray(polarizability), jnp.zeros((3, 3))
    )
    energy = jax.jit(lambda r, a, s: on_mesh(r, a, s, spacing=0.7))
    rng = np.random.default_rng(0)
    step = 1e-4
    for place, shape in enumerate([(len(NUMBERS), 3), (len(NUMBERS),), (3, 3)]):
        direction = rng.normal(size=shape)
        ends = []
        for sign in (1, -1):
            values = [positions, polarizability, np.zeros((3, 3))]
            values[place] = values[place] + sign * step * direction
            ends.append(float(energy(*map(jnp.asarray, values))))
        slope = (ends[0] - ends[1]) / (2 * step)
        assert slope == pytest.approx(float(np.sum(np.asarray(gradients[place]) * direction)), rel=1e-6, abs=1e-9)

"""The particle mesh against the exact sum of `ewald`, in float64."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import ase.io
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from ase import Atoms

from helio.errors import HelioError
from helio.neighbors import reciprocal_vectors
from helio.physics import ewald, pme
from helio.precision import numerics

WATER = Path(__file__).parents[1] / "reference/water_64.extxyz"
FAST_TO_COMPILE = {"xla_backend_optimization_level": 0}
SIGMA = 4.0  # A, that of the published model
CELLS = {
    "cubic": 20 * np.eye(3),
    "triclinic": np.array([[18.0, 0, 0], [7, 16, 0], [-6, 5, 20]]),
    "flat": np.diag([30.0, 28, 7]),
    "small": 6 * np.eye(3),
    "skewed": np.array([[12.0, 0, 0], [12, 12, 0], [-10, 11, 14]]),
}
System = tuple[jax.Array, jax.Array, jax.Array]


def random_system(name: str, *, count: int = 60) -> System:
    """Positions in the cell and beyond, charges (not neutral) and cell."""
    rng = np.random.default_rng(3)
    cell = CELLS[name]
    positions = rng.uniform(-1.5, 1.5, (count, 3)) @ cell
    return jnp.asarray(positions), jnp.asarray(rng.normal(0.01, 0.5, count)), jnp.asarray(cell)


def derivatives(energies: Callable[..., jax.Array], system: System, weights: jax.Array) -> list[jax.Array]:
    """Energies per atom, and the gradients of their weighted sum by positions, charges and strain."""

    def energy(positions: jax.Array, charges: jax.Array, strain: jax.Array) -> tuple[jax.Array, jax.Array]:
        cell = system[2]
        atomic = energies(positions + positions @ strain, charges, cell + cell @ strain)
        return weights @ atomic, atomic

    gradient = jax.jit(jax.grad(energy, argnums=(0, 1, 2), has_aux=True), compiler_options=FAST_TO_COMPILE)
    found, atomic = gradient(*system[:2], jnp.zeros((3, 3)))
    return [atomic, *found]


def exact(system: System, weights: jax.Array) -> list[jax.Array]:
    triples = reciprocal_vectors(np.asarray(system[2]), longest=ewald.longest_wave_vector(SIGMA))
    return derivatives(lambda r, q, c: ewald.atomic_energies(r, q, c, jnp.asarray(triples), SIGMA), system, weights)


def on_mesh(system: System, weights: jax.Array, *, mesh: pme.Mesh, order: int) -> list[jax.Array]:
    return derivatives(lambda r, q, c: pme.atomic_energies(r, q, c, mesh, order, SIGMA), system, weights)


def relative(found: jax.Array, expected: jax.Array) -> float:
    """Root mean square error over root mean square."""
    return float(jnp.sqrt(jnp.mean((found - expected) ** 2) / jnp.mean(expected**2)))


@pytest.mark.parametrize("name", ["flat", "small", "skewed"])
def test_equals_the_exact_sum_on_a_fine_mesh(name: str):
    with numerics("float64"):
        system = random_system(name)
        # With weights of their own, the energies of single atoms are told apart.
        weights = jnp.asarray(np.random.default_rng(5).normal(size=len(system[1])))
        mesh = pme.mesh_for(CELLS[name], SIGMA, 1e-9, 8)
        found = on_mesh(system, weights, mesh=mesh, order=8)
        assert max(map(relative, found, exact(system, weights))) < 1e-8


@pytest.mark.parametrize(
    ("name", "order", "tolerances"),
    [
        ("cubic", 6, (1e-3, 1e-4, 1e-5)),
        ("triclinic", 6, (1e-3, 1e-4, 1e-5)),
        ("flat", 6, (1e-3, 1e-4, 1e-5)),
        ("triclinic", 4, (1e-4,)),
        ("small", 7, (1e-5,)),
    ],
)
def test_forces_are_as_accurate_as_asked_for(name: str, order: int, tolerances: tuple[float, ...]):
    with numerics("float64"):
        system = random_system(name)
        weights = jnp.ones_like(system[1])
        _, forces, _, virial = exact(system, weights)
        for tolerance in tolerances:
            mesh = pme.mesh_for(CELLS[name], SIGMA, tolerance, order)
            found = on_mesh(system, weights, mesh=mesh, order=order)
            error = relative(found[1], forces)
            assert error < tolerance
            assert relative(found[3], virial) < tolerance
            if min(mesh) > order:  # and no mesh is much finer than need be
                assert error > tolerance / 20


def test_forces_in_water_are_as_accurate_as_asked_for():
    # Neutral molecules: long waves, which a mesh renders best, are weaker than among random charges.
    atoms = ase.io.read(WATER)
    assert isinstance(atoms, Atoms)
    cell = atoms.cell.array
    with numerics("float64"):
        charges = np.where(atoms.numbers == 8, -0.8, 0.4)
        system = (jnp.asarray(atoms.positions), jnp.asarray(charges), jnp.asarray(cell))
        weights = jnp.ones(len(atoms))
        expected = exact(system, weights)
        for tolerance in (1e-3, 1e-4, 1e-5):
            found = on_mesh(system, weights, mesh=pme.mesh_for(cell, SIGMA, tolerance), order=pme.ORDER)
            assert relative(found[1], expected[1]) < 1.5 * tolerance


def test_gradients_equal_differences_of_the_very_energy():
    # On a mesh far too coarse to be right, so that agreement with the exact sum is no help.
    with numerics("float64"):
        positions, charges, cell = random_system("triclinic")

        @jax.jit
        def energy(step: jax.Array, way: jax.Array, strain: jax.Array, flow: jax.Array) -> jax.Array:
            deformation = jnp.eye(3) + step * strain
            atomic = pme.atomic_energies(
                (positions + step * way) @ deformation, charges + step * flow, cell @ deformation, (6, 7, 5), 5, SIGMA
            )
            return jnp.sum(atomic * jnp.cos(jnp.arange(60.0)))

        rng = np.random.default_rng(8)
        ways = [jnp.asarray(rng.normal(size=shape)) for shape in ((60, 3), (3, 3), (60,))]
        for chosen in range(3):
            arguments = [way if n == chosen else 0 * way for n, way in enumerate(ways)]
            step = 1e-5
            numeric = (energy(jnp.asarray(step), *arguments) - energy(jnp.asarray(-step), *arguments)) / (2 * step)
            analytic = jax.grad(energy)(jnp.asarray(0.0), *arguments)
            assert float(analytic) == pytest.approx(float(numeric), rel=1e-7)


def test_moving_all_atoms_changes_little():
    with numerics("float64"):
        positions, charges, cell = random_system("triclinic")
        mesh = pme.mesh_for(CELLS["triclinic"], SIGMA, 1e-5)
        energy = jax.jit(lambda r: pme.atomic_energies(r, charges, cell, mesh, pme.ORDER, SIGMA).sum())
        moved = [float(energy(positions + step * jnp.asarray([[0.3, 0.5, -0.2]]))) for step in range(4)]
        assert np.ptp(moved) < 1e-6 * abs(moved[0])
        # By whole cells: nothing but rounding.
        images = jnp.asarray(np.random.default_rng(0).integers(-3, 4, positions.shape), float)
        assert float(energy(positions + images @ cell)) == pytest.approx(moved[0], rel=1e-12)


def test_single_precision():
    with numerics("float64"):
        system = random_system("triclinic")
        expected = exact(system, jnp.ones(60))
    positions, charges, cell = (jnp.asarray(np.asarray(part), jnp.float32) for part in system)
    mesh = pme.mesh_for(CELLS["triclinic"], SIGMA, 1e-6)
    found = on_mesh((positions, charges, cell), jnp.ones(60), mesh=mesh, order=pme.ORDER)
    assert all(part.dtype == jnp.float32 for part in found)
    for single, double in zip(found, expected, strict=True):
        error = np.asarray(single) - np.asarray(double)
        assert np.sqrt(np.mean(error**2) / np.mean(np.asarray(double) ** 2)) < 2e-5


def test_atoms_on_the_border_of_the_cell():
    # In float32 a fractional coordinate just below zero is one after whole cells are taken off.
    cell = jnp.eye(3) * 10.0
    places = jnp.asarray([[-1e-9, 0, 0], [10.0, 10.0, -1e-8], [5.0, 5.0, 5.0]])
    inside = jnp.asarray([[0.0, 0, 0], [0, 0, 0], [5.0, 5.0, 5.0]])
    charges = jnp.asarray([1.0, 0.5, -1.5])
    energies = [pme.atomic_energies(r, charges, cell, (10, 9, 8), 6, 2.0) for r in (places, inside)]
    np.testing.assert_allclose(*energies, rtol=1e-5)


def max_prime(number: int) -> int:
    return max(n for n in range(2, number + 1) if number % n == 0 and all(n % m for m in range(2, n)))


def test_sizes_of_meshes():
    for order in (4, 6):
        for tolerance in (1e-2, 1e-4):
            cell = np.diag([3.0, 41.0, 83.0])
            mesh = pme.mesh_for(cell, SIGMA, tolerance, order)
            assert min(mesh) >= order
            assert all(max_prime(size) <= 7 for size in mesh)
            assert sorted(mesh) == list(mesh)
    # Per length, a mesh does not depend on the size of a large cell.
    assert (
        pme.mesh_for(np.diag([42.0, 42, 84]), SIGMA, 1e-4)[0] == pme.mesh_for(np.diag([42.0, 42, 42]), SIGMA, 1e-4)[0]
    )


@pytest.mark.parametrize(("tolerance", "order"), [(1e-4, 3), (0.0, 6), (1.0, 6), (float("nan"), 6)])
def test_meshes_that_cannot_be(tolerance: float, order: int):
    with pytest.raises(HelioError, match="order of at least 4"):
        pme.mesh_for(np.eye(3) * 10, SIGMA, tolerance, order)

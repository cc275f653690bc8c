"""Fixed distances against their definition, and against motions that are known exactly."""

from __future__ import annotations

from functools import partial
from typing import Any

import ase.build
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from ase import Atoms
from scipy.special import ellipk

from helio.errors import HelioError
from helio.precision import Precision, numerics
from helio.simulate.constraints import Constraints
from helio.simulate.rigid import WATER_ANGLE, WATER_LENGTH, fixed_hydrogen_bonds, rigid_water
from helio.system import System

project_positions = jax.jit(Constraints.project_positions)
project_momenta = jax.jit(Constraints.project_momenta)
displacement = jax.jit(Constraints.displacement)


def mixture() -> Atoms:
    """Clusters of one (O-H), two, three (water, CH3) and four (methane) distances, and atoms in none."""
    atoms = Atoms()
    for place, name in enumerate(("H2O", "CH4", "CH3CH2NH2", "CH3CH2OH", "CO2", "H2O")):
        molecule = ase.build.molecule(name)
        molecule.translate([6.0 * place, 0.3 * place, 1.0])
        atoms += molecule
    return atoms


def imposed(constraints: Constraints, atoms: Atoms) -> np.ndarray:
    return constraints.imposed(System.from_ase(atoms)).positions


def pairs_of(constraints: Constraints) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of atoms and lengths, from the stored form."""
    pairs, lengths = [], []
    for atoms, incidence, fixed in zip(constraints.atoms, constraints.incidence, constraints.lengths, strict=True):
        for row, length in zip(incidence, fixed, strict=True):
            if row.any():
                pairs.append((atoms[row == -1][0], atoms[row == 1][0]))
                lengths.append(length)
    return np.array(pairs), np.array(lengths)


def gradients(constraints: Constraints, positions: np.ndarray) -> np.ndarray:
    """Rows: the directions in which forces of constraints act, (n_c, 3 N)."""
    pairs, _ = pairs_of(constraints)
    rows = np.zeros((len(pairs), len(positions), 3))
    for row, (i, j) in zip(rows, pairs, strict=True):
        row[j] = positions[j] - positions[i]
        row[i] = -row[j]
    return rows.reshape(len(pairs), -1)


@pytest.mark.parametrize(("precision", "tolerance"), [("float64", 1e-11), ("float32", 5e-6)])
def test_positions_are_the_solution(precision: Precision, tolerance: float):
    atoms = mixture()
    constraints = fixed_hydrogen_bonds(atoms)
    assert constraints.count == 3 + 4 + 7 + 6 + 0 + 3
    reference, masses = imposed(constraints, atoms), atoms.get_masses()
    moved = reference + 0.04 * np.random.default_rng(0).normal(size=reference.shape)
    with numerics(precision):
        arrays = (jnp.asarray(a, precision) for a in (reference, moved, masses))
        found = np.asarray(project_positions(constraints.astype(precision), *arrays))
    assert found.dtype.name == precision

    pairs, lengths = pairs_of(constraints)
    assert len(pairs) == constraints.count
    distances = np.linalg.norm(found[pairs[:, 0]] - found[pairs[:, 1]], axis=1)
    np.testing.assert_allclose(distances, lengths, rtol=tolerance)
    # m times the displacement is a sum of forces along the bonds of the reference.
    impulse = (masses[:, None] * (found - moved)).ravel()
    directions = gradients(constraints, reference)
    rest = impulse - directions.T @ np.linalg.lstsq(directions.T, impulse)[0]
    assert np.abs(rest).max() < 100 * tolerance
    np.testing.assert_allclose(masses @ found, masses @ moved, rtol=tolerance)
    np.testing.assert_array_equal(found[atoms.numbers == 6][-1], moved.astype(precision)[atoms.numbers == 6][-1])


@pytest.mark.parametrize(("precision", "tolerance"), [("float64", 1e-12), ("float32", 1e-5)])
def test_momenta_are_the_orthogonal_projection(precision: Precision, tolerance: float):
    atoms = mixture()
    constraints = fixed_hydrogen_bonds(atoms)
    positions, masses = imposed(constraints, atoms), atoms.get_masses()
    momenta = np.random.default_rng(1).normal(size=positions.shape) * np.sqrt(masses[:, None])
    with numerics(precision):
        arrays = (jnp.asarray(a, precision) for a in (positions, momenta, masses))
        found = np.asarray(project_momenta(constraints.astype(precision), *arrays))

    # Dense linear algebra over all constraints at once: p - G^T (G M^-1 G^T)^-1 G M^-1 p.
    slopes, inverse = gradients(constraints, positions), np.repeat(1 / masses, 3)
    multipliers = np.linalg.solve((slopes * inverse) @ slopes.T, slopes @ (inverse * momenta.ravel()))
    expected = momenta - (slopes.T @ multipliers).reshape(-1, 3)
    np.testing.assert_allclose(found, expected, atol=10 * tolerance)
    np.testing.assert_allclose(slopes @ (inverse * found.ravel()), 0, atol=10 * tolerance)
    np.testing.assert_allclose(found.sum(axis=0), momenta.sum(axis=0), atol=100 * tolerance)
    turning = np.cross(positions, found - momenta).sum(axis=0)
    np.testing.assert_allclose(turning, 0, atol=1000 * tolerance)


@partial(jax.jit, static_argnames="force")
def rattle_steps(
    constraints: Constraints, positions: Any, momenta: Any, masses: Any, timestep: Any, steps: Any, *, force: Any
) -> tuple[Any, Any]:
    """Velocity Verlet with constraints; infinite masses rest."""

    def step(_: int, carry: tuple[Any, Any]) -> tuple[Any, Any]:
        positions, momenta = carry
        momenta = momenta + 0.5 * timestep * force(positions)
        free = positions + timestep * momenta / masses[:, None]
        shift = constraints.displacement(positions, free, masses)
        momenta = momenta + jnp.where(jnp.isfinite(masses)[:, None], masses[:, None] * shift / timestep, 0)
        positions = free + shift
        momenta = momenta + 0.5 * timestep * force(positions)
        return positions, constraints.project_momenta(positions, momenta, masses)

    return jax.lax.fori_loop(0, steps, step, (positions, momenta))


def test_free_rotor_turns_by_the_exact_angle():
    """A step takes a free pair along its tangent and back along its old axis: sin(angle) = omega dt."""
    with numerics("float64"):
        masses, length, omega, timestep = jnp.array([12.0, 1.0]), 1.1, 0.7, 0.2
        constraints = Constraints.from_pairs(np.array([[0, 1]]), np.array([length]), atoms=2).astype("float64")
        reduced = 12 / 13
        positions = jnp.array([[-length / 13, 0, 0], [length * reduced, 0, 0]])
        tangent = reduced * omega * length
        momenta = jnp.array([[0, -tangent, 0], [0, tangent, 0]])
        for steps in (1, 100):
            ends, final = rattle_steps(constraints, positions, momenta, masses, timestep, steps, force=jnp.zeros_like)
            angle = steps * np.arcsin(omega * timestep)
            axis = np.asarray(ends[1] - ends[0]) / length
            np.testing.assert_allclose(axis, [np.cos(angle), np.sin(angle), 0], atol=1e-12)
            np.testing.assert_allclose(masses @ ends, 0, atol=1e-12)
            assert float(jnp.sum(final**2)) == pytest.approx(2 * tangent**2, rel=1e-12)


def test_pendulum_has_its_period():
    """T = 4 sqrt(L / g) K(sin^2(amplitude / 2)) about an atom of infinite mass."""
    with numerics("float64"):
        length, gravity, amplitude = 1.3, 0.9, 2.0
        constraints = Constraints.from_pairs(np.array([[0, 1]]), np.array([length]), atoms=2).astype("float64")
        masses = jnp.array([np.inf, 2.0])
        start = jnp.array([[0, 0, 0], [length * np.sin(amplitude), 0, -length * np.cos(amplitude)]])
        weight = jnp.array([[0, 0, 0], [0, 0, -2.0 * gravity]])
        period = 4 * np.sqrt(length / gravity) * ellipk(np.sin(amplitude / 2) ** 2)

        def fall(_: Any) -> Any:
            return weight

        for steps in (1000, 2000):
            ends, momenta = rattle_steps(
                constraints, start, jnp.zeros((2, 3)), masses, period / 4 / steps, steps, force=fall
            )
            # At the bottom after a quarter, with the speed of energy conservation.
            assert float(ends[1, 0]) == pytest.approx(0, abs=20 / steps**2)
            speed = np.sqrt(2 * gravity * length * (1 - np.cos(amplitude)))
            assert float(momenta[1, 0]) == pytest.approx(-2.0 * speed, abs=40 / steps**2)
            np.testing.assert_array_equal(ends[0], 0)


def test_tumbling_water_keeps_energy_and_angular_momentum():
    atoms = ase.build.molecule("H2O")
    constraints = rigid_water(atoms)
    with numerics("float64"):
        positions, masses = jnp.asarray(imposed(constraints, atoms)), jnp.asarray(atoms.get_masses())
        ready = constraints.astype("float64")
        drawn = jnp.asarray(np.random.default_rng(3).normal(size=(3, 3))) * 0.16 * jnp.sqrt(masses)[:, None]
        momenta = project_momenta(ready, positions, drawn, masses)
        ends = []
        for halvings in range(3):
            end, final = rattle_steps(
                ready, positions, momenta, masses, 0.2 / 2**halvings, 200 * 2**halvings, force=jnp.zeros_like
            )
            before, after = (float(jnp.sum(p**2 / masses[:, None])) for p in (momenta, final))
            assert after == pytest.approx(before, rel=1e-11)
            turning = [np.cross(r, p).sum(axis=0) for r, p in ((positions, momenta), (end, final))]
            np.testing.assert_allclose(turning[1], turning[0], atol=1e-11)
            np.testing.assert_allclose(final.sum(axis=0), momenta.sum(axis=0), atol=1e-11)
            assert float(ready.violation(end)) < 1e-12
            ends.append(np.asarray(end))
    # Of second order: each halving leaves a quarter of the error.
    errors = [np.linalg.norm(ends[i] - ends[i + 1]) for i in range(2)]
    assert 3.5 < errors[0] / errors[1] < 4.5 and errors[1] > 1e-4


def test_projected_thermal_momenta_have_fewer_degrees_of_freedom():
    """2 K / k_B T follows chi^2 with 3 N - n_c degrees of freedom: its mean, and its variance of twice that."""
    atoms, samples, kt = mixture(), 5_000, 0.0259
    constraints = fixed_hydrogen_bonds(atoms)
    freedom = 3 * len(atoms) - constraints.count
    with numerics("float64"):
        positions, masses = jnp.asarray(imposed(constraints, atoms)), jnp.asarray(atoms.get_masses())
        ready = constraints.astype("float64")

        def reduced(key: Any) -> Any:
            momenta = jax.random.normal(key, positions.shape) * jnp.sqrt(kt * masses)[:, None]
            momenta = ready.project_momenta(positions, momenta, masses)
            return jnp.sum(momenta**2 / masses[:, None]) / kt

        values = np.asarray(jax.jit(jax.vmap(reduced))(jax.random.split(jax.random.PRNGKey(0), samples)))
    assert values.mean() == pytest.approx(freedom, abs=4 * np.sqrt(2 * freedom / samples))
    assert values.var() == pytest.approx(2 * freedom, rel=4 * np.sqrt(2 / samples) * 1.2)


def test_large_coordinates_cost_no_precision_of_the_displacement():
    atoms = ase.build.molecule("H2O")
    constraints = rigid_water(atoms)
    near = imposed(constraints, atoms)
    moved = near + 2.0**-9 * np.arange(9).reshape(3, 3)
    with numerics("float32"):
        ready, masses = constraints.astype("float32"), jnp.asarray(atoms.get_masses(), "float32")
        # Round-off at 200 A would be 8e-6 A: the molecule is placed where it is exact.
        near, moved = (np.round(a * 2**14) / 2**14 for a in (near, moved))
        here, there = (
            np.asarray(displacement(ready, jnp.asarray(a, "float32"), jnp.asarray(b, "float32"), masses))
            for a, b in ((near, moved), (near + 200, moved + 200))
        )
    np.testing.assert_array_equal(here, there)


def test_out_of_reach_is_not_a_number():
    atoms = ase.build.molecule("H2O")
    constraints = rigid_water(atoms)
    reference = imposed(constraints, atoms)
    with numerics("float64"):
        moved = reference + np.array([[0, 0, 0], [0, 5.0, 0], [0, 0, 0]])
        found = project_positions(
            constraints.astype("float64"), jnp.asarray(reference), jnp.asarray(moved), jnp.asarray(atoms.get_masses())
        )
    assert np.isnan(found).all()


def test_groups_move_as_a_whole():
    """dE/dstrain of groups that keep their shape, by finite differences of E = sum of |r_i - r_j|^3 over all pairs."""
    atoms = mixture()[:20]
    constraints = fixed_hydrogen_bonds(atoms)
    rng = np.random.default_rng(5)
    with numerics("float64"):
        ready = constraints.astype("float64")
        positions, masses = jnp.asarray(atoms.positions), jnp.asarray(atoms.get_masses())

        def energy(positions: Any) -> Any:
            vectors = positions[:, None] - positions[None]
            return jnp.sum(jnp.sum(vectors**2, axis=-1) ** 1.5)

        @jax.jit
        def rates(strain: Any) -> Any:
            """dE/dstrain contracted with `strain`, and by finite differences."""
            centers = ready.group_means(positions, masses)
            forces = -jax.grad(energy)(positions)
            of_atoms = jax.grad(lambda strain: energy(positions + positions @ strain))(jnp.zeros((3, 3)))
            of_groups = of_atoms + ready.internal_virial(positions, forces, masses)
            step = 1e-5 * centers @ strain
            return centers, jnp.sum(of_groups * strain), (energy(positions + step) - energy(positions - step)) / 2e-5

        centers, found, expected = (np.asarray(a) for a in rates(jnp.asarray(rng.normal(size=(3, 3)))))
    assert found == pytest.approx(expected, rel=1e-8)
    group, plain_masses = np.asarray(constraints.group), atoms.get_masses()
    for number in np.unique(group):
        own = group == number
        expected = plain_masses[own] @ atoms.positions[own] / plain_masses[own].sum()
        np.testing.assert_allclose(centers[own], np.broadcast_to(expected, (own.sum(), 3)), atol=1e-12)
    assert len(np.unique(group)) == len(atoms) - (constraints.place < constraints.atoms.size).sum() + len(
        constraints.atoms
    )


def test_water_gets_its_shape():
    atoms = ase.build.molecule("H2O")
    atoms.rattle(0.05, seed=1)
    shaped = Atoms("OH2", imposed(fixed_hydrogen_bonds(atoms), atoms))
    assert shaped.get_distance(0, 1) == pytest.approx(WATER_LENGTH, abs=1e-12)
    assert shaped.get_angle(1, 0, 2) == pytest.approx(WATER_ANGLE, abs=1e-9)


def test_frozen_pairs_are_left_out():
    atoms = ase.build.molecule("CH3CH2OH") + Atoms("OH2", ase.build.molecule("H2O").positions + 8)
    frozen = np.zeros(len(atoms), bool)
    frozen[:9] = True
    assert fixed_hydrogen_bonds(atoms, frozen=frozen).count == 3
    frozen[9:11] = True  # one O-H side of the water
    constraints = fixed_hydrogen_bonds(atoms, frozen=frozen)
    assert constraints.count == 2
    with numerics("float64"):
        positions = jnp.asarray(atoms.positions)
        masses = jnp.asarray(np.where(frozen, np.inf, atoms.get_masses()))
        found = project_positions(constraints.astype("float64"), positions, positions, masses)
        np.testing.assert_array_equal(found[frozen], positions[frozen])
        assert float(constraints.astype("float64").violation(found)) < 1e-12


def test_no_constraints_change_nothing():
    constraints = Constraints.from_pairs(np.zeros((0, 2), int), np.zeros(0), atoms=3)
    assert constraints.count == 0
    with numerics("float64"):
        ready, positions, masses = constraints.astype("float64"), jnp.ones((3, 3)), jnp.ones(3)
        np.testing.assert_array_equal(ready.project_positions(positions, 2 * positions, masses), 2 * positions)
        np.testing.assert_array_equal(ready.project_momenta(positions, positions, masses), positions)
        np.testing.assert_array_equal(ready.group_means(positions, masses), positions)


def test_mistakes_are_explained():
    with pytest.raises(HelioError, match="each pair once"):
        Constraints.from_pairs(np.array([[0, 1], [1, 0]]), np.ones(2), atoms=2)
    with pytest.raises(HelioError, match="two different atoms"):
        Constraints.from_pairs(np.array([[1, 1]]), np.ones(1), atoms=2)
    with pytest.raises(HelioError, match="name atom 5"):
        Constraints.from_pairs(np.array([[1, 5]]), np.ones(1), atoms=2)
    chain = np.stack([np.arange(9), np.arange(1, 10)], axis=1)
    with pytest.raises(HelioError, match="9 fixed distances hang together"):
        Constraints.from_pairs(chain, np.ones(9), atoms=10)
    with pytest.raises(HelioError, match="no water"):
        rigid_water(ase.build.molecule("CH4"))
    with pytest.raises(HelioError, match="no bond to hydrogen"):
        fixed_hydrogen_bonds(ase.build.molecule("CO2"))
    with pytest.raises(HelioError, match="hydrogen and Ge"):
        fixed_hydrogen_bonds(Atoms("GeH", [[0, 0, 0], [0, 0, 1.5]]))
    water = ase.build.molecule("H2O")
    broken = Constraints.from_pairs(np.array([[0, 1], [1, 2], [0, 2]]), np.array([1.0, 1.0, 3.0]), atoms=3)
    with pytest.raises(HelioError, match="cannot be reached"):
        broken.imposed(System.from_ase(water))

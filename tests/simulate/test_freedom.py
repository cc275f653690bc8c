"""Forbidden motions do not happen, and the others have the temperature that they should."""

from __future__ import annotations

import dataclasses
from typing import Any

import ase.build
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from ase import Atoms
from scipy.stats import chi2

from helio.errors import HelioError
from helio.precision import numerics
from helio.simulate import Composition, Freedom, Schedule, State
from helio.simulate.constraints import Constraints
from helio.simulate.ensembles import with_bath_in_the_middle
from helio.simulate.rigid import rigid_water
from helio.simulate.state import thermal_momenta
from helio.simulate.thermostats import Langevin
from helio.system import System
from helio.units import BOLTZMANN, FS

KT = 300 * BOLTZMANN
REPLICAS = 1000


def langevin(freedom: Freedom, *, timestep_fs: float = 2.0, schedule: Schedule | None = None) -> Composition:
    kt = Schedule.constant(KT) if schedule is None else schedule
    return with_bath_in_the_middle(jnp.asarray(timestep_fs * FS), freedom, Langevin(kt, jnp.asarray(0.02 / FS)))


def replicas(potential: Any, integrator: Composition, system: System, *, steps: int, thermal_energy: float) -> State:
    """The states of many replicas after so many steps; the system of JAX arrays."""
    degrees = jnp.asarray(float(integrator.freedom.degrees_of_freedom(system)))

    def replica(key: Any) -> State:
        momenta = thermal_momenta(key, system, jnp.asarray(thermal_energy))
        state = State(system, momenta, potential(system, None), {}, key, jnp.int32(0), degrees)

        def step(_: Any, state: State) -> State:
            state = dataclasses.replace(state, step=state.step + 1)
            return integrator.step(state, lambda system: potential(system, None))

        return jax.lax.fori_loop(0, steps, step, integrator.init(state))

    return jax.jit(jax.vmap(replica))(jax.random.split(jax.random.PRNGKey(1), REPLICAS))


def assert_canonical(ends: State, freedom: int) -> None:
    """2 K / k_B T follows chi^2 with so many degrees of freedom, and not with one more or less."""
    with numerics("float64"):
        reduced = np.sort(np.asarray(jax.vmap(lambda state: 2 * state.kinetic_energy)(ends)) / KT)
    ranks = np.arange(1, REPLICAS + 1) / REPLICAS

    def distance(freedom: int) -> float:
        return float(np.abs(chi2(freedom).cdf(reduced) - ranks).max() * np.sqrt(REPLICAS))

    assert distance(freedom) < 1.95  # exceeded once in a thousand cases
    assert distance(freedom + 1) > 2.2 and (freedom == 1 or distance(freedom - 1) > 2.2)


def free(symbols: str, positions: Any) -> System:
    return System.from_ase(Atoms(symbols, positions=np.asarray(positions, float)), check_parity=False).astype("float64")


def angular_momenta(ends: State) -> np.ndarray:
    positions, momenta, masses = (np.asarray(a) for a in (ends.system.positions, ends.momenta, ends.system.masses))
    centers = np.einsum("rn,rni->ri", masses, positions) / masses.sum(axis=1)[:, None]
    return np.cross(positions - centers[:, None], momenta).sum(axis=1)


def test_frozen_atoms_rest(wells: Any) -> None:
    with numerics("float64"):
        system = free("CONC", [[0.1, 0, 0], [0, 0.2, 0], [0, 0, 0.3], [0.2, 0.2, 0]])
        mobile = jnp.asarray([True, False, True, False])
        freedom = Freedom(mobile=mobile, fixed_center=False)
        assert freedom.degrees_of_freedom(system) == 6
        potential = wells(jnp.asarray([3.0, 2.0, 1.0]), 50.0)
        ends = replicas(potential, langevin(freedom), system, steps=300, thermal_energy=KT)
        moved = np.asarray(ends.system.positions) - np.asarray(system.positions)
    assert (moved[:, [1, 3]] == 0).all() and (np.abs(moved[:, [0, 2]]).max(axis=(0, 2)) > 0.1).all()
    assert (np.asarray(ends.momenta)[:, [1, 3]] == 0).all()
    assert_canonical(ends, 6)


@pytest.mark.parametrize(("atoms", "expected"), [(4, 6), (2, 1)])
def test_removed_rotation_stays_away(wells: Any, atoms: int, expected: int) -> None:
    """The wells' axes differ, so that their forces turn the molecule."""
    with numerics("float64"):
        positions = [[0.6, 0, 0], [0, 0.7, 0.1], [-0.2, 0, 0.8], [-0.5, -0.4, 0]]
        system = free("CONC"[:atoms], positions[:atoms])
        freedom = Freedom(fixed_rotation=True)
        assert freedom.degrees_of_freedom(system) == expected
        potential = wells(jnp.asarray([3.0, 2.0, 1.0]), 0.0, True)
        ends = replicas(potential, langevin(freedom), system, steps=300, thermal_energy=KT)
    thermal = np.sqrt(12 * KT)
    assert np.abs(angular_momenta(ends)).max() < 1e-9 * thermal
    assert np.abs(np.asarray(ends.momenta).sum(axis=1)).max() < 1e-12 * thermal
    assert_canonical(ends, expected)


@pytest.mark.parametrize(
    ("name", "fixed", "expected"),
    [
        ("H2O", {"fixed_rotation": True}, 3),
        ("CO2", {"fixed_rotation": True}, 3),  # it bends at once
        ("N2", {"fixed_rotation": True}, 1),
        ("H2O", {}, 6),
        ("H2O", {"fixed_center": False}, 9),
        ("C", {}, 0),
        ("C", {"fixed_rotation": True}, 0),
        ("C", {"fixed_rotation": True, "fixed_center": False}, 3),
        ("N2", {"fixed_rotation": True, "fixed_center": False}, 4),
    ],
)
def test_degrees_of_freedom(name: str, fixed: dict, expected: int) -> None:
    """As many as independent columns among the projections of all momenta, with any positions that are not special."""
    atoms = Atoms("C") if name == "C" else ase.build.molecule(name)
    atoms.rattle(0.05, seed=2)
    freedom = Freedom(**fixed)
    with numerics("float64"):
        system = System.from_ase(atoms).astype("float64")
        assert freedom.degrees_of_freedom(system) == expected
        state = State(system, system.positions, None, {}, jax.random.PRNGKey(0), jnp.int32(0), jnp.asarray(0.0))  # pyright: ignore
        every = jnp.eye(3 * len(atoms)).reshape(-1, len(atoms), 3)
        projected = jax.vmap(lambda momenta: freedom.project(dataclasses.replace(state, momenta=momenta)).momenta)(
            every
        )
        assert np.linalg.matrix_rank(np.asarray(projected).reshape(len(every), -1), tol=1e-8) == expected


def test_rigid_water_is_canonical(wells: Any) -> None:
    """Geodesic BAOAB: 3 N - n_c - 3 degrees of freedom, and no distance ever changes."""
    water = ase.build.molecule("H2O")
    atoms = Atoms()
    for place in (-1.5, 1.5):
        copy = water.copy()
        copy.rotate(40 * place, (1, 2, 3))
        copy.translate([place, 0.2, 0])
        atoms += copy
    constraints = rigid_water(atoms)
    with numerics("float64"):
        system = constraints.imposed(System.from_ase(atoms)).astype("float64")
        freedom = Freedom(constraints=constraints.astype("float64"))
        assert freedom.degrees_of_freedom(system) == 18 - 6 - 3
        potential = wells(jnp.asarray([0.3, 0.2, 0.1]), 0.0, True)
        ends = replicas(potential, langevin(freedom), system, steps=300, thermal_energy=1.5 * KT)
        ready = constraints.astype("float64")
        assert float(jax.vmap(ready.violation)(ends.system.positions).max()) < 1e-11
        kept = jax.vmap(lambda s: ready.project_momenta(s.system.positions, s.momenta, s.system.masses))(ends)
        np.testing.assert_allclose(kept, ends.momenta, atol=1e-9)
    assert_canonical(ends, 9)


def test_the_bath_follows_a_ramp(wells: Any) -> None:
    """Two thirds of the way from 100 to 700 K, slowly against the friction."""
    with numerics("float64"):
        ramp = Schedule(jnp.asarray([100.0, 1300.0]), BOLTZMANN * jnp.asarray([100.0, 700.0]))
        integrator = langevin(Freedom(fixed_center=False), schedule=ramp)
        assert ramp.changes and not Schedule.constant(3.0).changes
        ends = replicas(
            wells(jnp.asarray([3.0, 2.0, 1.0])),
            integrator,
            free("CON", 0.1 * np.eye(3)),
            steps=900,
            thermal_energy=100 * BOLTZMANN,
        )
        found = np.asarray(jax.vmap(lambda state: state.thermal_energy)(ends)).mean() / BOLTZMANN
        early, late = (float(ramp(dataclasses.replace(ends, step=jnp.int32(n)))) / BOLTZMANN for n in (0, 5000))
    # The potential energy lags by the friction's time: 25 steps of half a kelvin.
    assert found == pytest.approx(500 - 12, abs=4 * 500 * np.sqrt(2 / 9 / REPLICAS) + 5)
    assert (early, late) == pytest.approx((100, 700))


def test_what_excludes_each_other_is_explained() -> None:
    crystal = System.from_ase(Atoms("Ar2", [[0, 0, 0], [4, 0, 0]], cell=[9, 9, 9], pbc=True))
    molecule = System.from_ase(ase.build.molecule("H2O"))
    some = jnp.asarray([True, False, True])
    with pytest.raises(HelioError, match="no overall rotation"):
        Freedom(fixed_rotation=True).check(crystal)
    fixings: list[dict[str, Any]] = [{"fixed_center": True}, {"fixed_center": False, "fixed_rotation": True}]
    for fixed in fixings:
        with pytest.raises(HelioError, match="frozen atoms fix the frame"):
            Freedom(mobile=some, **fixed).check(molecule)
    bond = Constraints.from_pairs(np.array([[0, 1]]), np.array([0.96]), atoms=3)
    with pytest.raises(HelioError, match="freeze or constrain it"):
        Freedom(mobile=some, constraints=bond, fixed_center=False).check(molecule)
    Freedom(mobile=jnp.asarray([True, True, False]), constraints=bond, fixed_center=False).check(molecule)
    Freedom(fixed_rotation=True).check(molecule)

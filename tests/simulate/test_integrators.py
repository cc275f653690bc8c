"""Integrators against what is known exactly about the harmonic oscillator."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from ase import Atoms
from scipy.stats import chi2

from helio.precision import numerics
from helio.simulate import ActiveLists, Composition, Freedom, Schedule, State, advance, make_lists, start
from helio.simulate.engine import UnstableError
from helio.simulate.ensembles import constant_energy, with_bath_in_the_middle, with_chain
from helio.simulate.state import thermal_momenta
from helio.simulate.thermostats import Langevin, NoseHooverChain, StochasticRescaling
from helio.system import System
from helio.units import BOLTZMANN, FS

KT = 300 * BOLTZMANN


THERMOSTATS = ["langevin", "rescaling", "nose-hoover"]


def make_integrator(kind: str, *, timestep_fs: float = 1.0) -> Composition:
    timestep, kt, freedom = jnp.asarray(timestep_fs * FS), Schedule.constant(KT), Freedom(fixed_center=False)
    if kind == "nve":
        return constant_energy(timestep, freedom)
    if kind == "langevin":
        return with_bath_in_the_middle(timestep, freedom, Langevin(kt, jnp.asarray(0.01 / FS)))
    if kind == "rescaling":
        return with_bath_in_the_middle(timestep, freedom, StochasticRescaling(kt, jnp.asarray(20 * FS)))
    return with_chain(timestep, freedom, NoseHooverChain(kt, jnp.asarray(20 * FS), length=4))


def small_system(atoms: int = 3, size: float = 0.05) -> System:
    positions = size * np.random.default_rng(1).normal(size=(atoms, 3))
    return System.from_ase(Atoms("CON"[:atoms], positions=positions), check_parity=False).astype("float64")


def started(
    potential: Any,
    integrator: Composition,
    system: System,
    *,
    seed: int = 3,
    skin: float = 10.0,
    thermal_energy: float = KT,
) -> tuple[State, ActiveLists]:
    lists = make_lists(potential, system, skin=skin)
    key = jax.random.PRNGKey(seed)
    return start(potential, integrator, system, lists, key=key, thermal_energy=thermal_energy)


def total_energy(state: State) -> float:
    return float(state.prediction.energy + state.kinetic_energy)


@pytest.mark.parametrize("kind", ["nve", *THERMOSTATS])
def test_conserved_quantity_scales_with_timestep_squared(wells: Any, kind: str) -> None:
    spread = []
    with numerics("float64"):
        potential = wells(jnp.asarray([30.0, 20.0, 10.0]))
        for timestep in (1.0, 0.5):
            integrator = make_integrator(kind, timestep_fs=timestep)
            state, lists = started(potential, integrator, small_system())
            values = []
            for step in range(1, 101):
                until = round(step * 2 / timestep)
                state, lists = advance(potential, integrator, state, lists, until=until)
                values.append(total_energy(state) + float(integrator.extra_energy(state)))
            spread.append(np.std(values))
    # The noise of Langevin runs with different steps differs, so its ratio is less sharp.
    assert 2.0 < spread[0] / spread[1] < 8.0 if kind in ("langevin", "rescaling") else 3.5 < spread[0] / spread[1] < 4.5
    assert spread[1] < 1e-3


def test_nve_is_reversible(wells: Any) -> None:
    with numerics("float64"):
        potential, integrator = wells(jnp.asarray([30.0, 20.0, 10.0])), make_integrator("nve")
        system = small_system()
        state, lists = started(potential, integrator, system)
        there, lists = advance(potential, integrator, state, lists, until=500)
        turned = dataclasses.replace(there, momenta=-there.momenta, step=jnp.int32(0))
        back, _ = advance(potential, integrator, turned, lists, until=500)
    np.testing.assert_allclose(back.system.positions, system.positions, atol=1e-11)
    np.testing.assert_allclose(-back.momenta, state.momenta, atol=1e-11)


@pytest.mark.parametrize("kind", ["langevin", pytest.param("rescaling", marks=pytest.mark.slow), "nose-hoover"])
def test_kinetic_energy_has_the_canonical_distribution(wells: Any, kind: str) -> None:
    """2 K / k_B T of many replicas follows chi^2 with N_f degrees of freedom: mean N_f, variance 2 N_f, and shape.

    A single atom is the hardest for what acts on all momenta together; many are in `properties/test_ensembles.py`.
    """
    replicas, freedom = 2000, 3
    with numerics("float64"):
        potential, integrator, system = (
            wells(jnp.asarray([3.0, 1.7, 0.8]), 200.0),
            make_integrator(kind),
            small_system(1),
        )

        def replica(key: Any) -> Any:
            momenta = thermal_momenta(key, system, jnp.asarray(1.5 * KT))
            state = State(system, momenta, potential(system, None), {}, key, jnp.int32(0), jnp.asarray(float(freedom)))

            def one(_: Any, own: State) -> State:
                own = dataclasses.replace(own, step=own.step + 1)
                return integrator.step(own, lambda system: potential(system, None))

            return jax.lax.fori_loop(0, 1000, one, integrator.init(state)).kinetic_energy

        kinetic = jax.jit(jax.vmap(replica))(jax.random.split(jax.random.PRNGKey(9), replicas))
    reduced = np.sort(2 * np.asarray(kinetic) / KT)
    assert reduced.mean() == pytest.approx(freedom, abs=4.5 * np.sqrt(2 * freedom / replicas))
    assert _kolmogorov(reduced, freedom) < 1.95  # exceeded once in a thousand cases


def _kolmogorov(values: np.ndarray, freedom: int) -> float:
    """Largest distance between the distribution of sorted `values` and chi^2, times the root of their number."""
    ranks = np.arange(1, len(values) + 1) / len(values)
    return float(np.abs(chi2(freedom).cdf(values) - ranks).max() * np.sqrt(len(values)))


@pytest.mark.parametrize("kind", ["nve", *THERMOSTATS])
def test_blocks_and_lists_do_not_change_the_numbers(wells: Any, kind: str) -> None:
    with numerics("float64"):
        potential, integrator, system = wells(jnp.asarray([3.0, 2.0, 1.0])), make_integrator(kind), small_system()
        ends = []
        # Another skin is another program: one thermostat stands for all.
        for cuts, skin in (([200], 10.0), ([3, 50, 51, 200], 10.0), *([([200], 0.1)] if kind == "langevin" else [])):
            state, lists = started(potential, integrator, system, skin=skin)
            for until in cuts:
                state, lists = advance(potential, integrator, state, lists, until=until)
            ends.append(state)
            if skin == 0.1:
                assert (np.asarray(lists.short.reference) != np.asarray(system.positions)).any()
    for other in ends[1:]:
        for a, b in zip(jax.tree.leaves(ends[0]), jax.tree.leaves(other), strict=True):
            np.testing.assert_array_equal(a, b)


def test_seed_decides(wells: Any) -> None:
    with numerics("float64"):
        potential, integrator = wells(jnp.asarray([3.0, 2.0, 1.0])), make_integrator("langevin")
        ends = []
        for seed in (1, 1, 2):
            state, lists = started(potential, integrator, small_system(), seed=seed)
            state, _ = advance(potential, integrator, state, lists, until=20)
            ends.append(np.asarray(state.system.positions))
    np.testing.assert_array_equal(ends[0], ends[1])
    assert np.abs(ends[0] - ends[2]).max() > 1e-3


def test_stops_with_the_last_good_state(wells: Any) -> None:
    with numerics("float64"):
        integrator, system = make_integrator("nve", timestep_fs=2.0), small_system()
        with pytest.raises(UnstableError, match="became infinite or not a number"):
            started(wells(jnp.asarray([np.nan, 1.0, 1.0])), integrator, system)
        hill = wells(jnp.asarray([-50.0, -50.0, -50.0]))
        state, lists = started(hill, integrator, system)
        with pytest.raises(UnstableError, match="unstable at step") as caught:
            advance(hill, integrator, state, lists, until=10_000, hottest=1e5)
        good = caught.value.state
        assert 0 < int(good.step) < 10_000
        assert np.isfinite(good.system.positions).all() and float(good.thermal_energy) / BOLTZMANN < 1e5
        with pytest.raises(UnstableError, match="moved more than half the skin"):
            advance(hill, integrator, state, lists, until=10_000)

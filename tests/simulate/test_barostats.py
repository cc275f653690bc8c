"""Barostats against distributions that are known exactly: ideal particles in an elastic cell."""

from __future__ import annotations

import dataclasses
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from ase import Atoms

from helio.neighbors import NeighborPlans, Neighbors, Plan, plan_list
from helio.precision import numerics
from helio.prediction import Prediction
from helio.simulate import Composition, Freedom, Schedule, State, make_lists, start
from helio.simulate.barostats import CellMotion, Coupling, OuterPressure, StochasticCell
from helio.simulate.ensembles import with_moving_cell, with_stochastic_cell
from helio.simulate.thermostats import StochasticRescaling
from helio.system import System
from helio.units import BOLTZMANN, FS

KT = 300 * BOLTZMANN
EDGE = 10.0  # A
ATOMS = 6
STIFF = 3.0  # eV
WAVE = 0.05  # eV
PRESSURE = 2e-4  # eV/A^3, 32 MPa
TENSION = 1.5e-3  # eV/A^2


class ElasticCell(eqx.Module):
    """E = k |h h^T / L^2 - 1|^2 / 8 + w sum_i cos(2 pi s_x) cos(2 pi s_y) cos(2 pi s_z), s the fractional coordinates.

    No particle feels another, and the waves, which make the motion chaotic, have no influence on the cell's
    distribution: they strain with it.
    """

    stiffness: Any

    def plan(self, system: System, *, short_skin: float, long_skin: float, spare: float, all_within: bool) -> Any:
        def one(skin: float) -> Plan:
            return plan_list(system.positions, system.cell, system.pbc, cutoff=0.1 + skin, half=True, spare=spare)

        return NeighborPlans(one(short_skin), one(long_skin), short_skin, long_skin, short_within=0)

    def __call__(self, system: System, neighbors: Neighbors | None) -> Prediction:
        one = jnp.eye(3, dtype=system.cell.dtype)

        def energy(strain: Any) -> Any:
            cell = system.cell @ (one + strain)
            return self.stiffness / 8 * jnp.sum((cell @ cell.T / EDGE**2 - one) ** 2)

        def waves(positions: Any) -> Any:
            turns = 2 * jnp.pi * positions @ jnp.linalg.inv(system.cell)
            return WAVE * jnp.sum(jnp.prod(jnp.cos(turns), axis=-1))

        value, derivative = jax.value_and_grad(energy)(jnp.zeros_like(one))
        wave, gradient = jax.value_and_grad(waves)(system.positions)
        value = value + wave
        zeros = jnp.zeros_like(system.masses)
        return Prediction(
            energy=value,
            energy_terms={"cell": value},
            atomic_energies=zeros + value / len(system),
            forces=-gradient,
            stress=0.5 * (derivative + derivative.T) / system.volume,
            charges=zeros,
            hirshfeld_ratios=zeros,
            dipole=jnp.zeros_like(system.positions[0]),
        )


def outer(pressure: float = PRESSURE, tension: float = 0.0) -> OuterPressure:
    return OuterPressure(Schedule.constant(pressure), jnp.asarray(tension))


def make_integrator(kind: str, coupling: Coupling, around: OuterPressure, timestep_fs: float = 1.0) -> Composition:
    timestep, kt = jnp.asarray(timestep_fs * FS), Schedule.constant(KT)
    if kind == "stochastic":
        thermostat = StochasticRescaling(kt, jnp.asarray(20 * FS))
        barostat = StochasticCell(around, kt, jnp.asarray(20 * FS), jnp.asarray(60.0), coupling=coupling)
        return with_stochastic_cell(timestep, Freedom(), thermostat, barostat)
    motion = CellMotion(around, kt, jnp.asarray(20 * FS), jnp.asarray(100 * FS), coupling)
    return with_moving_cell(timestep, Freedom(), motion)


def ideal_particles() -> System:
    positions = EDGE * np.random.default_rng(2).random((ATOMS, 3))
    atoms = Atoms(["Ne", "Ar"] * (ATOMS // 2), positions=positions, cell=[EDGE] * 3, pbc=True)
    return System.from_ase(atoms).astype("float64")


def started(potential: ElasticCell, integrator: Composition) -> State:
    system = ideal_particles()
    lists = make_lists(potential, system, skin=2.0)
    return start(potential, integrator, system, lists, key=jax.random.PRNGKey(7), thermal_energy=KT)[0]


def sampled(integrator: Composition, *, replicas: int, steps: int) -> State:
    """The states of many independent replicas after some time."""
    potential = ElasticCell(jnp.asarray(STIFF))
    state = started(potential, integrator)

    def replica(key: Any) -> State:
        noise = jax.random.normal(key, state.momenta.shape) * jnp.sqrt(KT * state.system.masses[:, None])
        own = integrator.freedom.project(dataclasses.replace(state, momenta=noise, key=key))

        def one(step: Any, own: State) -> State:
            return integrator.step(dataclasses.replace(own, step=jnp.int32(step)), lambda s: potential(s, None))

        return jax.lax.fori_loop(1, steps + 1, one, own)

    return jax.jit(jax.vmap(replica))(jax.random.split(jax.random.PRNGKey(4), replicas))


def exponents(coupling: Coupling) -> tuple[list[int], list[int]]:
    """Multiplicity of each independent edge, and the power with which it enters the measure V^(N-1) dV."""
    if coupling is Coupling.ISOTROPIC:
        return [3], [3 * ATOMS - 1]
    if coupling is Coupling.SEMI_ISOTROPIC:
        return [2, 1], [2 * ATOMS - 1, ATOMS - 1]
    return [1, 1, 1], [ATOMS - 1] * 3


@pytest.mark.parametrize("kind", ["stochastic", "martyna-tobias-klein"])
@pytest.mark.parametrize(
    ("coupling", "tension"),
    [(Coupling.ISOTROPIC, 0.0), (Coupling.SEMI_ISOTROPIC, TENSION), (Coupling.ANISOTROPIC, 0.0)],
)
def test_edges_have_the_exact_distribution(kind: str, coupling: Coupling, tension: float) -> None:
    replicas = 500
    with numerics("float64"):
        integrator = make_integrator(kind, coupling, outer(tension=tension), timestep_fs=2.0)
        ends = sampled(integrator, replicas=replicas, steps=800)
        cells, temperature = np.asarray(ends.system.cell), np.asarray(jax.vmap(lambda s: s.thermal_energy)(ends)) / KT
    assert np.isfinite(cells).all()
    edges = np.linalg.norm(cells, axis=2)
    assert np.abs(cells - edges[:, :, None] * np.eye(3)[None]).max() < 1e-9  # angles stay right
    if coupling is not Coupling.ANISOTROPIC:
        np.testing.assert_allclose(edges[:, 0], edges[:, 1], rtol=1e-10)
    assert temperature.mean() == pytest.approx(1, abs=4 * np.sqrt(2 / (3 * ATOMS - 3) / replicas))
    multiplicity, power = exponents(coupling)
    if coupling is Coupling.ISOTROPIC:
        np.testing.assert_allclose(edges[:, 0], edges[:, 2], rtol=1e-10)

    # The exact density on a grid of the independent edges.
    grid = np.linspace(0.2 * EDGE, 1.8 * EDGE, 181)
    axes = np.meshgrid(*[grid] * len(power), indexing="ij")
    energy = sum(m * STIFF / 8 * ((a / EDGE) ** 2 - 1) ** 2 for m, a in zip(multiplicity, axes, strict=True))
    volume = np.prod([a**m for m, a in zip(multiplicity, axes, strict=True)], axis=0)
    area = volume / axes[-1]
    weight = -(energy + PRESSURE * volume - tension * area) / KT
    weight += sum(p * np.log(a) for p, a in zip(power, axes, strict=True))
    weight = np.exp(weight - weight.max())
    for number, own in enumerate((0, 2) if len(power) == 2 else range(len(power))):
        marginal = weight.sum(axis=tuple(k for k in range(len(power)) if k != number))
        cumulative = np.cumsum(marginal) - 0.5 * marginal
        found = np.sort(edges[:, own])
        expected = np.interp(found, grid, cumulative / marginal.sum())
        ranks = np.arange(1, replicas + 1) / replicas
        distance = np.abs(expected - ranks).max() * np.sqrt(replicas)
        assert distance < 2.0, (number, distance, found.mean(), (marginal @ grid) / marginal.sum())


@pytest.mark.parametrize("kind", ["stochastic", "martyna-tobias-klein"])
@pytest.mark.parametrize("coupling", list(Coupling))
def test_what_is_conserved(kind: str, coupling: Coupling) -> None:
    spread = []
    with numerics("float64"):
        potential = ElasticCell(jnp.asarray(STIFF))
        for timestep in (1.0, 0.5):
            integrator = make_integrator(kind, coupling, outer(tension=0.0), timestep)
            state = started(potential, integrator)

            def conserved(state: State, step: Any, integrator: Composition = integrator) -> Any:
                state = dataclasses.replace(state, step=jnp.int32(step))
                state = integrator.step(state, lambda s: potential(s, None))
                total = state.prediction.energy + state.kinetic_energy + integrator.extra_energy(state)
                return state, total

            _, values = jax.jit(
                lambda s, f=conserved, timestep=timestep: jax.lax.scan(f, s, jnp.arange(1, round(400 / timestep) + 1))
            )(state)
            spread.append(float(np.std(np.asarray(values))))
    # The heat of the stochastic barostat is counted to first order in the strain of a step.
    if kind == "stochastic":
        assert spread[1] < 0.8 * spread[0] and spread[0] < 0.05
    else:
        assert 3.4 < spread[0] / spread[1] < 4.6 and spread[0] < 5e-3


@pytest.mark.parametrize("kind", ["stochastic", "martyna-tobias-klein"])
def test_shears_relax_a_sheared_cell(kind: str) -> None:
    """Every mode obeys <V B_a : (P - P_0)> + k_B T Tr B_a = 0; shears are as likely to either side."""
    replicas = 500
    with numerics("float64"):
        integrator = make_integrator(kind, Coupling.TRICLINIC, outer(), timestep_fs=2.0)
        ends = sampled(integrator, replicas=replicas, steps=800)

        def balance(state: State) -> Any:
            kinetic = state.momenta.T @ state.velocities
            inside = kinetic - state.system.volume * state.prediction.stress
            one = jnp.eye(3)
            return (inside - PRESSURE * state.system.volume * one) / KT + one

        values = np.asarray(jax.vmap(balance)(ends))
        cells = np.asarray(ends.system.cell)
    error = values.std(axis=0) / np.sqrt(replicas)
    assert (np.abs(values.mean(axis=0)) < 4.5 * error).all(), values.mean(axis=0) / error
    shear = np.einsum("rij,rkj->rik", cells, cells) / EDGE**2
    assert shear[:, 0, 1].std() > 0.02  # it does move

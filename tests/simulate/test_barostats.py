"""Barostats against distributions that are known exactly: ideal particles in an elastic cell."""

from __future__ import annotations

import dataclasses
from functools import cache
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from ase import Atoms

from helio.neighbors import Neighbors
from helio.precision import numerics
from helio.prediction import Prediction
from helio.simulate import Composition, Freedom, Schedule, State
from helio.simulate.barostats import CellMotion, Coupling, OuterPressure, StochasticCell
from helio.simulate.ensembles import with_moving_cell, with_stochastic_cell
from helio.simulate.state import thermal_momenta
from helio.simulate.thermostats import StochasticRescaling
from helio.system import System
from helio.units import BOLTZMANN, FS

KT = 300 * BOLTZMANN
EDGE = 10.0  # A
ATOMS = 6
REPLICAS = 400
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


def make_integrator(kind: str, coupling: Coupling, tension: Any) -> Composition:
    timestep, kt = jnp.asarray(FS), Schedule.constant(KT)
    outer = OuterPressure(Schedule.constant(PRESSURE), tension)
    if kind == "stochastic":
        thermostat = StochasticRescaling(kt, jnp.asarray(20 * FS))
        barostat = StochasticCell(outer, kt, jnp.asarray(20 * FS), jnp.asarray(60.0), coupling=coupling)
        return with_stochastic_cell(timestep, Freedom(), thermostat, barostat)
    motion = CellMotion(outer, kt, jnp.asarray(20 * FS), jnp.asarray(100 * FS), coupling)
    return with_moving_cell(timestep, Freedom(), motion)


def ideal_particles() -> System:
    positions = EDGE * np.random.default_rng(2).random((ATOMS, 3))
    atoms = Atoms(["Ne", "Ar"] * (ATOMS // 2), positions=positions, cell=[EDGE] * 3, pbc=True)
    return System.from_ase(atoms).astype("float64")


class Ends(NamedTuple):
    """Of many replicas: their last states, and what is conserved (R, 50) along their way, in eV."""

    state: State
    conserved: np.ndarray


@cache
def compiled(kind: str, coupling: Coupling) -> Any:
    """Fifty times `stride` steps for each key, with any time step and surface tension."""

    def replica(key: Any, timestep: Any, tension: Any, stride: Any) -> Any:
        integrator = make_integrator(kind, coupling, tension)
        integrator = eqx.tree_at(lambda i: i.timestep, integrator, timestep)
        potential, system = ElasticCell(jnp.asarray(STIFF)), ideal_particles()
        momenta = thermal_momenta(key, system, jnp.asarray(KT))
        degrees = jnp.asarray(3.0 * ATOMS - 3)
        first = State(system, momenta, potential(system, None), {}, key, jnp.int32(0), degrees)

        def sample(state: State, _: None) -> Any:
            def step(_: Any, state: State) -> State:
                return integrator.step(dataclasses.replace(state, step=state.step + 1), lambda s: potential(s, None))

            state = jax.lax.fori_loop(0, stride, step, state)
            return state, state.prediction.energy + state.kinetic_energy + integrator.extra_energy(state)

        return jax.lax.scan(sample, integrator.init(first), None, length=50)

    # Compiling costs more than running: the compiler may try less hard.
    quickly = {"xla_backend_optimization_level": 1}
    return jax.jit(jax.vmap(replica, in_axes=(0, None, None, None)), compiler_options=quickly)


def sampled(kind: str, coupling: Coupling, *, timestep_fs: float, time_fs: float, tension: float = 0.0) -> Ends:
    """Replicas from the same place with momenta of their own."""
    with numerics("float64"):
        keys = jax.random.split(jax.random.PRNGKey(4), REPLICAS)
        stride = jnp.int32(round(time_fs / timestep_fs / 50))
        ends, conserved = compiled(kind, coupling)(keys, jnp.asarray(timestep_fs * FS), jnp.asarray(tension), stride)
        return Ends(ends, np.asarray(conserved))


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
    [
        (Coupling.ISOTROPIC, 0.0),
        pytest.param(Coupling.SEMI_ISOTROPIC, TENSION, marks=pytest.mark.slow),
        pytest.param(Coupling.ANISOTROPIC, 0.0, marks=pytest.mark.slow),
    ],
)
def test_edges_have_the_exact_distribution(kind: str, coupling: Coupling, tension: float) -> None:
    ends = sampled(kind, coupling, timestep_fs=2.0, time_fs=4000, tension=tension).state
    with numerics("float64"):
        cells, temperature = np.asarray(ends.system.cell), np.asarray(jax.vmap(lambda s: s.thermal_energy)(ends)) / KT
    assert np.isfinite(cells).all()
    edges = np.linalg.norm(cells, axis=2)
    assert np.abs(cells - edges[:, :, None] * np.eye(3)[None]).max() < 1e-9  # angles stay right
    if coupling is not Coupling.ANISOTROPIC:
        np.testing.assert_allclose(edges[:, 0], edges[:, 1], rtol=1e-10)
    assert temperature.mean() == pytest.approx(1, abs=4 * np.sqrt(2 / (3 * ATOMS - 3) / REPLICAS))
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
        ranks = np.arange(1, REPLICAS + 1) / REPLICAS
        distance = np.abs(expected - ranks).max() * np.sqrt(REPLICAS)
        assert distance < 2.0, (number, distance, found.mean(), (marginal @ grid) / marginal.sum())


@pytest.mark.parametrize("kind", ["stochastic", "martyna-tobias-klein"])
@pytest.mark.parametrize(
    "coupling",
    [
        Coupling.ISOTROPIC,
        Coupling.SEMI_ISOTROPIC,
        pytest.param(Coupling.ANISOTROPIC, marks=pytest.mark.slow),
        Coupling.TRICLINIC,
    ],
)
def test_what_is_conserved(kind: str, coupling: Coupling) -> None:
    spread = [
        np.sqrt(sampled(kind, coupling, timestep_fs=timestep, time_fs=400).conserved.var(axis=1).mean())
        for timestep in (1.0, 0.5)
    ]
    # The noise moves the cell, and the forces of the kick that follows are those before it moved: first order.
    lowest, highest = (1.7, 2.5) if kind == "stochastic" else (3.6, 4.4)
    assert lowest < spread[0] / spread[1] < highest
    assert spread[0] < 0.02


@pytest.mark.parametrize("kind", ["stochastic", "martyna-tobias-klein"])
def test_shears_relax_a_sheared_cell(kind: str) -> None:
    """Every mode obeys <V B_a : (P - P_0)> + k_B T Tr B_a = 0; shears are as likely to either side."""
    ends = sampled(kind, Coupling.TRICLINIC, timestep_fs=2.0, time_fs=4000).state
    with numerics("float64"):

        def balance(state: State) -> Any:
            kinetic = state.momenta.T @ state.velocities
            inside = kinetic - state.system.volume * state.prediction.stress
            one = jnp.eye(3)
            return (inside - PRESSURE * state.system.volume * one) / KT + one

        values = np.asarray(jax.vmap(balance)(ends))
        cells = np.asarray(ends.system.cell)
    error = values.std(axis=0) / np.sqrt(REPLICAS)
    assert (np.abs(values.mean(axis=0)) < 4.5 * error).all(), values.mean(axis=0) / error
    shear = np.einsum("rij,rkj->rik", cells, cells) / EDGE**2
    assert shear[:, 0, 1].std() > 0.02  # it does move

"""Every thermostat and barostat samples the ensemble that it promises, on a fluid of interacting particles.

The ratio of the distributions at two temperatures or two pressures is known without knowing either of them: for
energies ln(P_2(E) / P_1(E)) = (1 / k_B T_1 - 1 / k_B T_2) E + const, for volumes ln(P_2(V) / P_1(V)) =
(P_1 - P_2) V / k_B T + const (Shirts, J. Chem. Theory Comput. 9, 909 (2013)). `physical_validation` fits the slope.
Kinetic energies follow the gamma distribution, which is known entirely.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from ase import Atoms

from helio.precision import numerics
from helio.prediction import Prediction
from helio.simulate import Composition, Freedom, Schedule, State
from helio.simulate.barostats import CellMotion, OuterPressure, StochasticCell
from helio.simulate.constraints import Constraints
from helio.simulate.ensembles import with_bath_in_the_middle, with_chain, with_moving_cell, with_stochastic_cell
from helio.simulate.state import thermal_momenta
from helio.simulate.thermostats import Langevin, NoseHooverChain, StochasticRescaling
from helio.system import System
from helio.units import BOLTZMANN, EV_PER_A3_IN_BAR, FS

TEMPERATURES = 300.0, 420.0  # K
PRESSURES = 3e-4, 4.5e-4  # eV/A^3
EDGE = 7.0  # A
REACH = 3.0  # A
BOND = 1.1  # A

# Standard errors by which a slope may be off: one in 16,000 is.
TOLERANCE = 4.0


class Fluid(eqx.Module):
    """E = k sum over pairs (1 - r^2 / c^2)^3 within c, nearest images; atoms of one molecule do not see each other."""

    stiffness: Any = 0.5  # k in eV
    molecule: int = eqx.field(static=True, default=1)  # atoms in each

    def __call__(self, system: System) -> Prediction:
        number = jnp.arange(len(system)) // self.molecule
        others = (number[:, None] != number[None])[:, :, None]
        edges = jnp.diagonal(system.cell)  # a cubic cell, and what changes it keeps it so
        vectors = system.positions[:, None] - system.positions[None]
        vectors = vectors - edges[None, None] * jnp.round(vectors / edges[None, None])
        square = jnp.sum(vectors**2, axis=-1, keepdims=True)
        overlap = jnp.where(others, jnp.maximum(1 - square / REACH**2, 0), 0)
        forces = 6 / REACH**2 * self.stiffness * overlap**2 * vectors
        value = 0.5 * self.stiffness * jnp.sum(overlap**3)
        zeros = jnp.zeros_like(system.masses)
        return Prediction(
            energy=value,
            energy_terms={"pairs": value},
            atomic_energies=zeros + value / len(system),
            forces=jnp.sum(forces, axis=1),
            # Shear is not looked at.
            stress=-0.5 * jnp.diag(jnp.sum(vectors * forces, axis=(0, 1))) / system.volume,
            charges=zeros,
            hirshfeld_ratios=zeros,
            dipole=jnp.zeros_like(system.positions[0]),
        )


Build = Callable[[Any, Any, Freedom], Composition]  # from k_B T in eV, pressure in eV/A^3

TIMESTEP = 8.0 * FS
RELAXATION = 60 * FS
FRICTION = 0.01 / FS
MIDDLE = ["langevin", "rescaling"]


def middle_thermostat(kind: str, kt: Schedule) -> Langevin | StochasticRescaling:
    if kind == "langevin":
        return Langevin(kt, jnp.asarray(FRICTION))
    return StochasticRescaling(kt, jnp.asarray(RELAXATION))


def thermostatted(kind: str, thermal_energy: Any, pressure: Any, freedom: Freedom) -> Composition:
    timestep, kt = jnp.asarray(TIMESTEP), Schedule.constant(thermal_energy)
    if kind == "nose-hoover":
        return with_chain(timestep, freedom, NoseHooverChain(kt, jnp.asarray(RELAXATION)))
    return with_bath_in_the_middle(timestep, freedom, middle_thermostat(kind, kt))


def barostatted(kind: str, thermal_energy: Any, pressure: Any, freedom: Freedom) -> Composition:
    timestep, kt = jnp.asarray(TIMESTEP), Schedule.constant(thermal_energy)
    outer = OuterPressure(Schedule.constant(pressure), jnp.asarray(0.0))
    if kind == "martyna-tobias-klein":
        motion = CellMotion(outer, kt, jnp.asarray(RELAXATION), jnp.asarray(4 * RELAXATION))
        return with_moving_cell(timestep, freedom, motion)
    # A strain of a few per cent in a step would show as an error of first order in the step.
    barostat = StochasticCell(outer, kt, jnp.asarray(4 * RELAXATION), jnp.asarray(300.0))
    return with_stochastic_cell(timestep, freedom, middle_thermostat(kind, kt), barostat)


class Samples(NamedTuple):
    """Of one temperature and pressure; series of many replicas (R, S), in eV and A^3."""

    temperature: float
    pressure: float
    molecule: int  # atoms in each
    potential: np.ndarray
    kinetic: np.ndarray
    volume: np.ndarray


def lattice(molecule: int) -> System:
    """Eight atoms or molecules of two atoms in a cubic cell."""
    centers = np.stack(np.meshgrid(*[[0.25, 0.75]] * 3), axis=-1).reshape(-1, 3) * EDGE
    if molecule == 2:
        positions = np.repeat(centers, 2, axis=0)
        positions[1::2, 0] += BOND
        symbols = ["N", "Ar"] * 8
    else:
        positions, symbols = centers, ["Ne", "Ar"] * 4
    return System.from_ase(Atoms(symbols, positions, cell=[EDGE] * 3, pbc=True)).astype("float64")


def dimer_bonds() -> Constraints:
    """The bond of each of the eight molecules of two atoms."""
    return Constraints.from_pairs(np.arange(16).reshape(8, 2), np.full(8, BOND), atoms=16).astype("float64")


def sampled(
    build: Build,
    conditions: list[tuple[float, float]],
    *,
    molecule: int = 1,
    replicas: int = 400,
    warm_up: int = 500,
    samples: int = 8,
    apart: int = 60,
) -> list[Samples]:
    """Run all replicas at all conditions (K, eV/A^3) at once, as one compiled program."""
    with numerics("float64"):
        potential, system = Fluid(molecule=molecule), lattice(molecule)
        freedom = Freedom(constraints=dimer_bonds() if molecule == 2 else None)
        degrees = jnp.asarray(float(freedom.degrees_of_freedom(system)))

        def replica(key: Any, thermal_energy: Any, pressure: Any) -> Any:
            integrator = build(thermal_energy, pressure, freedom)
            momenta = thermal_momenta(key, system, thermal_energy)
            state = integrator.init(State(system, momenta, potential(system), {}, key, jnp.int32(0), degrees))

            def run(state: State, steps: int) -> State:
                def one(_: Any, state: State) -> State:
                    return integrator.step(dataclasses.replace(state, step=state.step + 1), potential)

                return jax.lax.fori_loop(0, steps, one, state)

            def sample(state: State, _: None) -> Any:
                state = run(state, apart)
                return state, (state.prediction.energy, state.kinetic_energy, state.system.volume)

            return jax.lax.scan(sample, run(state, warm_up), None, length=samples)[1]

        temperatures, pressures = (jnp.repeat(jnp.asarray(c), replicas) for c in zip(*conditions, strict=True))
        keys = jax.random.split(jax.random.PRNGKey(11), len(temperatures))
        # Compiling costs as much as running: the compiler may try less hard.
        quickly = {"xla_backend_optimization_level": 1}
        found = jax.jit(jax.vmap(replica), compiler_options=quickly)(keys, temperatures * BOLTZMANN, pressures)
        found = [np.asarray(values).reshape(len(conditions), replicas, samples) for values in found]
    assert found[2].min() > (2 * REACH) ** 3  # nearest images are enough
    return [
        Samples(temperature, pressure, molecule, *values)
        for (temperature, pressure), values in zip(conditions, zip(*found, strict=True), strict=True)
    ]


def simulation(samples: Samples, kind: str, *, temperature: float | None = None, pressure: float | None = None) -> Any:
    """As `physical_validation` takes it; told another temperature or pressure than the true one on request."""
    from physical_validation import data

    units = data.UnitData(
        kb=BOLTZMANN,
        energy_str="eV",
        energy_conversion=96.48533,  # to kJ/mol
        length_str="A",
        length_conversion=0.1,
        volume_str="A^3",
        volume_conversion=1e-3,
        temperature_str="K",
        temperature_conversion=1,
        pressure_str="eV/A^3",
        pressure_conversion=EV_PER_A3_IN_BAR,
        time_str="ps",
        time_conversion=1,
    )
    atoms = 8 * samples.molecule
    system = data.SystemData(
        natoms=atoms,
        nconstraints=8 * (samples.molecule - 1),
        ndof_reduction_tra=3,
        ndof_reduction_rot=0,
        mass=np.ones(atoms),
        molecule_idx=np.arange(8) * samples.molecule,
        nconstraints_per_molecule=np.full(8, samples.molecule - 1),
    )
    ensemble = data.EnsembleData(
        kind,
        natoms=atoms,
        temperature=temperature or samples.temperature,
        pressure=(pressure or samples.pressure) if kind == "NPT" else None,
        volume=EDGE**3 if kind == "NVT" else None,
    )
    observables = data.ObservableData(
        kinetic_energy=samples.kinetic.ravel(),
        # Any constant may be added; the package mistakes energies from zero on for distributions apart.
        potential_energy=1 + samples.potential.ravel(),
        total_energy=1 + (samples.potential + samples.kinetic).ravel(),
        volume=samples.volume.ravel() if kind == "NPT" else None,
    )
    return data.SimulationData(units=units, system=system, ensemble=ensemble, observables=observables)


def deviation(first: Any, second: Any, *, total_energy: bool = False) -> float:
    """By how many standard errors the slope is off."""
    from physical_validation import ensemble

    return ensemble.check(first, second, total_energy=total_energy, verbosity=0, data_is_uncorrelated=True)[0]


def assert_kinetic_energies(samples: Samples, kind: str) -> None:
    """Kolmogorov and Smirnov's test of 2 K / k_B T against chi^2 with N_f degrees of freedom."""
    from physical_validation import kinetic_energy

    spaced = samples._replace(**{name: getattr(samples, name)[:, ::2] for name in ("potential", "kinetic", "volume")})
    hotter = 1.1 * samples.temperature
    right, wrong = (
        kinetic_energy.distribution(
            simulation(spaced, kind, temperature=t), strict=True, verbosity=0, data_is_uncorrelated=True
        )
        for t in (samples.temperature, hotter)
    )
    assert isinstance(right, float) and isinstance(wrong, float)
    assert right > 1e-4 > wrong


def assert_temperatures(cold: Samples, hot: Samples, kind: str) -> None:
    """The slope belongs to the two temperatures, and could be told from that of others."""
    right, wrong = (simulation(hot, kind, temperature=factor * hot.temperature) for factor in (1.0, 1.3))
    for total_energy in (False, True):
        assert deviation(simulation(cold, kind), right, total_energy=total_energy) < TOLERANCE
        assert deviation(simulation(cold, kind), wrong, total_energy=total_energy) > TOLERANCE


def assert_pressures(low: Samples, high: Samples) -> None:
    """The slope belongs to the two pressures, and could be told from that of others."""
    right, wrong = (simulation(high, "NPT", pressure=factor * high.pressure) for factor in (1.0, 1.25))
    assert deviation(simulation(low, "NPT"), right) < TOLERANCE
    assert deviation(simulation(low, "NPT"), wrong) > TOLERANCE


thoroughly = pytest.mark.parametrize("replicas", [250, pytest.param(1000, marks=pytest.mark.slow)])


@thoroughly
@pytest.mark.parametrize("kind", ["langevin", "rescaling", "nose-hoover"])
def test_constant_temperature(kind: str, replicas: int) -> None:
    conditions = [(temperature, 0.0) for temperature in TEMPERATURES]
    cold, hot = sampled(partial(thermostatted, kind), conditions, replicas=replicas)
    assert_kinetic_energies(cold, "NVT")
    assert_temperatures(cold, hot, "NVT")


@thoroughly
@pytest.mark.parametrize(
    "kind",
    ["langevin", *(pytest.param(kind, marks=pytest.mark.slow) for kind in ("rescaling", "martyna-tobias-klein"))],
)
def test_constant_pressure(kind: str, replicas: int) -> None:
    conditions = [(TEMPERATURES[0], PRESSURES[0]), (TEMPERATURES[1], PRESSURES[0]), (TEMPERATURES[0], PRESSURES[1])]
    cold, hot, pressed = sampled(partial(barostatted, kind), conditions, replicas=replicas)
    assert_kinetic_energies(cold, "NPT")
    assert_temperatures(cold, hot, "NPT")
    assert_pressures(cold, pressed)


@pytest.mark.parametrize(("kind", "replicas"), [pytest.param(kind, 1000, marks=pytest.mark.slow) for kind in MIDDLE])
def test_constant_pressure_of_rigid_molecules(kind: str, replicas: int) -> None:
    """The cell strains the molecules' centres, and the pressure is that of whole molecules."""
    low, high = 2.5 * PRESSURES[0], 2.5 * PRESSURES[1]
    conditions = [(TEMPERATURES[0], low), (TEMPERATURES[1], low), (TEMPERATURES[0], high)]
    # Turning and flying exchange energy in collisions alone.
    cold, hot, pressed = sampled(
        partial(barostatted, kind),
        conditions,
        molecule=2,
        replicas=replicas,
        warm_up=1000 if kind == "langevin" else 5000,
    )
    assert_kinetic_energies(cold, "NPT")
    assert_temperatures(cold, hot, "NPT")
    assert_pressures(cold, pressed)

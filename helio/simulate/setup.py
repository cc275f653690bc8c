"""From settings and a structure to what the engine runs: a potential, an integrator, a system."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from ase import Atoms
from jax.sharding import Mesh
from jaxtyping import Array

from helio.errors import HelioError, counted
from helio.force_field import ForceField
from helio.force_field.registry import load_model
from helio.force_field.sharded import Sharded, everywhere, sharded
from helio.simulate.barostats import CellMotion, Coupling, OuterPressure, StochasticCell
from helio.simulate.bias import add_bias, load_bias
from helio.simulate.bonds import make_whole
from helio.simulate.constraints import Constraints
from helio.simulate.ensembles import (
    constant_energy,
    with_bath_in_the_middle,
    with_chain,
    with_moving_cell,
    with_stochastic_cell,
)
from helio.simulate.freedom import Freedom
from helio.simulate.frozen import frozen_atoms
from helio.simulate.masses import repartitioned
from helio.simulate.placement import Placement, at_coordinates
from helio.simulate.restraints import Restraints
from helio.simulate.rigid import fixed_hydrogen_bonds, rigid_water
from helio.simulate.schedule import Schedule
from helio.simulate.settings import MDSettings, Points
from helio.simulate.steps import Bath, Composition
from helio.simulate.thermostats import Langevin, NoseHooverChain, StochasticRescaling
from helio.system import System
from helio.units import BOLTZMANN, EV_PER_A2_IN_MN_PER_M, EV_PER_A3_IN_BAR, FS


@dataclass(frozen=True)
class Setup:
    """What settings and structure make."""

    settings: MDSettings
    force_field: ForceField  # with its uncertainty where that is watched
    potential: Any  # the force field, with biases, over the devices asked for
    integrator: Composition
    system: System  # near the origin
    placement: Placement  # of the user's coordinates
    mesh: Mesh | None  # the devices that share the system, if there are several
    watched: ForceField | Sharded | None  # the force field with its uncertainty, over the devices asked for


def chosen_force_field(settings: MDSettings) -> ForceField:
    """The force field that settings ask for, in their precision; `HelioError` where there is none."""
    return load_model(
        settings.model,
        level=settings.level,
        kernels=settings.kernels,
        long_range_cutoff=settings.long_range_cutoff,
        electrostatics=settings.electrostatics,
        dispersion_tail=settings.dispersion_tail,
    ).astype(settings.precision)


def set_up(
    atoms: Atoms,
    settings: MDSettings,
    *,
    rows: int | None = None,
    force_field: ForceField | None = None,
    placement: Placement | None = None,
) -> Setup:
    """Everything that a run needs.

    Args:
        atoms: the structure.
        settings: of the run.
        rows: of arrays, padding atoms included; by default those of the atoms.
        force_field: from `chosen_force_field`, which takes a moment, where several set-ups share it.
        placement: of the coordinates; by default that brings the atoms near the origin.

    Raises:
        HelioError: for whatever cannot be simulated.
    """
    force_field, watched = _watched(force_field or chosen_force_field(settings), settings)
    known = watched or force_field
    if settings.constraints != "none":
        atoms = make_whole(atoms)
    system = System.from_ase(atoms, charge=settings.charge, unpaired_electrons=settings.spin)
    if settings.hydrogen_mass is not None:
        masses = repartitioned(system.masses, atoms, hydrogen_mass=settings.hydrogen_mass)
        system = eqx.tree_at(lambda s: s.masses, system, masses)
    placement = placement or Placement.of(atoms, system)
    system = placement.near(system)
    shared = sharded(force_field, settings.devices) if settings.devices > 1 else None
    potential = _with_biases(shared or force_field, atoms, settings, placement, rows or len(system))
    potential.check(system)
    freedom, system = _freedom(atoms, system, settings)
    _check_cell(system, settings)
    precision = settings.precision
    mesh = None if shared is None else shared.mesh
    if watched is not None and mesh is not None:
        watched = Sharded(watched, mesh)
    potential, watched, integrator, system = everywhere(
        mesh,
        (
            potential.astype(precision),
            None if watched is None else watched.astype(precision),
            _integrator(settings, freedom),
            system.padded(rows or len(system)).astype(precision),
        ),
    )
    return Setup(settings, known.astype(precision), potential, integrator, system, placement, mesh, watched)


def start_temperature(settings: MDSettings) -> float:
    """The temperature at time zero, in K."""
    course = settings.temperature
    return course[0][1] if isinstance(course, tuple) else course


def _watched(force_field: ForceField, settings: MDSettings) -> tuple[ForceField, ForceField | None]:
    """The force field without its uncertainty, which steps do not need, and with it where it is watched.

    Raises:
        HelioError: settings ask for an uncertainty that the model does not state.
    """
    bare = replace(force_field, uncertainty=None)
    asked = settings.uncertainty_every or settings.stop_when_uncertain or settings.uncertainty_limit is not None
    if asked and force_field.uncertainty is None:
        raise HelioError(
            f"the model {settings.model} does not say how uncertain it is: make one that does with helio calibrate, or "
            "leave out the settings of uncertainty"
        )
    return bare, force_field if settings.uncertainty_every else None


def _with_biases(
    force_field: ForceField | Sharded, atoms: Atoms, settings: MDSettings, placement: Placement, rows: int
) -> Any:
    """The force field with restraints and bias, which see the user's coordinates."""
    potential: Any = force_field
    if settings.restraints:
        parts = tuple(restraint.restraint(atoms) for restraint in settings.restraints)
        potential = add_bias(potential, at_coordinates(Restraints(parts), placement, rows), name="restraints")
    if settings.bias is not None:
        potential = add_bias(potential, at_coordinates(load_bias(settings.bias), placement, rows), name="bias")
    return potential


def _freedom(atoms: Atoms, system: System, settings: MDSettings) -> tuple[Freedom, System]:
    """The allowed motions, and the system with its fixed distances."""
    frozen = frozen_atoms(atoms, settings.frozen)
    if frozen is not None and settings.ensemble == "npt":
        raise HelioError(
            f"the structure fixes {counted(int(frozen.sum()), 'atom')}, which excludes constant pressure: use "
            "--ensemble nvt, or let them move by --frozen none"
        )
    mobile = None if frozen is None else ~frozen
    constraints: Constraints | None = None
    if settings.constraints != "none":
        build = fixed_hydrogen_bonds if settings.constraints == "h-bonds" else rigid_water
        constraints = build(atoms, frozen=frozen)
        system = constraints.imposed(system)
    freedom = Freedom(
        mobile=None if mobile is None else jnp.asarray(mobile),
        constraints=None if constraints is None else constraints.astype(settings.precision),
        fixed_center=mobile is None and len(system) > 1,
        fixed_rotation=settings.remove_rotation,
    )
    freedom.check(system)
    return freedom, system


def _check_cell(system: System, settings: MDSettings) -> None:
    if settings.ensemble != "npt":
        return
    if not all(system.pbc):
        raise HelioError("constant pressure needs a cell periodic in all three directions; use --ensemble nvt")
    if settings.coupling == "semi-isotropic":
        a, b, c = np.asarray(system.cell)
        if max(abs(a[2]), abs(b[2]), abs(c[0]), abs(c[1])) > 1e-6:
            raise HelioError("semi-isotropic coupling needs a cell whose third vector is z and the others normal to it")


def _integrator(settings: MDSettings, freedom: Freedom) -> Composition:
    timestep = _number(settings.timestep * FS, settings)
    if settings.ensemble == "nve":
        return constant_energy(timestep, freedom)
    kt = _schedule(settings.temperature, BOLTZMANN, settings)
    relaxation_time = _number(settings.relaxation_time * FS, settings)
    if settings.ensemble == "npt" and settings.barostat == "martyna-tobias-klein":
        pressure_time = _number(settings.pressure_relaxation_time * FS, settings)
        motion = CellMotion(_outer(settings), kt, relaxation_time, pressure_time, Coupling(settings.coupling))
        return with_moving_cell(timestep, freedom, motion)
    if settings.ensemble == "nvt" and settings.thermostat == "nose-hoover":
        return with_chain(timestep, freedom, NoseHooverChain(kt, relaxation_time))
    thermostat = _middle_thermostat(settings, kt, relaxation_time)
    if settings.ensemble == "nvt":
        return with_bath_in_the_middle(timestep, freedom, thermostat)
    barostat = StochasticCell(
        outer=_outer(settings),
        thermal_energy=kt,
        relaxation_time=_number(settings.pressure_relaxation_time * FS, settings),
        compressibility=_number(settings.compressibility * EV_PER_A3_IN_BAR, settings),
        coupling=Coupling(settings.coupling),
    )
    return with_stochastic_cell(timestep, freedom, thermostat, barostat)


def _middle_thermostat(settings: MDSettings, kt: Schedule, relaxation_time: Array) -> Bath:
    if settings.thermostat == "langevin":
        return Langevin(kt, _number(settings.friction / (1000 * FS), settings))
    if settings.thermostat == "rescaling":
        return StochasticRescaling(kt, relaxation_time)
    raise HelioError(
        "Nose-Hoover chains at constant pressure come with --barostat martyna-tobias-klein; with the stochastic "
        "barostat use --thermostat langevin or rescaling"
    )


def _outer(settings: MDSettings) -> OuterPressure:
    tension = _number(settings.surface_tension / EV_PER_A2_IN_MN_PER_M, settings)
    return OuterPressure(_schedule(settings.pressure, 1 / EV_PER_A3_IN_BAR, settings), tension)


def _schedule(course: float | Points, unit: float, settings: MDSettings) -> Schedule:
    """In internal units, against steps."""
    points = course if isinstance(course, tuple) else ((0.0, course),)
    steps = [1000 * time / settings.timestep for time, _ in points]
    return Schedule(_number(steps, settings), _number([unit * value for _, value in points], settings))


def _number(value: float | list[float], settings: MDSettings) -> Array:
    return jnp.asarray(value, settings.precision)

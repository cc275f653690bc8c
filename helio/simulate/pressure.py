"""The pressure inside.

    V P = sum_g p_g p_g / m_g - V sigma_g,    V sigma_g = V sigma + sum_i (r_i - R_g) F_i

over the groups g of atoms that keep their shape (those joined by fixed distances) or, without constraints, over single
atoms, where r_i = R_g. sigma is the stress of the potential, F_i the force, R_g a group's centre of mass.
"""

from __future__ import annotations

from jaxtyping import Array, Float

from helio.simulate.constraints import Constraints
from helio.simulate.state import State


def group_centers(state: State, constraints: Constraints | None) -> Float[Array, "N 3"]:
    """The centre of mass of each atom's group, in A."""
    positions, masses = state.system.positions, state.system.masses
    return positions if constraints is None else constraints.group_means(positions, masses)


def group_velocities(state: State, constraints: Constraints | None) -> Float[Array, "N 3"]:
    """The velocity of each atom's group, in A per sqrt(amu A^2/eV)."""
    return state.velocities if constraints is None else constraints.group_means(state.velocities, state.system.masses)


def kinetic_tensor(state: State, constraints: Constraints | None = None) -> Float[Array, "3 3"]:
    """sum_g p_g p_g / m_g in eV."""
    velocities = group_velocities(state, constraints)
    return (state.system.masses[:, None] * velocities).T @ velocities


def stress_times_volume(state: State, constraints: Constraints | None = None) -> Float[Array, "3 3"]:
    """V sigma_g in eV: the derivative of the potential energy by a strain that leaves the groups' shapes alone."""
    system, prediction = state.system, state.prediction
    assert prediction.stress is not None  # without a cell nobody asks for the pressure
    whole = system.volume * prediction.stress
    if constraints is None:
        return whole
    inside = constraints.internal_virial(system.positions, prediction.forces, system.masses)
    return whole + 0.5 * (inside + inside.T)


def pressure(state: State, constraints: Constraints | None = None) -> Float[Array, "3 3"]:
    """The pressure tensor in eV/A^3."""
    inside = kinetic_tensor(state, constraints) - stress_times_volume(state, constraints)
    return inside / state.system.volume

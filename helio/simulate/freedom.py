"""Which motions are allowed: frozen atoms, fixed distances, centre of mass at rest, no overall rotation.

The allowed momenta are a linear subspace; `project` is the projection on it, orthogonal in sum p^2 / m, so that
thermal momenta stay thermal with fewer degrees of freedom.
"""

from __future__ import annotations

from dataclasses import replace

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from helio.errors import HelioError
from helio.simulate.constraints import Constraints
from helio.simulate.state import State
from helio.system import System


class Freedom(eqx.Module):
    """The motions that are left to the atoms."""

    mobile: Bool[Array, " N"] | None = None  # False for frozen atoms; None: all move
    constraints: Constraints | None = None
    fixed_center: bool = eqx.field(static=True, default=True)
    fixed_rotation: bool = eqx.field(static=True, default=False)

    def project(self, state: State) -> State:
        """The state with the nearest allowed momenta."""
        system, momenta = state.system, state.momenta
        if self.mobile is not None:
            momenta = jnp.where(self.mobile[:, None], momenta, 0)
        if self.constraints is not None:
            momenta = self.constraints.project_momenta(system.positions, momenta, system.masses)
        if self.fixed_center:
            momenta = without_translation(system, momenta)
        if self.fixed_rotation and len(system) > 1:  # the inertia of a single atom is round-off
            momenta = without_rotation(system, momenta)
        return replace(state, momenta=momenta)

    def drift(self, state: State, time: Float[Array, ""]) -> State:
        """Free flight for `time`, ending on the constraints; these act as forces along the reference's bonds."""
        positions, masses = state.system.positions, state.system.masses
        free = positions + time * state.velocities
        if self.constraints is None:
            return state.with_positions(free)
        pull = self.constraints.displacement(positions, free, masses)
        momenta = state.momenta + jnp.where(time > 0, masses[:, None] * pull / jnp.where(time > 0, time, 1), 0)
        return self.project(replace(state, momenta=momenta).with_positions(free + pull))

    def degrees_of_freedom(self, system: System) -> int:
        """Number of independent momenta of a system of host or JAX arrays."""
        atoms = np.asarray(system.atom_mask)
        count = 3 * int((atoms if self.mobile is None else atoms & np.asarray(self.mobile)).sum())
        if self.constraints is not None:
            count -= self.constraints.count
        if self.fixed_center:
            count -= 3
        if self.fixed_rotation:
            count -= {1: 0, 2: 2}.get(int(atoms.sum()), 3)
        return max(0, count)

    def check(self, system: System) -> None:
        """Raise `HelioError` for motions that cannot be forbidden together."""
        if self.fixed_rotation and any(system.pbc):
            raise HelioError("a periodic system has no overall rotation that could be removed")
        if self.mobile is None:
            return
        if self.fixed_center or self.fixed_rotation:
            raise HelioError("frozen atoms fix the frame: the centre of mass and the rotation cannot be fixed as well")
        if self.constraints is not None:
            frozen = ~np.asarray(self.mobile)
            group = np.asarray(self.constraints.group)
            sizes = np.bincount(group)
            if (frozen & (sizes[group] > 1)).any():
                raise HelioError("a frozen atom takes part in a fixed distance; freeze or constrain it, not both")


def without_translation(system: System, momenta: Float[Array, "N 3"]) -> Float[Array, "N 3"]:
    """p_i - m_i P / M: the centre of mass rests."""
    masses = jnp.where(system.atom_mask, system.masses, 0)
    velocity = jnp.sum(momenta, axis=0) / jnp.sum(masses)
    return momenta - masses[:, None] * velocity[None, :]


def without_rotation(system: System, momenta: Float[Array, "N 3"]) -> Float[Array, "N 3"]:
    """p_i - m_i omega x (r_i - R) with the omega that leaves no angular momentum about the centre of mass."""
    masses = jnp.where(system.atom_mask, system.masses, 0)
    arms = system.positions - (masses @ system.positions / jnp.sum(masses))[None, :]
    angular = jnp.sum(jnp.cross(arms, momenta), axis=0)
    square = jnp.sum(masses * jnp.sum(arms**2, axis=1))
    inertia = square * jnp.eye(3, dtype=masses.dtype) - (masses[:, None] * arms).T @ arms
    # The least-norm solution: a linear molecule has no inertia about its axis.
    omega = jnp.linalg.pinv(inertia, hermitian=True, rtol=1e-5) @ angular
    return momenta - masses[:, None] * jnp.cross(jnp.broadcast_to(omega, arms.shape), arms)

"""In which ways a cell may change, and what pulls at it from outside.

A change of the cell is a symmetric strain, so that it never rotates. Each coupling allows a linear space of strains,
spanned by matrices B_a with B_a : B_b = 1 where a = b, else 0:

| coupling | B_a |
|---|---|
| isotropic | 1 / sqrt 3 |
| semi-isotropic | (xx + yy) / sqrt 2, zz |
| anisotropic | xx, yy, zz |
| triclinic | also (yz + zy) / sqrt 2, (xz + zx) / sqrt 2, (xy + yx) / sqrt 2 |
"""

from __future__ import annotations

from enum import StrEnum

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from helio.simulate.schedule import Schedule
from helio.simulate.state import State


class Coupling(StrEnum):
    """Which strains of the cell are allowed."""

    ISOTROPIC = "isotropic"
    SEMI_ISOTROPIC = "semi-isotropic"
    ANISOTROPIC = "anisotropic"
    TRICLINIC = "triclinic"

    @property
    def modes(self) -> Float[np.ndarray, "A 3 3"]:
        """The matrices B_a."""
        x, y, z = (np.diag(row) for row in np.eye(3))
        if self is Coupling.ISOTROPIC:
            return np.eye(3)[None] / np.sqrt(3)
        if self is Coupling.SEMI_ISOTROPIC:
            return np.stack([(x + y) / np.sqrt(2), z])
        if self is Coupling.ANISOTROPIC:
            return np.stack([x, y, z])
        shears = [np.outer(a, b) + np.outer(b, a) for a, b in ((1, 2), (0, 2), (0, 1)) for a, b in [np.eye(3)[[a, b]]]]
        return np.stack([x, y, z, *(shear / np.sqrt(2) for shear in shears)])


class OuterPressure(eqx.Module):
    """A hydrostatic pressure and, where z is the normal of an interface, a surface tension.

    The system feels the energy P V - gamma A, with the area A of the cell normal to z.
    """

    pressure: Schedule  # eV/A^3
    surface_tension: Float[Array, ""]  # gamma in eV/A^2, summed over the interfaces; zero without

    def energy(self, state: State) -> Float[Array, ""]:
        """P V - gamma A in eV."""
        return self.pressure(state) * state.system.volume - self.surface_tension * _area(state)

    def strain_derivative(self, state: State) -> Float[Array, "3 3"]:
        """Derivative of P V - gamma A by a strain, in eV."""
        one = jnp.eye(3, dtype=state.momenta.dtype)
        in_plane = one.at[2, 2].set(0)
        return self.pressure(state) * state.system.volume * one - self.surface_tension * _area(state) * in_plane


def _area(state: State) -> Float[Array, ""]:
    a, b, _ = state.system.cell
    return jnp.abs(a[0] * b[1] - a[1] * b[0])

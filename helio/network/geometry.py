"""What the network sees of a pair of atoms."""

from __future__ import annotations

from collections.abc import Sequence

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from helio.network.harmonics import spherical_harmonics
from helio.network.radial import bernstein_basis
from helio.physics.pair import MeasuredPairs
from helio.physics.switching import quintic_cutoff
from helio.rows import Rows


class PairGeometry(eqx.Module):
    """Pairs within the cutoff, each once; the filters are symmetric and serve both directions."""

    measured: MeasuredPairs
    basis: Float[Array, "P R"]
    envelope: Float[Array, " P"]  # c(d), zero where there is no pair
    harmonics: Float[Array, "P M"]  # Y(u_ij) for the first atom i; the second atom's are (-1)^l of these

    @property
    def rows(self) -> Rows:
        """Whose rows arrays over atoms hold."""
        return self.measured.rows

    @classmethod
    def describe(
        cls, short: MeasuredPairs, *, cutoff: float, num_radial: int, gamma: float, degrees: Sequence[int]
    ) -> PairGeometry:
        """Evaluate basis, cutoff function and harmonics of the pairs within `cutoff` (A)."""
        x_axis = jnp.asarray([1, 0, 0], short.distance.dtype)
        unit = jnp.where(short.inside[:, None], short.pairs.vectors / short.distance[:, None], x_axis)
        return cls(
            measured=short,
            basis=bernstein_basis(short.distance, size=num_radial, gamma=gamma),
            envelope=jnp.where(short.inside, quintic_cutoff(short.distance, cutoff), 0),
            harmonics=spherical_harmonics(unit, degrees),
        )

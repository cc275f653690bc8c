"""Ziegler-Biersack-Littmark repulsion of nuclei with learned parameters (SO3LR, JACS 2025)."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from helio.physics.switching import exponential_switch, quintic_cutoff
from helio.units import COULOMB

# Universal screening function of Ziegler, Biersack and Littmark (1985), the starting point of training.
UNIVERSAL_WEIGHTS = (0.18175, 0.50986, 0.28022, 0.02817)
UNIVERSAL_EXPONENTS = (3.19980, 0.94229, 0.40290, 0.20162)
UNIVERSAL_POWER = 0.23
UNIVERSAL_LENGTH = 0.46850  # A


class ZBL(eqx.Module):
    """Screened Coulomb repulsion; parameters are stored before the softplus that keeps them positive.

    e(d) = w(d) k_e c(d) Z_i Z_j / d sum_n c_n exp(-a_n d (Z_i^p + Z_j^p) D)
    """

    weights: Float[Array, " 4"]  # c_n
    exponents: Float[Array, " 4"]  # a_n
    power: Float[Array, ""]  # p
    inverse_length: Float[Array, ""]  # D, 1/A

    @classmethod
    def universal(cls) -> ZBL:
        """The universal screening function."""

        def raw(value: float | tuple[float, ...]) -> Array:
            return jnp.log(jnp.expm1(jnp.asarray(value, jnp.float32)))

        return cls(raw(UNIVERSAL_WEIGHTS), raw(UNIVERSAL_EXPONENTS), raw(UNIVERSAL_POWER), raw(1 / UNIVERSAL_LENGTH))

    def __call__(
        self,
        distance: Float[Array, "..."],
        charge_i: Float[Array, "..."],
        charge_j: Float[Array, "..."],
        *,
        cutoff: float,
        reach: float,
    ) -> Float[Array, "..."]:
        """Energy in eV of pairs at `distance` (A) with nuclear charges `charge_i` and `charge_j`.

        `cutoff` is that of c(d), `reach` (A) the distance from which on w(d) is zero.
        """
        weights, exponents = self.terms()
        screened = distance * (self.screening(charge_i) + self.screening(charge_j))
        screening = sum(weights[n] * jnp.exp(-exponents[n] * screened) for n in range(4))
        window = exponential_switch(distance / reach) * quintic_cutoff(distance, cutoff)
        return window * COULOMB * charge_i * charge_j / distance * screening

    def terms(self) -> tuple[Float[Array, " 4"], Float[Array, " 4"]]:
        """c_n and a_n."""
        weights = jax.nn.softplus(self.weights)
        return weights / weights.sum(), jax.nn.softplus(self.exponents)

    def screening(self, charge: Float[Array, "..."]) -> Float[Array, "..."]:
        """Z^p D in 1/A."""
        return charge ** jax.nn.softplus(self.power) * jax.nn.softplus(self.inverse_length)

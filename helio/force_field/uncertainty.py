"""What a model knows about its own errors: the rigidity of its last layer, calibrated."""

from __future__ import annotations

import equinox as eqx
from jaxtyping import Array, Float


class Uncertainty(eqx.Module):
    """The distribution of the last layer of the energy, w + dw, whose spread is that of the model's errors.

    `helio.uncertainty` makes it and says what it means for a structure. Both arrays describe dw ~ N(0, alpha^2 P), with
    P the inverse of what the training data say about w; energies and forces have an alpha of their own.
    """

    factor: Float[Array, "F F"]  # L with alpha^2 P = L L^T for energies
    members: Float[Array, "M F"]  # rows dw with alpha^2 P = mean of dw dw^T for forces, to sampling error for M < F
    limit: float = eqx.field(static=True)  # eV/A: an atom's forces beyond it are those of no structure held out
    about: str = eqx.field(static=True, default="")  # which data it comes from

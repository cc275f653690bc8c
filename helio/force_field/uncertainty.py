"""Uncertainty of a model: the rigidity of its last layer, and where it is known to fail."""

from __future__ import annotations

import equinox as eqx
from jaxtyping import Array, Float


class WeakSpots(eqx.Module):
    """W kinds of surroundings in which a model is known to fail, told from those that it learned from.

    An atom other than hydrogen is of kind w where d_w . <f> > t_w, with <f> the mean of the energy features
    (`helio.uncertainty`) of the atom and of all atoms within the cutoff of the network.
    """

    directions: Float[Array, "W F"]  # d, 1/eV
    thresholds: tuple[float, ...] = eqx.field(static=True)  # t
    names: tuple[str, ...] = eqx.field(static=True)  # that complete "resembles"


class Uncertainty(eqx.Module):
    """The distribution of the last layer of the energy, w + dw, whose spread is that of the model's errors.

    `helio.uncertainty` makes it and says what it means for a structure. Both arrays describe dw ~ N(0, alpha^2 P), with
    P the inverse of what the training data say about w; energies and forces have an alpha of their own.
    """

    factor: Float[Array, "F F"]  # L with alpha^2 P = L L^T for energies
    members: Float[Array, "M F"]  # rows dw with alpha^2 P = mean of dw dw^T for forces, to sampling error for M < F
    limit: float = eqx.field(static=True)  # eV/A: an atom's forces beyond it are those of no structure held out
    about: str = eqx.field(static=True, default="")  # which data it comes from
    weak_spots: WeakSpots | None = None
    # Numbers of unpaired electrons that the training data have; empty where they are not known.
    unpaired_electrons: tuple[int, ...] = eqx.field(static=True, default=())

"""Attention of one layer, as one operation: everything that happens on pairs.

w_ij = R(b(d_ij)) + S(inv(chi_j - chi_i)),  alpha_ij,h = c(d_ij) / n sum_(f in h) q_i,hf w_ij,hf k_j,hf
X_i = concat_h sum_j alpha^1_ij,h v_j,h,    C_i,l = sum_j alpha^2_ij,l Y_l(u_ij)

`attention` is the plain reference that faster versions must equal. There is no softmax.
"""

from __future__ import annotations

from collections.abc import Sequence

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from helio.network.dense import TwoLayers
from helio.network.geometry import PairGeometry
from helio.network.harmonics import invariants, spread_over_components


class Filter(eqx.Module):
    """The filter w_ij of one of the two attentions; symmetric in i and j."""

    radial: TwoLayers
    spherical: TwoLayers

    def __init__(
        self, num_radial: int, num_degrees: int, features: int, spherical_hidden: int, *, rng: np.random.Generator
    ):
        """Draw both networks."""
        self.radial = TwoLayers(num_radial, features, features, rng=rng)
        self.spherical = TwoLayers(num_degrees, spherical_hidden, features, rng=rng)

    def __call__(self, basis: Float[Array, "P R"], difference: Float[Array, "#P L"]) -> Float[Array, "P F"]:
        """w_ij from the radial basis and the invariants of chi_j - chi_i."""
        return self.radial(basis) + self.spherical(difference)


def attention(
    filters: tuple[Filter, Filter],
    query: tuple[Float[Array, "N F"], Float[Array, "N F"]],
    key: tuple[Float[Array, "N F"], Float[Array, "N F"]],
    value: Float[Array, "N F"],
    chi: Float[Array, "N M"] | None,
    pairs: PairGeometry,
    *,
    num_heads: int,
    degrees: Sequence[int],
    average_neighbors: float,
) -> tuple[Float[Array, "N F"], Float[Array, "N M"]]:
    """The two sums over neighbours.

    Args:
        filters: of the features (1) and of the Euclidean variables (2).
        query: q^1 and q^2 of every atom.
        key: k^1 and k^2 of every atom.
        value: v of every atom.
        chi: Euclidean variables, None where they are zero (first layer): the spherical filters are constants then.
        pairs: geometry of the short list; each pair once.
        num_heads: heads of attention 1; attention 2 has one per degree.
        degrees: degrees l of chi.
        average_neighbors: the constant n.

    Returns:
        X (N, F) and C (N, M).
    """
    ends, count = pairs.measured.ends, len(value)
    if chi is None:
        difference = jnp.zeros((1, len(degrees)), pairs.basis.dtype)
    else:
        first, second = ends(chi)
        difference = invariants(second - first, degrees)

    scale = pairs.envelope[:, None] / average_neighbors
    forward, backward = [], []  # alpha_ij and alpha_ji of both attentions
    for g, heads in enumerate((num_heads, len(degrees))):
        weight = filters[g](pairs.basis, difference)
        (query_i, query_j), (key_i, key_j) = ends(query[g]), ends(key[g])
        forward.append(scale * _per_head(query_i * weight * key_j, heads))
        backward.append(scale * _per_head(query_j * weight * key_i, heads))

    value_i, value_j = ends(value)
    features = pairs.measured.add_to_ends(_times_heads(value_j, forward[0]), _times_heads(value_i, backward[0]), count)
    spread = spread_over_components(degrees, pairs.basis.dtype)
    parity = jnp.asarray([[(-1.0) ** degree] for degree in degrees], pairs.basis.dtype)  # Y_l(-u) = (-1)^l Y_l(u)
    euclidean = pairs.measured.add_to_ends(
        forward[1] @ spread * pairs.harmonics, backward[1] @ (parity * spread) * pairs.harmonics, count
    )
    return features, euclidean


def _per_head(products: Float[Array, "P F"], heads: int) -> Float[Array, "P H"]:
    """Sum over the features of each head."""
    return products.reshape(len(products), heads, -1).sum(axis=-1)


def _times_heads(rows: Float[Array, "P F"], factors: Float[Array, "P H"]) -> Float[Array, "P F"]:
    """Multiply the features of each head by its factor."""
    return (rows.reshape(*factors.shape, -1) * factors[..., None]).reshape(rows.shape)

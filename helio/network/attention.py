"""Attention of one layer, as one operation: everything that happens on pairs.

w_ij = R(b(d_ij)) + S(inv(chi_j - chi_i)),  alpha_ij,h = c(d_ij) / n sum_(f in h) q_i,hf w_ij,hf k_j,hf
X_i = concat_h sum_j alpha^1_ij,h v_j,h,    C_i,l = sum_j alpha^2_ij,l Y_l(u_ij)

`attention` is the plain reference that faster versions must equal. There is no softmax.
"""

from __future__ import annotations

from collections.abc import Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray

from helio.network.dense import TwoLayers
from helio.network.geometry import PairGeometry
from helio.network.harmonics import degree_of_component, invariants


class Filter(eqx.Module):
    """The filter w_ij of one of the two attentions; symmetric in i and j."""

    radial: TwoLayers
    spherical: TwoLayers

    def __init__(self, num_radial: int, num_degrees: int, features: int, spherical_hidden: int, *, key: PRNGKeyArray):
        """Draw both networks."""
        radial, spherical = jax.random.split(key)
        self.radial = TwoLayers(num_radial, features, features, key=radial)
        self.spherical = TwoLayers(num_degrees, spherical_hidden, features, key=spherical)

    def __call__(self, basis: Float[Array, "N K R"], difference: Float[Array, "*pairs L"]) -> Float[Array, "N K F"]:
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
        pairs: geometry of the short list.
        num_heads: heads of attention 1; attention 2 has one per degree.
        degrees: degrees l of chi.
        average_neighbors: the constant n.

    Returns:
        X (N, F) and C (N, M).
    """
    if chi is None:
        difference = jnp.zeros((1, 1, len(degrees)), pairs.distance.dtype)
    else:
        difference = invariants(neighbor_rows(chi, pairs.index) - chi[:, None, :], degrees)

    scale = pairs.envelope[..., None] / average_neighbors
    alpha = []
    for g, heads in enumerate((num_heads, len(degrees))):
        weighted = filters[g](pairs.basis, difference) * neighbor_rows(key[g], pairs.index) * query[g][:, None, :]
        alpha.append(scale * weighted.reshape(*weighted.shape[:2], heads, -1).sum(axis=-1))

    values = neighbor_rows(value, pairs.index)
    values = values.reshape(*values.shape[:2], num_heads, -1)
    features = jnp.sum(alpha[0][..., None] * values, axis=1).reshape(value.shape)
    components = alpha[1][..., degree_of_component(degrees)] * pairs.harmonics
    return features, components.sum(axis=1)


def neighbor_rows(rows: Float[Array, "N F"], index: Int[Array, "N K"]) -> Float[Array, "N K F"]:
    """Rows of the neighbours; free places repeat the last atom's row and are masked by the envelope."""
    return rows.at[index].get(mode="clip")


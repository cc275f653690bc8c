"""Layers of random parameters, random systems, and the plain attention with a table's filters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from helio.kernels import FilterParameters, TabulatedFilters, tabulate
from helio.neighbors import NeighborList, half_pairs, host_list
from helio.network.attention import Filter, attention
from helio.network.geometry import PairGeometry
from helio.physics import pair
from helio.precision import Precision

CUTOFF, GAMMA = 4.5, 0.9448630809783936


@dataclass(frozen=True)
class Sizes:
    """Of a layer."""

    features: int = 32
    heads: int = 2
    degrees: tuple[int, ...] = (1, 2)
    num_radial: int = 8
    hidden: int = 8

    @property
    def components(self) -> int:
        return sum(2 * degree + 1 for degree in self.degrees)


def parameters(filter_: Filter) -> FilterParameters:
    """Of one filter, as host arrays."""

    def arrays(layers: Any) -> Any:
        parts = layers.first.kernel, layers.first.bias, layers.second.kernel, layers.second.bias
        return tuple(np.asarray(part) for part in parts)

    return FilterParameters(arrays(filter_.radial), arrays(filter_.spherical))


def random_filters(sizes: Sizes, seed: int) -> tuple[Filter, Filter]:
    """Both filters, with biases that are not zero."""
    rng = np.random.default_rng(seed)
    made = tuple(Filter(sizes.num_radial, len(sizes.degrees), sizes.features, sizes.hidden, rng=rng) for _ in range(2))
    return jax.tree.map(lambda leaf: leaf if leaf.ndim > 1 else jnp.asarray(rng.normal(size=leaf.shape)), made)


def tables(
    filters: tuple[Filter, Filter],
    sizes: Sizes,
    *,
    first_layer: bool,
    precision: Precision = "float32",
    knots: int | None = None,
):
    """The tables of both filters, float64."""
    return tabulate(
        (parameters(filters[0]), parameters(filters[1])),
        first_layer=first_layer,
        num_heads=sizes.heads,
        degrees=sizes.degrees,
        average_neighbors=13.2,
        cutoff=CUTOFF,
        gamma=GAMMA,
        precision=precision,
        knots=knots,
    )


@dataclass(frozen=True)
class Nodes:
    """Values per atom of one system, and its list."""

    query: Any
    key: Any
    value: Any
    chi: Any
    positions: Any
    cell: Any
    index: Any
    shift: Any
    neighbors: NeighborList

    @property
    def arguments(self) -> tuple[Any, Any, Any, Any, Any, Any, Any, Any]:
        """As the compiled operations take them after the filters."""
        return self.query, self.key, self.value, self.chi, self.positions, self.cell, self.index, self.shift


def random_nodes(
    sizes: Sizes,
    positions: np.ndarray,
    cell: np.ndarray | None,
    *,
    first_layer: bool = False,
    seed: int = 0,
    dtype: str = "float64",
    skin: float = 0.5,
    rows: int | None = None,
) -> Nodes:
    """Values per atom around given positions; free rows up to `rows` are padding."""
    rng = np.random.default_rng(seed)
    periodic = cell is not None
    box = np.zeros((3, 3)) if cell is None else cell
    neighbors = host_list(positions, box, (periodic, periodic, periodic), cutoff=CUTOFF + skin, rows=rows)
    count = rows or len(positions)

    def values(width: int) -> Array:
        return jnp.asarray(rng.normal(size=(count, width)), dtype)

    features = sizes.features
    placed = np.zeros((count, 3))
    placed[: len(positions)] = positions
    return Nodes(
        query=(values(features), values(features)),
        key=(values(features), values(features)),
        value=values(features),
        chi=None if first_layer else values(sizes.components) * 0.5,
        positions=jnp.asarray(placed, dtype),
        cell=jnp.asarray(box, dtype),
        index=jnp.asarray(neighbors.index),
        shift=None if neighbors.shift is None else jnp.asarray(neighbors.shift),
        neighbors=jax.tree.map(jnp.asarray, neighbors),
    )


def plain(
    filters: tuple[Callable, Callable], tabulated: TabulatedFilters, nodes: Nodes, arguments: tuple
) -> tuple[Array, Array]:
    """The plain attention, from the arguments of the compiled one."""
    query, key, value, chi, positions, cell, _, _ = arguments
    short = pair.measure(half_pairs(nodes.neighbors, positions, cell), CUTOFF)
    geometry = PairGeometry.describe(short, cutoff=CUTOFF, num_radial=8, gamma=GAMMA, degrees=tabulated.degrees)
    geometry = eqx.tree_at(lambda g: g.basis, geometry, short.distance[:, None])
    return attention(
        filters,  # pyright: ignore[reportArgumentType]
        query,
        key,
        value,
        chi,
        geometry,
        num_heads=tabulated.num_heads,
        degrees=tabulated.degrees,
        average_neighbors=tabulated.average_neighbors,
    )


def table_filters(tabulated: TabulatedFilters, *, first_layer: bool) -> tuple[Callable, Callable]:
    """Filters of (distance, invariants) that read the table as its definition says, one for each attention."""
    table, features = jnp.asarray(tabulated.table), tabulated.second.shape[2]

    def make(g: int) -> Callable:
        columns = slice(g * features, (g + 1) * features)
        hidden = slice(g * tabulated.second.shape[1], (g + 1) * tabulated.second.shape[1])

        def weight(distance: Array, difference: Array) -> Array:
            y = jnp.exp(-tabulated.decay * distance)
            last = np.exp(-tabulated.decay * tabulated.cutoff)
            place = (y - last) / (1 - last) * (len(table) - 1)
            knot = jnp.clip(place.astype(jnp.int32), 0, len(table) - 2)[:, 0]
            t = place - knot.astype(place.dtype)[:, None]
            (v0, s0), (v1, s1) = (jnp.moveaxis(table[knot + k][:, :, columns], 1, 0) for k in (0, 1))
            radial = (
                (1 + 2 * t) * (1 - t) ** 2 * v0 + t * (1 - t) ** 2 * s0 + t**2 * (3 - 2 * t) * v1 + t**2 * (t - 1) * s1
            )
            if first_layer:
                return radial
            inner = difference @ jnp.asarray(tabulated.first)[:, hidden] + jnp.asarray(tabulated.bias)[hidden]
            return radial + jax.nn.silu(inner) @ jnp.asarray(tabulated.second)[g]

        return weight

    return make(0), make(1)

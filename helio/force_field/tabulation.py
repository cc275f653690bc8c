"""Whether the network's attention runs compiled, and the tables that it needs then."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import jax
import jax.numpy as jnp
import numpy as np

from helio.force_field.settings import ForceFieldSettings
from helio.kernels import (
    FilterParameters,
    TabulatedFilters,
    supports,
    supports_on_gpu,
    tabulate,
    why_unavailable,
)
from helio.precision import Precision

if TYPE_CHECKING:
    from helio.network import SO3krates
    from helio.network.attention import Filter

# "compiled" also where that has not been proven: on GPUs.
Kernels = Literal["auto", "compiled", "plain"]


def why_plain(settings: ForceFieldSettings | None = None, *, kernels: Kernels = "auto") -> str | None:
    """One sentence that says why a model of these settings, or any, runs uncompiled here; None if it need not."""
    if kernels == "plain":
        return "as asked for"
    backend = jax.default_backend()
    if backend == "gpu":
        if kernels != "compiled":
            return "the attention for GPUs has not been proven on one yet; --kernels compiled tries it"
        sizes = settings and (settings.features, settings.num_heads, settings.degrees, settings.spherical_hidden)
        if sizes and not supports_on_gpu(*sizes):
            return "the attention for GPUs knows heads whose width is a power of two from 16 on, and degrees up to four"
        return None  # JAX compiles it
    if backend != "cpu":
        return f"the compiled attention is for CPUs and GPUs, and JAX computes on {backend}"
    if settings is not None and not supports(settings.features, settings.num_heads, settings.degrees):
        return "the compiled attention knows heads of a multiple of four features and degrees up to four only"
    return why_unavailable()


def physics_compiled(tables: tuple[TabulatedFilters, ...] | None) -> bool:
    """Whether the physical terms of a model with these tables run compiled, too: so far on CPUs only."""
    return tables is not None and jax.default_backend() == "cpu"


def filter_tables(
    network: SO3krates, settings: ForceFieldSettings, *, precision: Precision = "float32"
) -> tuple[TabulatedFilters, ...]:
    """The tables of all layers, float64 arrays fine enough for `precision`; the parameters must not be traced."""
    made = (
        tabulate(
            (_parameters(layer.filters[0]), _parameters(layer.filters[1])),
            first_layer=number == 0,
            num_heads=layer.num_heads,
            degrees=layer.degrees,
            average_neighbors=layer.average_neighbors,
            cutoff=settings.cutoff,
            gamma=settings.radial_gamma,
            precision=precision,
        )
        for number, layer in enumerate(network.layers)
    )
    with jax.enable_x64(True):  # else float64 would lose its last digits
        return jax.tree.map(jnp.asarray, tuple(made))


def _parameters(filter_: Filter) -> FilterParameters:
    def arrays(layers: Any) -> Any:
        parts = layers.first.kernel, layers.first.bias, layers.second.kernel, layers.second.bias
        return tuple(np.asarray(part) for part in parts)

    return FilterParameters(arrays(filter_.radial), arrays(filter_.spherical))

"""Dense layers, tables and layer normalisation, with kernels stored as (in, out)."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

NUM_ELEMENTS = 119  # rows of the element tables; row 0 is padding


def normal(rng: np.random.Generator, shape: tuple[int, ...], *, variance: float) -> Array:
    """Normally distributed float32 numbers, drawn by numpy: nothing to compile for the many shapes of a network."""
    return jnp.asarray(rng.normal(size=shape) * variance**0.5, jnp.float32)


class Dense(eqx.Module):
    """x @ kernel + bias."""

    kernel: Float[Array, "in out"]
    bias: Float[Array, " out"] | None

    def __init__(self, inputs: int, outputs: int, *, rng: np.random.Generator, bias: bool = True):
        """Draw the kernel from a normal distribution of variance 1/inputs (LeCun)."""
        self.kernel = normal(rng, (inputs, outputs), variance=1 / inputs)
        self.bias = jnp.zeros(outputs, jnp.float32) if bias else None

    def __call__(self, x: Float[Array, "... in"]) -> Float[Array, "... out"]:
        """Apply the layer to the last axis."""
        y = x @ self.kernel
        return y if self.bias is None else y + self.bias


class TwoLayers(eqx.Module):
    """dense -> silu -> dense."""

    first: Dense
    second: Dense

    def __init__(self, inputs: int, hidden: int, outputs: int, *, rng: np.random.Generator, final_bias: bool = True):
        """Draw both layers."""
        self.first = Dense(inputs, hidden, rng=rng)
        self.second = Dense(hidden, outputs, rng=rng, bias=final_bias)

    def __call__(self, x: Float[Array, "... in"]) -> Float[Array, "... out"]:
        """Apply the layers to the last axis."""
        return self.second(jax.nn.silu(self.first(x)))


class LayerNorm(eqx.Module):
    """Normalise the last axis to mean 0 and variance 1, then scale and shift."""

    scale: Float[Array, " F"]
    bias: Float[Array, " F"]
    epsilon: float = eqx.field(static=True, default=1e-6)

    def __init__(self, features: int):
        """Start as the bare normalisation."""
        self.scale = jnp.ones(features, jnp.float32)
        self.bias = jnp.zeros(features, jnp.float32)

    def __call__(self, x: Float[Array, "... F"]) -> Float[Array, "... F"]:
        """Normalise."""
        centred = x - x.mean(axis=-1, keepdims=True)
        variance = jnp.mean(centred**2, axis=-1, keepdims=True)
        return centred * jax.lax.rsqrt(variance + self.epsilon) * self.scale + self.bias


def element_table(rows: int, columns: int, *, rng: np.random.Generator) -> Float[Array, "rows columns"]:
    """A table with normally distributed entries of variance 1/columns."""
    return normal(rng, (rows, columns), variance=1 / columns)


def look_up(table: Float[Array, "R F"], atomic_numbers: Int[Array, " N"]) -> Float[Array, "N F"]:
    """Rows of a table by atomic number."""
    return table.at[atomic_numbers].get(mode="clip")

"""What layers do to single atoms on the CPU, as compiled operations; the plain version is `helio.network.layer`.

`projected` makes queries, keys and values before the attention, `updated` is all that follows it. Both differentiate
once, in values per atom.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from helio.kernels.derivatives import constants, numbers, refuse, values
from helio.kernels.library import call

Blocks = Float[Array, "H out in"]


class UpdateWeights(NamedTuple):
    """Parameters of a layer behind its attention; matrices are (in, out)."""

    first_scale: Float[Array, " F"]
    first_bias: Float[Array, " F"]
    residual1: Float[Array, "F F"]
    bias1: Float[Array, " F"]
    residual2: Float[Array, "F F"]
    bias2: Float[Array, " F"]
    exchange: Float[Array, "E E"]  # E = F + number of degrees
    exchange_bias: Float[Array, " E"]
    last_scale: Float[Array, " F"]
    last_bias: Float[Array, " F"]


class UpdateSettings(NamedTuple):
    """What is fixed in a compiled update."""

    degrees: tuple[int, ...]
    epsilon: float  # of both normalisations

    def attributes(self) -> dict[str, Any]:
        """As the compiled library takes them."""
        return {"degrees": np.array(self.degrees, np.int64), "epsilon": np.float64(self.epsilon)}


def projected(blocks: Sequence[Blocks], x: Float[Array, "N F"]) -> tuple[Float[Array, "N F"], ...]:
    """y_h = W_h x_h for each head h of each of five projections.

    Raises:
        HelioError: where a second derivative, or one in the weights, is asked for.
    """
    return _project(tuple(blocks), x)


def updated(
    weights: UpdateWeights,
    settings: UpdateSettings,
    x: Float[Array, "N F"],
    dx: Float[Array, "N F"],
    chi: Float[Array, "N M"] | None,
    dchi: Float[Array, "N M"],
) -> tuple[Float[Array, "N F"], Float[Array, "N M"]]:
    """New features and Euclidean variables from the old ones and the sums X and C of the attention.

    Raises:
        HelioError: where a second derivative, or one in the weights, is asked for.
    """
    return _update(settings, weights, x, dx, chi, dchi)


@jax.custom_jvp
def _project_call(blocks: tuple[Blocks, ...], x: Array) -> tuple[Array, ...]:
    results = [jax.ShapeDtypeStruct(x.shape, x.dtype)] * len(blocks)
    return tuple(call("helio_project_forward", results, (*blocks, x), {}))


@jax.custom_jvp
def _project_back(blocks: tuple[Blocks, ...], cotangents: tuple[Array, ...]) -> Array:
    result = jax.ShapeDtypeStruct(cotangents[0].shape, cotangents[0].dtype)
    return call("helio_project_backward", result, (*blocks, *cotangents), {})


@partial(jax.custom_jvp, nondiff_argnums=(0,))
def _update_call(settings: UpdateSettings, *operands: Array) -> tuple[Array, Array, Array]:
    x, dchi = operands[-4], operands[-1]
    saved = 2 * x.shape[1] + len(settings.degrees)  # for the derivative: twice the features, and the scales of chi
    shapes = (x.shape, dchi.shape, (len(x), saved))
    results = [jax.ShapeDtypeStruct(shape, x.dtype) for shape in shapes]
    return tuple(call("helio_update_forward", results, operands, settings.attributes()))


@partial(jax.custom_jvp, nondiff_argnums=(0,))
def _update_back(settings: UpdateSettings, *operands: Array) -> tuple[Array, Array]:
    results = [jax.ShapeDtypeStruct(cotangent.shape, cotangent.dtype) for cotangent in operands[-2:]]
    return tuple(call("helio_update_backward", results, operands, settings.attributes()))


for _operation in (_project_call, _project_back, _update_call, _update_back):
    _operation.defjvp(refuse)


@jax.custom_vjp
def _project(blocks: tuple[Blocks, ...], x: Array) -> tuple[Array, ...]:
    return _project_call(blocks, x)


def _project_forward(blocks: Any, x: Any) -> tuple[tuple[Array, ...], Any]:
    blocks, x = constants(blocks), values(x)
    return _project_call(blocks, x), blocks


def _project_backward(blocks: tuple[Blocks, ...], cotangents: tuple) -> tuple:
    return jax.tree.map(lambda _: None, blocks), _project_back(blocks, tuple(map(numbers, cotangents)))


_project.defvjp(_project_forward, _project_backward, symbolic_zeros=True)


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _update(settings: UpdateSettings, weights: UpdateWeights, x: Any, dx: Any, chi: Any, dchi: Any) -> Any:
    return _update_call(settings, *weights, *_present(x, dx, chi, dchi))[:2]


def _update_forward(settings: UpdateSettings, weights: Any, *atoms: Any) -> Any:
    weights, atoms = constants(weights), values(atoms)
    *results, saved = _update_call(settings, *weights, *_present(*atoms))
    return tuple(results), (weights, atoms, saved)


def _update_backward(settings: UpdateSettings, residuals: Any, cotangents: tuple) -> tuple:
    weights, atoms, saved = residuals
    to_x, to_chi = _update_back(settings, *weights, *_present(*atoms), saved, *map(numbers, cotangents))
    return jax.tree.map(lambda _: None, weights), to_x, to_x, None if atoms[2] is None else to_chi, to_chi


_update.defvjp(_update_forward, _update_backward, symbolic_zeros=True)


def _present(x: Array, dx: Array, chi: Array | None, dchi: Array) -> tuple[Array, ...]:
    """As the operation takes them: what there is none of is empty."""
    return x, dx, jnp.zeros((0, 0), x.dtype) if chi is None else chi, dchi

"""What the rules of compiled operations share: arguments that are not differentiated, and cotangents known as zero."""

from __future__ import annotations

from typing import Any, NoReturn

import jax
import jax.numpy as jnp
from jax.custom_derivatives import CustomVJPPrimal, SymbolicZero
from jaxtyping import Array

from helio.errors import HelioError


def refuse(*_: Any) -> NoReturn:
    """The rule of a derivative that does not exist.

    Raises:
        HelioError: always.
    """
    raise HelioError(
        "compiled operations have first derivatives only, in positions, cell and values per atom: for second "
        'derivatives and for gradients in parameters use the plain version, force_field.with_options(kernels="plain")'
    )


def values(arguments: Any) -> Any:
    """The arguments of a forward rule (`symbolic_zeros=True`) as plain arrays."""
    return jax.tree.map(lambda leaf: leaf.value, arguments, is_leaf=_is_primal)


def constants(arguments: Any) -> Any:
    """Likewise, of those that must not be differentiated.

    Raises:
        HelioError: where they are.
    """
    if any(leaf.perturbed for leaf in jax.tree.leaves(arguments, is_leaf=_is_primal)):
        refuse()
    return values(arguments)


def numbers(cotangent: Any) -> Array:
    """An array, for zeros that are known as such, too."""
    if isinstance(cotangent, SymbolicZero):
        kind: Any = cotangent.aval
        return jnp.zeros(kind.shape, kind.dtype)
    return cotangent


def _is_primal(leaf: Any) -> bool:
    return isinstance(leaf, CustomVJPPrimal)

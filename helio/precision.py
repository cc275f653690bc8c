"""Floating-point precision as an argument: a scope instead of global flags."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal, get_args

from helio.devices import check_platforms
from helio.errors import HelioError

Precision = Literal["float32", "float64"]


def check_precision(precision: str) -> None:
    """Raise `HelioError` for a precision that is neither of the two."""
    if precision not in get_args(Precision):
        raise HelioError(f"precision must be float32 or float64, not {precision!r}")


@contextmanager
def numerics(precision: Precision) -> Iterator[str]:
    """Run a block of JAX code in `precision`, without TF32 or other shortcuts in matrix products.

    Arrays made outside keep their type, so cast what enters (`System.astype`, `ForceField.astype`).
    Yields the dtype's name. Raises `HelioError` for a precision that is neither of
    the two, and where JAX_PLATFORMS names what JAX cannot use.
    """
    check_precision(precision)
    check_platforms()
    import jax

    with jax.enable_x64(precision == "float64"), jax.default_matmul_precision("highest"):
        yield precision

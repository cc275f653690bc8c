"""The compiled library: found beside this file, checked, and made known to XLA."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import jax
from jaxtyping import Array

from helio.errors import HelioError

LIBRARY = Path(__file__).with_name("libhelio_kernels.so")
OPERATIONS = (
    "helio_attention_forward",
    "helio_attention_backward",
    "helio_long_range_forward",
    "helio_long_range_with_gradients",
    "helio_long_range_backward",
    "helio_project_forward",
    "helio_project_backward",
    "helio_repulsion_forward",
    "helio_repulsion_backward",
    "helio_update_forward",
    "helio_update_backward",
)
_REINSTALL = "install Helio again on this machine (pip install --force-reinstall --no-deps)"


def available() -> bool:
    """Whether the compiled operations can be used, on CPUs."""
    return why_unavailable() is None


@cache
def why_unavailable() -> str | None:
    """One sentence that says why the compiled operations cannot be used here; None if they can."""
    if not LIBRARY.exists():
        return (
            f"no compiler was found, or it failed, when Helio was installed: install GCC 12 or Clang, then {_REINSTALL}"
        )
    try:
        library = ctypes.CDLL(str(LIBRARY))
        missing = library.helio_missing_instructions
        symbols = {name: getattr(library, name) for name in OPERATIONS}
    except (OSError, AttributeError) as error:
        return f"the compiled library cannot be loaded ({error}): {_REINSTALL}"
    missing.restype = ctypes.c_char_p
    if missing() is not None:
        return f"the library was compiled for a processor with {missing().decode()}, which this one lacks: {_REINSTALL}"
    try:
        for name, symbol in symbols.items():
            jax.ffi.register_ffi_target(name, jax.ffi.pycapsule(symbol), platform="cpu")
    except (RuntimeError, ValueError, AttributeError) as error:  # another version of XLA's interface, or of Helio
        return f"the compiled library does not fit this version of JAX or Helio ({error}): {_REINSTALL}"
    return None


def call(
    operation: str,
    results: jax.ShapeDtypeStruct | Sequence[jax.ShapeDtypeStruct],
    operands: Sequence[Array],
    attributes: dict[str, Any],
) -> Any:
    """The results of one of `OPERATIONS`; under vmap all operands get the leading axes of the batch.

    Raises:
        HelioError: the library cannot be used here.
    """
    if problem := why_unavailable():  # asking also makes the operations known to XLA
        raise HelioError(f"the compiled operations cannot be used: {problem}")
    # Leading axes have length 1 where operands do not vary.
    return jax.ffi.ffi_call(operation, results, vmap_method="expand_dims")(*operands, **attributes)

"""The devices that JAX computes on, or a sentence that says why there are none."""

from __future__ import annotations

import os
from typing import Any

from helio.errors import HelioError


def available_devices() -> list[Any]:
    """The devices of JAX's default platform; the first call decides for the whole process.

    Raises:
        HelioError: JAX does not start, as where JAX_PLATFORMS names a platform that this machine lacks.
    """
    import jax

    try:
        return jax.devices()
    except (AssertionError, RuntimeError) as error:  # JAX raises either, by what is installed
        asked = os.environ.get("JAX_PLATFORMS")
        if not asked:
            raise HelioError(f"JAX finds no device to compute on: {_first_line(error)}") from error
        raise HelioError(
            f"JAX_PLATFORMS={asked} asks JAX for what it cannot use here{_first_line(error)}: set JAX_PLATFORMS=cpu or "
            "unset it to compute on the processor; for a GPU install Helio with its extra `gpu` on a machine that has "
            "one (helio doctor says what JAX sees)"
        ) from error


def check_platforms() -> None:
    """Raise `HelioError` where JAX_PLATFORMS names what JAX cannot use; asks JAX for nothing if it names CPUs alone."""
    if os.environ.get("JAX_PLATFORMS", "cpu") not in ("", "cpu"):
        available_devices()


def _first_line(error: Exception) -> str:
    """The message of JAX, if there is one."""
    lines = str(error).strip().splitlines()
    return f" ({lines[0].rstrip('.')})" if lines else ""

"""`helio doctor`."""

from __future__ import annotations


def doctor() -> None:
    """Check the installation: versions, devices, model cache, golden energies."""

"""Which systems are trained on, which validate and which test: whole systems, never parts of a trajectory."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from helio.errors import HelioError

PARTS = ("train", "validation", "test")


def split_systems(names: Sequence[str], *, validation: float, test: float, seed: int) -> dict[str, str]:
    """The part of each system, drawn at random; the same for the same names and seed.

    Args:
        names: of the systems, in any order.
        validation: how many validate, or a share of all if below 1.
        test: likewise, for the test.
        seed: of the draw.

    Raises:
        HelioError: none would be left to train on.
    """
    if validation < 0 or test < 0:
        raise HelioError(f"shares cannot be negative: validation {validation:g}, test {test:g}")
    kept = [round(wanted * len(names)) if wanted < 1 else round(wanted) for wanted in (validation, test)]
    if sum(kept) >= len(names):
        raise HelioError(
            f"{kept[0]} systems to validate on and {kept[1]} to test on leave none of {len(names)} to train on"
        )
    order = np.random.default_rng(seed).permutation(len(names))
    parts = ["validation"] * kept[0] + ["test"] * kept[1] + ["train"] * (len(names) - sum(kept))
    ordered = sorted(names)
    return {ordered[i]: part for i, part in zip(order, parts, strict=True)}

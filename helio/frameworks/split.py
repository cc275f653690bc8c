"""Which frameworks are trained on: whole combinations of nodes and linkers, on whichever net.

A combination that is tested on never occurs in training, only its parts do.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from helio.errors import HelioError
from helio.frameworks.framework import Framework
from helio.frameworks.library import Library


def combination(framework: Framework, library: Library) -> str:
    """What a framework is made of, whatever the numbers and places: the keys of its blocks, each once, sorted."""
    return " ".join(sorted({library.keys[block] for block in framework.blocks}))


def split_combinations(combinations: Sequence[str], *, validation: float, test: float, seed: int) -> list[str]:
    """The part (train, validation or test) of each framework, drawn at random by combination.

    Args:
        combinations: of the frameworks.
        validation: share of the combinations that validate, from 0 to 1.
        test: likewise, for the test.
        seed: of the draw; the same combinations and seed give the same parts.

    Raises:
        HelioError: shares below zero, or that leave none to train on.
    """
    if validation < 0 or test < 0 or validation + test >= 1:
        raise HelioError(f"shares of validation {validation:g} and test {test:g} leave none to train on")
    distinct = sorted(set(combinations))
    kept = [int(share * len(distinct) + 0.5) for share in (validation, test)]
    if sum(kept) >= len(distinct):
        kept = [0, 0]  # of very few combinations all are trained on
    order = np.random.default_rng(seed).permutation(len(distinct))
    parts = ["validation"] * kept[0] + ["test"] * kept[1] + ["train"] * (len(distinct) - sum(kept))
    part = {distinct[i]: name for i, name in zip(order, parts, strict=True)}
    return [part[combination] for combination in combinations]

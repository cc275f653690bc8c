from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from helio.frameworks.model.embedding import nearest_blocks
from helio.frameworks.model.retrieval import fitting_blocks
from tests.frameworks.model.toy import METALS, toy_library


@pytest.mark.parametrize("seed", range(5))
def test_the_best_of_all_choices_that_fit(seed: int) -> None:
    library = toy_library()  # three nodes of six connections, four linkers of two
    random = np.random.default_rng(seed)
    known, generated = random.normal(size=(len(library), 3)), random.normal(size=(4, 3))
    distances = ((generated[:, None] - known) ** 2).sum(axis=-1)

    def cost(choice: tuple[int, ...]) -> float:
        own = sum(6 if block < len(METALS) else -2 for block in choice)
        return float(sum(distances[i, block] for i, block in enumerate(choice))) if own == 0 else np.inf

    best = min(product(range(len(library)), repeat=4), key=cost)
    found = fitting_blocks(generated, known, library)
    assert found.dtype == np.int32 and tuple(found) == best
    assert sum(block < len(METALS) for block in found) == 1  # a node for three linkers


def test_what_fits_by_itself_stays_and_what_cannot_fit_is_the_nearest() -> None:
    library = toy_library()
    known = np.random.default_rng(0).normal(size=(len(library), 3))
    fits = np.array([1, 3, 5, 5])
    assert fitting_blocks(known[fits] + 1e-3, known, library).tolist() == fits.tolist()
    assert fitting_blocks(known[:1], known, library).tolist() == nearest_blocks(known[:1], known).tolist() == [0]

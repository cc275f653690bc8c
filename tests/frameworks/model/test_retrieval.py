from __future__ import annotations

from itertools import combinations, product

import numpy as np
import pytest

from helio.frameworks.library import Library
from helio.frameworks.model.data import framework_arrays
from helio.frameworks.model.embedding import nearest_blocks
from helio.frameworks.model.proportions import Proportions, fit_proportions
from helio.frameworks.model.retrieval import fitting_blocks, uniform_blocks
from tests.frameworks.model.toy import LENGTHS, METALS, toy_framework, toy_library


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


def pcu_proportions(library: Library) -> Proportions:
    """Of single and doubled cells of the primitive cubic net."""
    frameworks = [
        toy_framework(library, metal, linker, doubled=doubled)
        for metal, linker, doubled in product(range(3), range(4), (False, True))
    ]
    arrays = framework_arrays(frameworks, library, ())
    found = fit_proportions(arrays.blocks, arrays.mask, arrays.cell, library)
    assert found is not None
    return found


def test_proportions_of_the_primitive_cubic_net() -> None:
    library = toy_library()
    found = pcu_proportions(library)
    assert found.rows[:, :3].tolist() == [[4, 6, 2], [8, 6, 2]]
    assert found.rows[:, 3] == pytest.approx([np.log(0.5), np.log(0.5 / 2 ** (1 / 3))])  # two meetings are an edge
    assert found.rows[:, 4] == pytest.approx([0, 0], abs=1e-6)
    ways = np.array([[6, 2], [6, 2], [4, 2]])
    misfits = found.misfit(4, ways, np.array([5.0, 5.5, 5.0]), 1000.0)
    assert misfits == pytest.approx([0, (np.log(1.1) / 0.02) ** 2, np.inf], abs=1e-6)
    assert np.isinf(found.misfit(5, ways, np.full(3, 5.0), 1000.0)).all()


def test_several_kinds_of_linkers_have_no_proportions() -> None:
    library = toy_library()
    arrays = framework_arrays([toy_framework(library, 0, 0)], library, ())
    arrays.blocks[0, 1] += 1
    assert fit_proportions(arrays.blocks, arrays.mask, arrays.cell, library) is None


@pytest.mark.parametrize("seed", range(4))
def test_the_best_of_all_choices_with_one_node_and_one_linker(seed: int) -> None:
    library, count = toy_library(), 8  # two nodes of six connections, six linkers of two
    random = np.random.default_rng(seed)
    known, generated = random.normal(size=(len(library), 3)), random.normal(size=(count, 3))
    proportions, edge = pcu_proportions(library), 2.0 + 1.4 * 2.05
    volume = 2 * edge**3  # of linkers of two carbons, or about that
    meeting = {linker: 1.0 + 0.7 * LENGTHS[linker - len(METALS)] for linker in range(len(METALS), len(library))}
    distances = ((generated[:, None] - known) ** 2).sum(axis=-1)

    def cost(choice: list[int]) -> float:
        size = (np.log(2 * meeting[max(choice)] / edge) / 0.02) ** 2
        return distances[np.arange(count), choice].sum() + size

    choices = [
        [node if i in places else linker for i in range(count)]
        for node in range(len(METALS))
        for linker in range(len(METALS), len(library))
        for places in combinations(range(count), 2)
    ]
    best = min(choices, key=cost)
    assert max(best) == len(METALS) + 1
    for nodes in (2, 3, None):  # three nodes fit no pair
        found = uniform_blocks(generated, known, library, proportions, volume=volume, nodes=nodes)
        assert found is not None and found.dtype == np.int32 and found.tolist() == best
    # three blocks leave connections over
    assert uniform_blocks(generated[:3], known, library, proportions, volume=volume) is None

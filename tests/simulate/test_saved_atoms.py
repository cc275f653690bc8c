"""Choosing atoms by words."""

from __future__ import annotations

import numpy as np
import pytest
from ase.build import molecule

from helio.errors import HelioError
from helio.simulate.saved_atoms import saved_atoms, topology_text


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        ("all", range(9)),
        ("element H", range(3, 9)),
        ("not element H", range(3)),
        ("index 8 2", (2, 8)),
        ("around 1.2 index 2", (3,)),
    ],
)
def test_selections(selection: str, expected: range | tuple[int, ...]) -> None:
    topology = topology_text(molecule("CH3CH2OH"))
    np.testing.assert_array_equal(saved_atoms(topology, selection), expected)


@pytest.mark.parametrize(("selection", "message"), [("element X", "no atom"), ("my atoms", "not understood")])
def test_mistakes(selection: str, message: str) -> None:
    with pytest.raises(HelioError, match=message):
        saved_atoms(topology_text(molecule("CH3CH2OH")), selection)

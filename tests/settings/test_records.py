"""Records made of the JSON in a file: of the types that their fields say, or a sentence that names what is wrong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from helio.errors import HelioError
from helio.settings.checking import checked_record


@dataclass(frozen=True)
class _Loaf:
    name: str
    grams: float = 500.0
    grains: tuple[str, ...] = ()


def test_lists_are_tuples_and_what_has_a_default_may_lack() -> None:
    assert checked_record(_Loaf, {"name": "rye", "grains": ["rye", "wheat"]}, "bread") == _Loaf(
        "rye", grains=("rye", "wheat")
    )
    assert checked_record(_Loaf, {"name": "rye", "grams": 3}, "bread").grams == 3.0


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"name": 3}, "bread is damaged: name: Input should be a valid string"),
        ({"name": "rye", "grams": "500"}, r"grams: .*got '500'"),
        ({"name": "rye", "grains": "rye"}, "grains: "),
        ({"grams": 3}, "bread does not fit this version of Helio: missing name"),
        ({"name": "rye", "crust": 1}, "unknown crust"),
        ([1], "missing name"),
        ({"name": "x" * 10_000, "grams": {"a": ["y" * 10_000] * 1000}}, "grams: "),
    ],
)
def test_what_does_not_fit_is_named(values: Any, message: str) -> None:
    with pytest.raises(HelioError, match=message) as raised:
        checked_record(_Loaf, values, "bread")
    assert len(str(raised.value)) < 400

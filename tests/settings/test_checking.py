"""Settings from plain values: what is wrong is told, and what changed since a run began."""

from __future__ import annotations

import math
from typing import Any

import pytest
from pydantic import Field, PositiveInt, model_validator

from helio.errors import HelioError
from helio.settings.checking import Settings, check_unchanged, checked


class Wheels(Settings):
    count: PositiveInt = 4
    sizes: dict[str, float] = Field({}, description="by side")


class Car(Settings):
    name: str
    wheels: Wheels = Wheels.model_validate({})
    weight: float = Field(1.0, gt=0)
    seats: int = 4
    doors: int = 4
    colour: str = "red"
    noise: float = 0.0

    @model_validator(mode="after")
    def _consistent(self) -> Car:
        if self.doors > self.seats:
            raise ValueError("doors must not outnumber seats")
        return self


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "settings are wrong: name: Field required"),
        ({"name": "a", "sets": 3}, "settings are wrong: sets: Extra inputs are not permitted (got 3)"),
        (
            {"name": "a", "wheels": {"count": 0}},
            "settings are wrong: wheels.count: Input should be greater than 0 (got 0)",
        ),
        ({"name": "a", "doors": 5}, "settings are wrong: doors must not outnumber seats"),
        ({"name": "a", "weight": math.inf}, "settings are wrong: weight: Input should be a finite number (got inf)"),
        (
            {"name": 1, "noise": "loud"},
            "settings are wrong: name: Input should be a valid string (got 1); noise: Input should be a valid number, "
            "unable to parse string as a number (got 'loud')",
        ),
    ],
)
def test_what_is_wrong_is_told(values: dict[str, Any], message: str) -> None:
    with pytest.raises(HelioError) as raised:
        checked(Car, values)
    assert str(raised.value) == message


def test_changed_settings_are_named_to_the_last_word() -> None:
    before = checked(Car, {"name": "a", "wheels": {"sizes": {"left": 2.0}}}).model_dump(mode="json")
    check_unchanged(before, checked(Car, before | {"seats": 9}), "run", may_change=("seats",))
    check_unchanged(before, checked(Car, before | {"wheels": {"count": 3}}), "run", may_change=("wheels",))
    with pytest.raises(HelioError) as raised:
        check_unchanged(before, checked(Car, {"name": "b", "wheels": {"count": 3}}), "run", may_change=("seats",))
    assert str(raised.value) == (
        "the run in run began with other settings: name was 'a' and is 'b', wheels.count was 4 and is 3, "
        "wheels.sizes.left was 2.0 and is None. Put them back to go on, or start a new run in another folder"
    )


def test_of_many_changed_settings_five_are_named() -> None:
    before = checked(Car, {"name": "a"}).model_dump(mode="json")
    values = {"name": "b", "weight": 2, "seats": 3, "doors": 2, "colour": "blue", "noise": 1}
    with pytest.raises(HelioError, match=r"colour was 'red' and is 'blue' and 1 more\. Put them back"):
        check_unchanged(before, checked(Car, values), "run", may_change=())


def test_a_setting_that_is_new_counts_as_its_default() -> None:
    check_unchanged({"name": "a"}, checked(Car, {"name": "a"}), "run", may_change=())
    with pytest.raises(HelioError, match="other settings: seats was 4 and is 5"):
        check_unchanged({"name": "a"}, checked(Car, {"name": "a", "seats": 5}), "run", may_change=())

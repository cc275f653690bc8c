"""Settings that are checked as a whole, and kept the same while a run lasts."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import MISSING, fields
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from helio.errors import HelioError, excerpt

# Changed settings or problems that a message lists.
_LISTED = 5


class Settings(BaseModel):
    """Values that a user chooses: they do not change, unknown names are refused, numbers are finite."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


Kind = TypeVar("Kind", bound=Settings)
Record = TypeVar("Record")


def checked(kind: type[Kind], values: dict[Any, Any], what: str = "settings") -> Kind:
    """Settings from plain values.

    Args:
        kind: of settings.
        values: by name; what is no name is refused as one that is unknown.
        what: they are, in messages.

    Raises:
        HelioError: it names what is wrong, with the values received.
    """
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        verb = "are" if what.endswith("s") else "is"
        raise HelioError(f"{what} {verb} wrong: {_problems(error)}") from None


def checked_record(kind: type[Record], values: Any, where: str, *, required: Collection[str] | None = None) -> Record:
    """A dataclass from the JSON values in a file, each of the type that its field says; what has a default may lack.

    Args:
        kind: the dataclass.
        values: by name, as JSON has them: lists for tuples.
        where: they stand, in messages: "the header of mine.safetensors".
        required: names that may not lack; by default those without a default.

    Raises:
        HelioError: a value is missing, unknown or of another type; it is named.
    """
    known: Any = fields(kind)  # pyright: ignore[reportArgumentType]
    bare = {field.name for field in known if field.default is MISSING and field.default_factory is MISSING}
    needed = bare if required is None else set(required)
    names = set(values) if isinstance(values, dict) else set()
    unknown, missing = sorted(names - {field.name for field in known}), sorted(needed - names)
    if unknown or missing:
        problems = [
            f"{word} {', '.join(str(name)[:80] for name in listed[:_LISTED])}"
            for word, listed in (("unknown", unknown), ("missing", missing))
            if listed
        ]
        raise HelioError(f"{where} does not fit this version of Helio: {', '.join(problems)}")
    try:
        return TypeAdapter(kind).validate_json(json.dumps(values), strict=True)
    except ValidationError as error:
        raise HelioError(f"{where} is damaged: {_problems(error)}") from None


def check_unchanged(before: dict[str, Any], now: Settings, where: str, *, may_change: Collection[str]) -> None:
    """Compare settings with those that a run began with.

    Args:
        before: plain values; a setting that did not exist when the run began counts as its default.
        now: what is asked for.
        where: the run's folder.
        may_change: settings that may differ, those in them included.

    Raises:
        HelioError: others differ; the first of them are named.
    """
    values, earlier = (_flat(found.model_dump(mode="json")) for found in (now, checked(type(now), before)))
    names = [name for name in {**values, **earlier} if name.partition(".")[0] not in may_change]
    changed = [name for name in names if values.get(name) != earlier.get(name)]
    if changed:
        listed = [
            f"{name} was {excerpt(earlier.get(name))} and is {excerpt(values.get(name))}" for name in changed[:_LISTED]
        ]
        more = f" and {len(changed) - _LISTED} more" if len(changed) > _LISTED else ""
        raise HelioError(
            f"the run in {where} began with other settings: {', '.join(listed)}{more}. Put them back to go on, or "
            "start a new run in another folder"
        )


def _flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Plain values without settings in settings, by names like `loss.forces`."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        found |= _flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {prefix + name: value}
    return found


def _problems(error: ValidationError) -> str:
    """The first problems, each with the value received."""
    problems = error.errors(include_url=False)
    more = f"; and {len(problems) - _LISTED} more" if len(problems) > _LISTED else ""
    return "; ".join(_explained(problem) for problem in problems[:_LISTED]) + more


def _explained(problem: Any) -> str:
    where = ".".join(str(part)[:80] for part in problem["loc"])
    message = problem["msg"].removeprefix("Value error, ")
    # Of settings that do not go together, or that lack one, all values would hide the message.
    received = "" if isinstance(problem["input"], dict) else f" (got {excerpt(problem['input'])})"
    return (f"{where}: " if where else "") + message + received

"""Settings that are checked as a whole, and kept the same while a run lasts."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from helio.errors import HelioError

# Changed settings that a message lists.
_LISTED = 5


class Settings(BaseModel):
    """Values that a user chooses: they do not change, unknown names are refused, numbers are finite."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


Kind = TypeVar("Kind", bound=Settings)


def checked(kind: type[Kind], values: dict[str, Any]) -> Kind:
    """Settings from plain values.

    Raises:
        HelioError: it names everything that is wrong, with the values received.
    """
    try:
        return kind(**values)
    except ValidationError as error:
        problems = "; ".join(_explained(problem) for problem in error.errors())
        raise HelioError(f"settings are wrong: {problems}") from None


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
        listed = [f"{name} was {earlier.get(name)!r} and is {values.get(name)!r}" for name in changed[:_LISTED]]
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


def _explained(problem: Any) -> str:
    where = ".".join(map(str, problem["loc"]))
    message = problem["msg"].removeprefix("Value error, ")
    # Of settings that do not go together, or that lack one, all values would hide the message.
    received = "" if isinstance(problem["input"], dict) else f" (got {problem['input']!r})"
    return (f"{where}: " if where else "") + message + received

"""What a setting means and may be, in words."""

from __future__ import annotations

import types
from typing import Any, Literal, Union, get_args, get_origin

from pydantic.fields import FieldInfo


def description(field: FieldInfo) -> str:
    """What a setting means, with the words it may be where there is a choice."""
    words = choices(field.annotation)
    return f"{field.description} ({' | '.join(words)})" if len(words) > 1 else f"{field.description}"


def choices(annotation: Any) -> tuple[str, ...]:
    """The words that a setting of this type may be, or none."""
    return next((get_args(part) for part in parts(annotation) if get_origin(part) is Literal), ())


def parts(annotation: Any) -> tuple[Any, ...]:
    """The types that are joined by | in this one."""
    return get_args(annotation) if get_origin(annotation) in (Union, types.UnionType) else (annotation,)

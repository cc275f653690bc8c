"""JSON that a file holds, as records of Helio's own do: of limited size and depth."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from helio.errors import HelioError, excerpt, reason
from helio.files.regular_file import read_text

MAX_BYTES = 2**26
MAX_DEPTH = 64  # of lists and objects in each other


def parse_json(text: str | bytes | bytearray, where: str) -> Any:
    """The values in a JSON text.

    Args:
        text: with numbers that are not finite as Python writes them (`NaN`).
        where: it stands, in messages: "the header of mine.safetensors".

    Raises:
        HelioError: it is no JSON, too large or too deep.
    """
    if len(text) > MAX_BYTES:
        raise HelioError(f"{where} is damaged: {len(text):,} characters are more than it can have")
    try:
        values = json.loads(text)
    except RecursionError:
        raise HelioError(f"{where} is damaged: its values are more than {MAX_DEPTH} deep in each other") from None
    except ValueError as error:  # also of bytes that are no text, and of numbers with thousands of digits
        raise HelioError(f"{where} is damaged: it is no JSON ({reason(error)})") from None
    level, depth = [values], 0
    while level := [inner for value in level for inner in _inside(value)]:
        depth += 1
        if depth > MAX_DEPTH:
            raise HelioError(f"{where} is damaged: its values are more than {MAX_DEPTH} deep in each other")
    return values


def parse_object(text: str | bytes | bytearray, where: str) -> dict[str, Any]:
    """Values by name; raises `HelioError` as `parse_json`, and for anything but a JSON object."""
    values = parse_json(text, where)
    if not isinstance(values, dict):
        raise HelioError(f"{where} is damaged: it holds {excerpt(values)}, not values by name")
    return values


def read_json(path: str | Path, what: str) -> Any:
    """The values in a JSON file; raises `HelioError` as `read_text` and `parse_json`."""
    return parse_json(read_text(path, what, max_bytes=MAX_BYTES), f"the {what} {path}")


def _inside(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []

"""Settings in YAML: plain values only, so that a small file stays small when it is read.

YAML lets a file name a part of itself (`&a`, `*a`), and a few hundred bytes can so stand for gigabytes; it lets a file
choose types by tags (`!!binary`). Settings need neither. A file is first read as a stream of events, which takes no
memory to speak of, and values are made of it only where there are not too many and not too deep.
"""

from __future__ import annotations

from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from helio.errors import HelioError, reason
from helio.files.regular_file import read_text

MAX_BYTES = 2**20
MAX_DEPTH = 32  # of lists and mappings in each other
MAX_VALUES = 100_000

# LibYAML is ten times as fast; it is missing in some builds of PyYAML.
_SafeLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read_yaml(path: str | Path) -> Any:
    """Plain values from a YAML file.

    Raises:
        HelioError: there is no such file, it is no YAML (the line is named), or is larger or deeper than settings are.
    """
    text = read_text(path, "settings file", max_bytes=MAX_BYTES)
    try:
        _check_events(text)
        return yaml.load(text, Loader=_PlainLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = "" if mark is None else f"line {mark.line + 1}, column {mark.column + 1}: "
        raise HelioError(f"{path} is no YAML: {where}{error.problem or reason(error)}") from None
    except yaml.YAMLError as error:
        raise HelioError(f"{path} is no YAML: {reason(error)}") from None


class _PlainLoader(_SafeLoader):
    """Makes plain values; what cannot be made of a scalar is an error with its line."""

    def construct_object(self, node: Any, deep: bool = False) -> Any:
        try:
            value = super().construct_object(node, deep)
            if isinstance(value, str):
                value.encode("utf-8")  # half of a pair of surrogates can neither be printed nor written
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            raise yaml.constructor.ConstructorError(None, None, reason(error), node.start_mark) from None
        return value

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Hashable, Any]:
        names: set[str] = set()
        for name, _ in node.value:
            if not isinstance(name, yaml.ScalarNode):
                continue  # refused below
            if name.value in names:
                raise yaml.constructor.ConstructorError(
                    None, None, f"{name.value[:80]} is given twice", name.start_mark
                )
            names.add(name.value)
        return super().construct_mapping(node, deep)


def _check_events(text: str) -> None:
    """Raise `yaml.MarkedYAMLError` for what settings do not need: references, tags, depth, very many values."""
    depth = count = 0
    for event in yaml.parse(text, Loader=_SafeLoader):
        problem = None
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
            problem = "settings have no anchors and aliases (& and *): write the value out"
        elif getattr(event, "tag", None) is not None:
            problem = "settings have no tags (!): write the value alone"
        elif isinstance(event, yaml.CollectionStartEvent):
            depth, count = depth + 1, count + 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        elif isinstance(event, yaml.ScalarEvent):
            count += 1
        if depth > MAX_DEPTH:
            problem = f"lists and mappings are more than {MAX_DEPTH} deep in each other"
        if count > MAX_VALUES:
            problem = f"there are more than {MAX_VALUES:,} values"
        if problem is not None:
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=event.start_mark)

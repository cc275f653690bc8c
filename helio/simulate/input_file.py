"""The settings file of a run: YAML with a structure, a place for the output, and any of the settings."""

from __future__ import annotations

import types
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

import yaml
from pydantic import Field
from pydantic.fields import FieldInfo

from helio.errors import HelioError
from helio.files.yaml_file import read_yaml
from helio.simulate.settings import SECTIONS, MDSettings

# Settings whose values may be paths.
_PATHS = ("structure", "out", "model", "bias")

_RESTRAINT_EXAMPLES = """\
# For example:
# restraints:
#   - {kind: position, atoms: heavy, stiffness: 1.0}
#   - {kind: distance, first: [0], second: [5], length: 3.0, stiffness: 2.0}
#   - {kind: sphere, atoms: all, radius: 12.0, stiffness: 0.5}
"""


class MDInput(MDSettings):
    """What a settings file may hold; paths are relative to the file."""

    structure: str = Field(description="structure file of any format that ASE reads")
    out: str = Field("run", description="run folder to make")


def read_input(path: str | Path) -> tuple[Path, Path | None, dict[str, Any]]:
    """The structure's path, the run folder's (None if not given) and the other values of a settings file, unchecked.

    Raises:
        HelioError: the file cannot be read, holds no settings or names no structure.
    """
    path = Path(path)
    values = read_yaml(path)
    if not isinstance(values, dict) or not isinstance(values.get("structure"), str):
        raise HelioError(f"{path} needs a line `structure: FILE`; `helio template md` prints a whole settings file")
    for name in _PATHS:
        if isinstance(values.get(name), str):
            values[name] = _located(values[name], path.parent, always=name in ("structure", "out"))
    out = values.pop("out", None)
    return Path(values.pop("structure")), None if out is None else Path(out), values


def _located(value: str, folder: Path, *, always: bool) -> str:
    """A path relative to the settings file; a name that is no file beside it, as that of a model, stays."""
    there = folder / Path(value).expanduser()
    return str(there) if always or there.is_file() else value


def template() -> str:
    """A settings file with every setting at its default and a word on each."""
    lines = [
        "# Settings of `helio md`. Name the structure, change what you like; the rest may be left out.",
        "structure: molecule.xyz  # " + description(MDInput.model_fields["structure"]) + "; relative to this file",
        "out: run  # " + description(MDInput.model_fields["out"]) + "; relative to this file",
    ]
    for name, field in MDSettings.model_fields.items():
        if name in SECTIONS:
            lines += ["", f"# {SECTIONS[name]}"]
        lines.append(f"{name}: {_as_yaml(field.default)}  # {description(field)}")
        if name == "restraints":
            lines += _RESTRAINT_EXAMPLES.splitlines()
    return "\n".join(lines) + "\n"


def description(field: FieldInfo) -> str:
    """What a setting means, with the words it may be."""
    words = choices(field.annotation)
    return f"{field.description} ({' | '.join(words)})" if words else f"{field.description}"


def choices(annotation: Any) -> tuple[str, ...]:
    """The words that a setting of this type may be, or none."""
    return next((get_args(part) for part in parts(annotation) if get_origin(part) is Literal), ())


def parts(annotation: Any) -> tuple[Any, ...]:
    """The types that are joined by | in this one."""
    return get_args(annotation) if get_origin(annotation) in (Union, types.UnionType) else (annotation,)


def _as_yaml(value: Any) -> str:
    plain = list(value) if isinstance(value, tuple) else value
    text = yaml.safe_dump(plain, default_flow_style=True, width=1000)
    return text.removesuffix("\n").removesuffix("\n...").strip()

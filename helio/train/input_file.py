"""The settings file of a training: YAML."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, Field

from helio.errors import HelioError
from helio.files.yaml_file import read_yaml
from helio.simulate.input_file import description
from helio.train.settings import SECTIONS, TrainSettings

# Settings whose values are paths; a start may also be the name of a model.
_PATHS = ("data", "validation_data", "start", "replay", "out")


class TrainInput(TrainSettings):
    """What a settings file may hold; paths are relative to the file."""

    out: str = Field("training", description="run folder to make")


def read_input(path: str | Path) -> tuple[Path | None, dict[str, Any]]:
    """The run folder's path (None if not given) and the other values of a settings file, unchecked, paths absolute.

    Raises:
        HelioError: the file cannot be read or holds no settings.
    """
    path = Path(path)
    values = read_yaml(path)
    if not isinstance(values, dict) or not isinstance(values.get("data"), str):
        raise HelioError(f"{path} needs a line `data: STORE`; `helio template train` prints a whole settings file")
    for name in _PATHS:
        if isinstance(values.get(name), str):
            there = (path.parent / Path(values[name]).expanduser()).resolve()
            if name != "start" or there.is_file():
                values[name] = str(there)
    out = values.pop("out", None)
    return None if out is None else Path(out), values


def template() -> str:
    """A settings file with every setting at its default and a word on each."""
    fields = TrainSettings.model_fields
    lines = [
        "# Settings of `helio train`. Name the data, change what you like; the rest may be left out.",
        "task: train",
        "out: training  # " + description(TrainInput.model_fields["out"]) + "; relative to this file",
    ]
    for name, field in fields.items():
        if name in SECTIONS:
            lines += ["", f"# {SECTIONS[name]}"]
        if name == "data":
            lines.append(f"data: store.h5  # {description(field)}; relative to this file")
        elif isinstance(field.default, BaseModel):
            lines.append(f"{name}:  # {description(field)}")
            for part, inner in type(field.default).model_fields.items():
                lines.append(f"  {part}: {_as_yaml(inner.default)}  # {description(inner)}")
        elif name != "task":
            lines.append(f"{name}: {_as_yaml(field.default)}  # {description(field)}")
    return "\n".join(lines) + "\n"


def _as_yaml(value: Any) -> str:
    plain = list(value) if isinstance(value, tuple) else value
    text = yaml.safe_dump(plain, default_flow_style=True, width=1000)
    return text.removesuffix("\n").removesuffix("\n...").strip()

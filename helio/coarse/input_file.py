"""Settings files of a coarse training: YAML."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, Field

from helio.coarse.settings import CoarseTrainSettings
from helio.errors import HelioError
from helio.files.yaml_file import read_yaml

# The groups in which settings are shown, each by its first field.
_SECTIONS = {
    "data": "Data",
    "network": "Model",
    "history_noise": "Disturbance of windows",
    "loss": "Loss",
    "learning_rate": "Optimiser",
    "steps": "Length",
    "log_every": "Output",
}


class CoarseTrainInput(CoarseTrainSettings):
    """What a settings file may hold; paths are relative to the file."""

    out: str = Field("coarse-training", description="run folder to make")


def read_coarse_input(path: str | Path) -> tuple[Path | None, dict[str, Any]]:
    """The run folder's path (None if not given) and the other values of a settings file, unchecked, paths absolute.

    Raises:
        HelioError: the file cannot be read or names no store.
    """
    path = Path(path)
    values = read_yaml(path)
    if not isinstance(values, dict) or not isinstance(values.get("data"), str):
        raise HelioError(f"{path} needs a line `data: STORE`; `helio template coarse` prints a whole settings file")
    for name in ("data", "out"):
        if isinstance(values.get(name), str):
            values[name] = str((path.parent / Path(values[name]).expanduser()).resolve())
    out = values.pop("out", None)
    return None if out is None else Path(out), values


def template() -> str:
    """A settings file with every setting at its default and a word on each."""
    lines = [
        "# Settings of `helio coarse train`. Name the data, change what you like; the rest may be left out.",
        "task: coarse-train",
        f"out: coarse-training  # {CoarseTrainInput.model_fields['out'].description}; relative to this file",
    ]
    for name, field in CoarseTrainSettings.model_fields.items():
        if name in _SECTIONS:
            lines += ["", f"# {_SECTIONS[name]}"]
        if name == "data":
            lines.append(f"data: store.h5  # {field.description}; relative to this file")
        elif isinstance(field.default, BaseModel):
            lines.append(f"{name}:  # {field.description}")
            for part, inner in type(field.default).model_fields.items():
                lines.append(f"  {part}: {_as_yaml(inner.default)}  # {inner.description}")
        elif name != "task":
            lines.append(f"{name}: {_as_yaml(field.default)}  # {field.description}")
    return "\n".join(lines) + "\n"


def _as_yaml(value: Any) -> str:
    return yaml.safe_dump(value, default_flow_style=True).removesuffix("\n").removesuffix("\n...").strip()

"""Settings files: YAML with what a command needs, a place for its output, and any of its settings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from helio.errors import HelioError
from helio.files.yaml_file import read_yaml
from helio.settings.checking import Settings
from helio.settings.description import description


@dataclass(frozen=True)
class SettingsFile:
    """The file that a command reads; paths in it are relative to it.

    A setting without a default has its `examples` in a template.
    """

    kind: type[Settings]  # all that it may hold, with the run folder as `out`
    command: str
    template_command: str  # that prints a whole file
    needs: str  # the line without which there is nothing to do, such as "data: STORE"
    top: tuple[str, ...] = ("out",)  # settings above all sections
    paths: tuple[str, ...] = ("data",)  # settings that are paths, besides `out`
    paths_or_names: tuple[str, ...] = ()  # that are paths where there is such a file, otherwise names
    sections: Mapping[str, str] = field(default_factory=dict)  # titles, each by its first setting
    notes: Mapping[str, str] = field(default_factory=dict)  # lines below a setting

    def read(self, path: str | Path) -> tuple[Path | None, dict[str, Any]]:
        """The run folder (None if not given) and the other values, unchecked, with absolute paths.

        Raises:
            HelioError: the file cannot be read, or lacks what it needs.
        """
        path = Path(path)
        values = read_yaml(path)
        if not isinstance(values, dict) or not isinstance(values.get(self._needed), str):
            raise HelioError(
                f"{path} needs a line `{self.needs}`; `{self.template_command}` prints a whole settings file"
            )
        for name in (*self.paths, *self.paths_or_names):
            if isinstance(values.get(name), str):
                there = path.parent / Path(values[name]).expanduser()
                there = there.parent.resolve() / there.name  # a link keeps its name, which tells the format
                if name in self.paths or there.is_file():
                    values[name] = str(there)
        out = values.pop("out", None)
        if not isinstance(out, str | None):
            raise HelioError(f"{path}: out must be the path of a folder, not {out!r}")
        return None if out is None else path.parent / Path(out).expanduser(), values

    def template(self) -> str:
        """A file with every setting at its default and a word on each."""
        fields = self.kind.model_fields
        lines = [
            f"# Settings of `{self.command}`. Name the {self._needed}, change what you like; the rest may be left out."
        ]
        for name in (*self.top, *(name for name in fields if name not in self.top)):
            if name in self.sections:
                lines += ["", f"# {self.sections[name]}"]
            relative = "; relative to this file" if name in (*self.paths, "out") else ""
            lines += [line + relative for line in _lines(name, fields[name])]
            lines += self.notes[name].splitlines() if name in self.notes else []
        return "\n".join(lines) + "\n"

    @property
    def _needed(self) -> str:
        return self.needs.partition(":")[0]


def _lines(name: str, field: FieldInfo) -> Iterator[str]:
    """A setting, or a group of settings."""
    if isinstance(field.default, BaseModel):
        yield f"{name}:  # {description(field)}"
        for part, inner in type(field.default).model_fields.items():
            yield f"  {part}: {_as_yaml(inner.default)}  # {description(inner)}"
    else:
        value = (field.examples or [None])[0] if field.is_required() else field.default
        yield f"{name}: {_as_yaml(value)}  # {description(field)}"


def _as_yaml(value: Any) -> str:
    plain = list(value) if isinstance(value, tuple) else value
    text = yaml.safe_dump(plain, default_flow_style=True, width=1000)
    return text.removesuffix("\n").removesuffix("\n...").strip()

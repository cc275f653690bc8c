"""`helio template`: files to fill in."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Print settings files to fill in.")


@app.callback()
def _template() -> None:
    """Print settings files to fill in."""


_Schema = Annotated[bool, typer.Option("--schema", help="Print the JSON schema instead, for editors.")]
_Out = Annotated[Path | None, typer.Option(help="New file to write to instead of the terminal.", show_default=False)]


@app.command(epilog="Example: helio template md --out settings.yaml")
def md(schema: _Schema = False, out: _Out = None) -> None:
    """Print a settings file of `helio md` with every setting, its default and its meaning."""
    from helio.simulate.input_file import MDInput, template

    _give(json.dumps(MDInput.model_json_schema(), indent=2) + "\n" if schema else template(), out)


@app.command(epilog="Example: helio template train --out settings.yaml")
def train(schema: _Schema = False, out: _Out = None) -> None:
    """Print a settings file of `helio train` with every setting, its default and its meaning."""
    from helio.train.input_file import TrainInput, template

    _give(json.dumps(TrainInput.model_json_schema(), indent=2) + "\n" if schema else template(), out)


@app.command(epilog="Example: helio template coarse --out settings.yaml")
def coarse(schema: _Schema = False, out: _Out = None) -> None:
    """Print a settings file of `helio coarse train` with every setting, its default and its meaning."""
    from helio.coarse.input_file import CoarseTrainInput, template

    _give(json.dumps(CoarseTrainInput.model_json_schema(), indent=2) + "\n" if schema else template(), out)


def _give(text: str, out: Path | None) -> None:
    from helio.errors import HelioError
    from helio.files.atomic import write_text

    if out is None:
        typer.echo(text, nl=False)
        return
    if out.exists():
        raise HelioError(f"{out} exists; give another name")
    write_text(out, text)
    typer.echo(f"Wrote {out}")

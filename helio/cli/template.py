"""`helio template`: files to fill in."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from helio.settings.settings_file import SettingsFile

app = typer.Typer(no_args_is_help=True, help="Print settings files to fill in.")


@app.callback()
def _template() -> None:
    """Print settings files to fill in."""


Schema = Annotated[bool, typer.Option("--schema", help="Print the JSON schema instead, for editors.")]
Out = Annotated[Path | None, typer.Option(help="New file to write to instead of the terminal.", show_default=False)]


@app.command(epilog="Example: helio template md --out settings.yaml")
def md(schema: Schema = False, out: Out = None) -> None:
    """Print a settings file of `helio md` with every setting, its default and its meaning."""
    from helio.simulate.input_file import SETTINGS_FILE

    give(SETTINGS_FILE, schema=schema, out=out)


@app.command(epilog="Example: helio template train --out settings.yaml")
def train(schema: Schema = False, out: Out = None) -> None:
    """Print a settings file of `helio train` with every setting, its default and its meaning."""
    from helio.train.input_file import SETTINGS_FILE

    give(SETTINGS_FILE, schema=schema, out=out)


@app.command(epilog="Example: helio template coarse --out settings.yaml")
def coarse(schema: Schema = False, out: Out = None) -> None:
    """Print a settings file of `helio coarse train` with every setting, its default and its meaning."""
    from helio.coarse.input_file import SETTINGS_FILE

    give(SETTINGS_FILE, schema=schema, out=out)


def give(file: SettingsFile, *, schema: bool, out: Path | None) -> None:
    """Print the template of a settings file, or its schema, or write it to a new file."""
    import json

    from helio.errors import HelioError
    from helio.files.atomic import write_text

    text = json.dumps(file.kind.model_json_schema(), indent=2) + "\n" if schema else file.template()
    if out is None:
        typer.echo(text, nl=False)
        return
    if out.exists():
        raise HelioError(f"{out} exists; give another name")
    write_text(out, text)
    typer.echo(f"Wrote {out}")

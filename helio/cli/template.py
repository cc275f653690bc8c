"""`helio template`: files to fill in."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Print settings files to fill in.")


@app.callback()
def _template() -> None:
    """Print settings files to fill in."""


@app.command(epilog="Example: helio template md --out settings.yaml")
def md(
    schema: Annotated[bool, typer.Option("--schema", help="Print the JSON schema instead, for editors.")] = False,
    out: Annotated[
        Path | None, typer.Option(help="New file to write to instead of the terminal.", show_default=False)
    ] = None,
) -> None:
    """Print a settings file of `helio md` with every setting, its default and its meaning."""
    import json

    from helio.errors import HelioError
    from helio.files.atomic import write_text
    from helio.simulate.input_file import MDInput, template

    text = json.dumps(MDInput.model_json_schema(), indent=2) + "\n" if schema else template()
    if out is None:
        typer.echo(text, nl=False)
        return
    if out.exists():
        raise HelioError(f"{out} exists; give another name")
    write_text(out, text)
    typer.echo(f"Wrote {out}")

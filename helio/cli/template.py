"""`helio template`: files to fill in."""

from __future__ import annotations

from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Print settings files to fill in.")


@app.callback()
def _template() -> None:
    """Print settings files to fill in."""


@app.command(epilog="Example: helio template md > settings.yaml")
def md(
    schema: Annotated[bool, typer.Option("--schema", help="Print the JSON schema instead, for editors.")] = False,
) -> None:
    """Print a settings file of `helio md` with every setting, its default and its meaning."""
    import json

    from helio.simulate.input_file import MDInput, template

    typer.echo(json.dumps(MDInput.model_json_schema(), indent=2) if schema else template(), nl=schema)

"""`helio model`: the models that Helio knows, and model files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from helio.cli.paths import check_inputs
from helio.errors import HelioError
from helio.long_range import DEFAULT_REASON

if TYPE_CHECKING:
    from helio.force_field import ForceField, ForceFieldSettings, ModelInfo
    from helio.force_field.model_file import UncertaintyHeader

app = typer.Typer(no_args_is_help=True, help="List, inspect, fetch, convert and remove models.")


@app.command("list", epilog="Example: helio model list")
def list_models() -> None:
    """List the models that Helio knows by name, and where they are."""
    from rich.console import Console
    from rich.table import Table

    from helio.files.cache import cache_folder
    from helio.force_field.registry import KNOWN_MODELS, cached_header

    table = Table("model", "where", "licence", "description")
    for name, model in KNOWN_MODELS.items():
        place = "comes with Helio" if model.packaged else "in the cache"
        where = f"{place}, {model.path.stat().st_size / 1e6:.1f} MB" if cached_header(model) else "not fetched yet"
        table.add_row(name, where, model.info.licence, model.summary)
    console = Console()
    console.print(table)
    console.print(f"Cache: {cache_folder() / 'models'}", soft_wrap=True, highlight=False)


@app.command(
    epilog="Examples: helio model info so3lr; helio model info mine.safetensors; helio model info so3lr --licence"
)
def info(
    model: Annotated[str, typer.Argument(help="Name of a model or a model file.")],
    licence: Annotated[bool, typer.Option("--licence", "-l", help="Print the licence in full instead.")] = False,
) -> None:
    """Show licence, citation, source and settings of a model; nothing is fetched."""
    from helio.force_field.model_file import read_model_info
    from helio.force_field.registry import KNOWN_MODELS, cached_header

    known = KNOWN_MODELS.get(model)
    header = cached_header(known) if known else read_model_info(_existing(model))
    about = known.info if known else header.info if header else None
    assert about is not None
    if licence:
        typer.echo(about.licence_text or about.licence)
        return
    rows = {"name": about.name, "licence": about.licence, "citation": about.citation, "source": about.source}
    if known:
        rows["file"] = str(known.path) if header else f"not in the cache; fetched at first use: helio model get {model}"
    if header:
        rows |= _levels(about)
        rows["parameters"] = f"{header.num_parameters:,}"
        rows["SHA-256 of the weights"] = header.weights_sha256
        rows |= _described(header.settings)
        rows["uncertainty"] = _uncertainty(header.uncertainty)
        rows |= _tables(known.path if known else Path(model), header.settings)
    _print_rows(rows)


@app.command(epilog="Example: helio model get so3lr")
def get(name: Annotated[str, typer.Argument(help="Name of a known model.")] = "so3lr") -> None:
    """Fetch a known model into the cache, unless it is there already."""
    from helio.force_field.registry import get_model

    typer.echo(get_model(name))


@app.command(epilog="Example: helio model remove so3lr")
def remove(name: Annotated[str, typer.Argument(help="Name of a known model.")]) -> None:
    """Remove a known model from the cache; it can be fetched again."""
    from helio.force_field.registry import remove_model

    path = remove_model(name)
    typer.echo(f"Removed {path}" if path else f"The model {name} was not in the cache")


@app.command(
    epilog="Examples: helio model convert params.pkl hyperparameters.json; "
    "helio model convert params.pkl hyperparameters.json --out mine.safetensors --name mine --licence 'CC BY 4.0'"
)
def convert(
    weights: Annotated[Path, typer.Argument(help="params.pkl of SO3LR, or a model file of So3krates-torch.")],
    hyperparameters: Annotated[
        Path | None, typer.Argument(help="hyperparameters.json that belongs to params.pkl.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="Model file to write; by default the cache, for a known model."),
    ] = None,
    name: Annotated[str | None, typer.Option(help="Name to store in the file; default: that of the file.")] = None,
    licence: Annotated[str, typer.Option(help="Licence to store in the file.")] = "not stated",
    citation: Annotated[str, typer.Option(help="Citation to store in the file.")] = "not stated",
    source: Annotated[str | None, typer.Option(help="Source to store in the file; default: its name.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the output file if it exists.")] = False,
) -> None:
    """Convert published weights into a model file; nothing that the weights bring along is run."""
    check_inputs([weights, hyperparameters])
    if out and out.exists() and not overwrite:
        raise HelioError(f"{out} exists already: choose another file or give --overwrite")

    from helio.force_field.model_file import ModelInfo, save_model
    from helio.force_field.registry import identify, store_in_cache

    force_field = _converted(weights, hyperparameters)
    known = identify(force_field)
    if known:
        typer.echo(f"These are the published weights of {known.info.name} ({known.info.licence})")
    if out is None:
        if known is None:
            raise HelioError("these weights are of no known model: say with --out where to write the model file")
        typer.echo(f"Stored in the cache as {store_in_cache(known, force_field)}")
        return
    described = ModelInfo(name or out.stem, licence, citation, source or weights.name)
    if known:  # what is known of published weights goes before what the user says, but for the name
        described = replace(known.info, name=described.name)
    save_model(force_field, out, described)
    typer.echo(f"Wrote {out}; use it with --model {out}")


def _converted(weights: Path, hyperparameters: Path | None) -> ForceField:
    from zipfile import is_zipfile

    from helio.force_field.convert import convert_published, convert_published_torch

    if is_zipfile(weights):
        return convert_published_torch(weights)
    if hyperparameters is None:
        raise HelioError(f"{weights} needs its settings: helio model convert {weights} hyperparameters.json")
    return convert_published(weights, hyperparameters)


def _existing(model: str) -> str:
    from helio.force_field.registry import known_model

    if not Path(model).is_file():
        known_model(model)  # raises, with the known names
    return model


def _levels(about: ModelInfo) -> dict[str, str]:
    """The levels of theory, and for which elements total energies can be given."""
    rows = {}
    if about.levels:
        first, *others = about.levels
        rows["levels of theory"] = "; ".join([f"{first} (the default)" if others else first, *others])
    for level, known in about.reference_energies.items():
        energies = ", ".join(f"{element} {energy:.4f}" for element, energy in known.items())
        rows[f"energies of atoms (eV), {level}"] = energies or "none"
    return rows


def _uncertainty(header: UncertaintyHeader | None) -> str:
    if header is None:
        return "none: helio calibrate gives one"
    return (
        f"{header.about}; limit for the force on an atom {header.limit:.3g} eV/A, {header.members} members of the "
        "ensemble"
    )


def _described(settings: ForceFieldSettings) -> dict[str, str]:
    from ase.data import chemical_symbols

    rows = {"elements": " ".join(chemical_symbols[z] for z in settings.supported_elements)}
    for key, value in settings.to_dict().items():
        if key != "supported_elements":
            rows[key] = " ".join(map(str, value)) if isinstance(value, list) else str(value)
    if settings.electrostatics:
        rows["electrostatics of boxes"] = DEFAULT_REASON
    return rows


def _tables(path: Path, settings: ForceFieldSettings) -> dict[str, str]:
    """What stands for the radial filters where attention runs compiled."""
    from helio.force_field.model_file import read_model
    from helio.force_field.tabulation import filter_tables
    from helio.kernels import supports

    if not supports(settings.features, settings.num_heads, settings.degrees):
        return {"tables of radial filters": "none: the compiled attention does not support these sizes"}
    tables = filter_tables(read_model(path)[0].network, settings)
    knots = ", ".join(str(layer.knots) for layer in tables)
    size = sum(layer.table.size for layer in tables) * 4 / 1e6
    values, slopes = max(layer.error for layer in tables), max(layer.slope_error for layer in tables)
    return {
        "tables of radial filters": f"{knots} knots, {size:.1f} MB in float32; largest errors relative to the largest "
        f"value: {values:.0e}, of slopes {slopes:.0e} / A"
    }


def _print_rows(rows: dict[str, str]) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(show_header=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for key, value in rows.items():
        table.add_row(key, escape(value))
    Console().print(table)

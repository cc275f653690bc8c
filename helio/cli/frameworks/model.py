"""`helio frameworks train | sample | optimise | template`: models that generate frameworks."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from helio.cli.lines import counting_bar
from helio.cli.paths import check_inputs
from helio.cli.run_end import is_run, leave_if_interrupted, training_done, would_write
from helio.cli.template import Out, Schema, give
from helio.errors import HelioError

if TYPE_CHECKING:
    from helio.frameworks.model.model_file import FrameworkModel
    from helio.frameworks.model.settings import FrameworkTrainSettings
    from helio.frameworks.model.wishes import Wishes
    from helio.train.loop import Outcome

_Model = Annotated[str, typer.Option(help="Model file, or helio-frameworks for the one in the package.")]
_Out = Annotated[Path, typer.Option("--out", "-o", help="Store to write (.h5), for `helio frameworks assemble`.")]
_Count = Annotated[int, typer.Option(min=1, help="How many to draw.")]
_Seed = Annotated[int, typer.Option(min=0, help="Of all random numbers; the same seed gives the same store.")]
_Blocks = Annotated[int | None, typer.Option(help="Building blocks in each cell.", show_default=False)]
_Cell = Annotated[
    str | None, typer.Option(metavar='"A B C AL BE GA"', help="Lattice: A and degrees.", show_default=False)
]
_Spread = Annotated[
    float, typer.Option(min=0, max=1, help="Of latents around those trained on: 0 repeats them, 1 is a normal spread.")
]
_DrawnSites = Annotated[
    bool, typer.Option("--drawn-sites", help="Places are the diffusion's alone; by default they begin at known nets.")
]
_Batch = Annotated[int, typer.Option(min=1, help="Frameworks drawn at once.")]
_Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace the store if it exists.")]
_DryRun = Annotated[bool, typer.Option("--dry-run", help="Check everything, write nothing.")]


def template(schema: Schema = False, out: Out = None) -> None:
    """Print a settings file of `helio frameworks train` with every setting, its default and its meaning."""
    from helio.frameworks.model.input_file import SETTINGS_FILE

    give(SETTINGS_FILE, schema=schema, out=out)


def train(
    source: Annotated[
        Path, typer.Argument(metavar="INPUT", help="Settings file (.yaml), or run folder of a training to go on with.")
    ],
    out: Annotated[Path | None, typer.Option(help="Run folder to make; default frameworks-training.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an earlier run in the folder.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check everything, take two steps to time them, write nothing.")
    ] = False,
) -> None:
    """Train a model on a store; Ctrl-C stops cleanly, and the same command with the run folder goes on."""
    check_inputs([source], "settings file or run folder")
    from helio.cli.compiled import keep_compiled_programs

    keep_compiled_programs()
    from helio.frameworks.model.input_file import SETTINGS_FILE
    from helio.frameworks.model.settings import FrameworkTrainSettings
    from helio.frameworks.model.training import train_frameworks
    from helio.packages import need
    from helio.settings.checking import checked

    need("optax", extra="train")
    if is_run(source, out=out, overwrite=overwrite, dry_run=dry_run):
        resume_frameworks_training(source)
        return
    out_in_file, values = SETTINGS_FILE.read(source)
    settings = checked(FrameworkTrainSettings, values)
    folder = out or out_in_file or Path("frameworks-training")
    if dry_run:
        _explain(settings, folder)
        return
    _carry_out(partial(train_frameworks, settings, folder, overwrite=overwrite), folder)


def resume_frameworks_training(folder: Path, *, steps: int | None = None) -> None:
    """Go on with the training in `folder`."""
    from helio.frameworks.model.training import resume_frameworks

    if steps is not None:
        raise HelioError(f"{folder} is a training of frameworks, which has two stages: leave out --steps")
    _carry_out(partial(resume_frameworks, folder), folder)


def sample(
    out: _Out,
    model: _Model = "helio-frameworks",
    count: _Count = 100,
    seed: _Seed = 0,
    blocks: _Blocks = None,
    cell: _Cell = None,
    spread: _Spread = 0.5,
    drawn_sites: _DrawnSites = False,
    batch: _Batch = 64,
    overwrite: _Overwrite = False,
    dry_run: _DryRun = False,
) -> None:
    """Draw frameworks at random, or with a wanted lattice or number of blocks."""
    from helio.frameworks.model.wishes import Wishes

    wishes = Wishes(cell=_numbers(cell), blocks=blocks)
    _generate(
        wishes, out, model, dry_run, overwrite,
        count=count, seed=seed, spread=spread, known_sites=not drawn_sites, batch=batch,
    )  # fmt: skip


def optimise(
    out: _Out,
    target: Annotated[
        list[str] | None, typer.Option(metavar="LABEL=VALUE", help="Value that is wanted, in the label's unit.")
    ] = None,
    most: Annotated[list[str] | None, typer.Option(metavar="LABEL", help="Of which the most is wanted.")] = None,
    least: Annotated[list[str] | None, typer.Option(metavar="LABEL", help="Of which the least is wanted.")] = None,
    model: _Model = "helio-frameworks",
    labelled: Annotated[
        Path | None,
        typer.Option(help="Store to learn labels from that the model does not know.", show_default=False),
    ] = None,
    start: Annotated[
        Path | None, typer.Option(help="Store whose frameworks to begin from; by default random latents.")
    ] = None,
    part: Annotated[str, typer.Option(help="Of this store.")] = "train",
    count: _Count = 100,
    seed: _Seed = 0,
    blocks: _Blocks = None,
    cell: _Cell = None,
    spread: _Spread = 0.5,
    drawn_sites: _DrawnSites = False,
    steps: Annotated[int, typer.Option(min=0, help="Changes of each latent.")] = 1000,
    learning_rate: Annotated[float, typer.Option(min=0, help="Of these changes.")] = 0.02,
    prior: Annotated[float, typer.Option(min=0, help="Weight that keeps each latent near where it was drawn.")] = 3.0,
    guidance: Annotated[
        float, typer.Option(min=0, help="Strength with which the wish is followed during the diffusion, too.")
    ] = 0.0,
    batch: _Batch = 64,
    overwrite: _Overwrite = False,
    dry_run: _DryRun = False,
) -> None:
    """Draw frameworks with wanted properties: latents are sought that promise them, and filled."""
    from helio.frameworks.model.optimise import Search
    from helio.frameworks.model.wishes import Wishes

    wishes = Wishes(
        targets=dict(_target(each) for each in target or ()),
        most=tuple(most or ()),
        least=tuple(least or ()),
        cell=_numbers(cell),
        blocks=blocks,
    )
    if not wishes.any_label:
        raise HelioError("nothing to optimise: give --target LABEL=VALUE, --most LABEL or --least LABEL")
    search = Search(steps, learning_rate, prior)
    begin = None if start is None else (start, part)
    _generate(
        wishes, out, model, dry_run, overwrite, begin, labelled,
        count=count, seed=seed, spread=spread, known_sites=not drawn_sites, batch=batch, search=search,
        guidance=guidance, prefix="optimised",
    )  # fmt: skip


def _generate(
    wishes: Wishes,
    out: Path,
    model: str,
    dry_run: bool,
    overwrite: bool,
    begin: tuple[Path, str] | None = None,
    labelled: Path | None = None,
    **settings: Any,
) -> None:
    """Check, draw, write and tell."""
    from helio.cli.compiled import keep_compiled_programs

    keep_compiled_programs()
    from helio.frameworks.model.generation import GenerationSettings, encoded_latents, generate
    from helio.frameworks.model.model_file import read_framework_model
    from helio.frameworks.model.wishes import check_wishes
    from helio.frameworks.store import FrameworkStore
    from helio.frameworks.store_writer import write_store

    if out.exists() and not overwrite:
        raise HelioError(f"{out} exists; give another name or --overwrite")
    whole = read_framework_model(model)
    if labelled is not None:
        whole = _with_labels(whole, wishes, labelled)
    check_wishes(wishes, whole.scales)
    if dry_run:
        typer.echo(f"{whole.info.name}: {len(whole.library)} blocks, labels {', '.join(whole.scales.names)}")
        typer.echo(f"Would draw {settings['count']} frameworks into {out}")
        return
    starts = None
    if begin is not None:
        with FrameworkStore(begin[0]) as store:
            starts = encoded_latents(whole, store, begin[1], seed=settings["seed"], count=settings["count"])
    count = settings["count"]
    with counting_bar("frameworks") as show:
        found = generate(
            whole, GenerationSettings(wishes=wishes, **settings), starts=starts, report=lambda done: show(done, count)
        )
    write_store(out, found.content, overwrite=overwrite)
    typer.echo(
        f"{out}: {len(found.content.entries)} frameworks, {100 * found.matched:.0f} % with as many connections of "
        f"nodes as of linkers ({100 * found.matched_at_once:.0f} % before blocks were made to fit); left out: "
        f"{found.impossible} impossible lattices, {found.not_finite} not finite"
    )
    _tell_labels(found.content.entries)


def _with_labels(model: FrameworkModel, wishes: Wishes, labelled: Path) -> FrameworkModel:
    """Learn the labels that are wished for and not known, and tell how well."""
    from helio.frameworks.model.fitted_label import with_label
    from helio.frameworks.store import FrameworkStore

    with FrameworkStore(labelled) as store:
        for name in dict.fromkeys((*wishes.targets, *wishes.most, *wishes.least)):
            if name in model.scales.names:
                continue
            model, errors = with_label(model, store, name)
            typer.echo(
                f"{name}: learnt from {errors.frameworks} frameworks; those left out are told with a mean error of "
                f"{errors.mean_error:.3g} (from the median: {errors.spread:.3g}), correlation {errors.correlation:.2f}"
            )
    return model


def _tell_labels(entries: list[Any]) -> None:
    """Median of what the model expects of each label."""
    import numpy as np

    for name in sorted(entries[0].framework.labels):
        values = [entry.framework.labels[name] for entry in entries]
        low, middle, high = np.quantile(values, (0.1, 0.5, 0.9))
        typer.echo(f"  {name}: {middle:.4g} (80 % within {low:.4g} to {high:.4g})")


def _target(text: str) -> tuple[str, float]:
    name, _, value = text.partition("=")
    try:
        return name.strip(), float(value)
    except ValueError:
        raise HelioError(f"a target is LABEL=VALUE, not {text!r}") from None


def _numbers(text: str | None) -> tuple[float, ...] | None:
    if text is None:
        return None
    try:
        return tuple(float(part) for part in text.replace(",", " ").split())
    except ValueError:
        raise HelioError(f"a cell is given by six numbers, a b c alpha beta gamma, not {text!r}") from None


def _explain(settings: FrameworkTrainSettings, folder: Path) -> None:
    """Print what a training would do."""
    from helio.cli.progress import clock
    from helio.frameworks.model.training import preview

    found = preview(settings)
    typer.echo(
        f"{found.frameworks[0]} frameworks to train on, {found.frameworks[1]} to validate on; {found.blocks} blocks; "
        f"labels {', '.join(found.labels)}"
    )
    typer.echo(
        f"{found.parameters[0]:,} parameters in the encoder of blocks, {found.parameters[1]:,} in the generative; "
        f"{found.batches_per_epoch} batches of {found.shapes} shapes per epoch"
    )
    typer.echo(
        f"Speed: about {1 / found.seconds_per_step:.2g} steps of the generative model per second; {settings.steps:,} "
        f"would take {clock(settings.steps * found.seconds_per_step)}"
    )
    would_write(folder)


def _carry_out(work: Callable[..., Outcome], folder: Path) -> None:
    """Show where a training stands, and say how it ended."""
    from helio.cli.train import live_report

    with live_report() as show:
        outcome = work(report=show)
    leave_if_interrupted(outcome, folder)
    typer.echo(f"{training_done(outcome)}. Model: {folder / 'model.safetensors'}")

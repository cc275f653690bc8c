"""`helio calibrate`: what a model does not know."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from helio.errors import HelioError

if TYPE_CHECKING:
    from helio.evaluate.uncertainty import Chosen

# Seconds between lines where the output is no terminal.
_PLAIN_PERIOD = 15.0

EPILOG = (
    "Examples: helio calibrate run/model.safetensors --data train.h5 --out calibrated.safetensors; "
    "helio calibrate so3lr --data dft.h5 --held-out others.h5 --weight forces=10 --out so3lr-calibrated.safetensors; "
    "helio calibrate calibrated.safetensors --held-out other-molecules.h5 --plot other-molecules.png"
)


def calibrate(
    model: Annotated[str, typer.Argument(help="Name of a model or a model file.")],
    data: Annotated[
        Path | None,
        typer.Option(
            help="Store that the model was trained on (helio data import). Without it, the uncertainty that the model "
            "has is compared with its errors on the structures held out, and nothing is written but the plot."
        ),
    ] = None,
    held_out: Annotated[
        Path | None,
        typer.Option(help="Store that it was not trained on; default: the part of DATA that helio train kept."),
    ] = None,
    validation: Annotated[
        float, typer.Option(min=0, help="What helio train kept of DATA: the setting validation of that training.")
    ] = 0.05,
    weak: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=STORE",
            help="Store of structures in which the model fails, with their name in messages: they raise the flag of "
            "extrapolation. Without DATA the uncertainty that the model has stays as it is. Once for each kind.",
        ),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Model file to write, with the uncertainty.")] = None,
    plot: Annotated[
        Path | None, typer.Option(help="Figure to draw (.png, .pdf, .svg); default: OUT with .png.", show_default=False)
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace files that exist.")] = False,
    structures: Annotated[int, typer.Option(min=1, help="Of DATA, drawn at random: the most that are used.")] = 5000,
    held_out_structures: Annotated[int, typer.Option(min=10, help="Likewise of those held out.")] = 500,
    weight: Annotated[
        list[str] | None,
        typer.Option(
            metavar="LABEL=NUMBER",
            help="Weights of energy, forces and atomic_energies in the loss that the model was trained with; default: "
            "1 for each.",
        ),
    ] = None,
    members: Annotated[int, typer.Option(min=1, help="Of the ensemble of last layers that forces are told by.")] = 16,
    level: Annotated[str | None, typer.Option(help="Level of theory of a model that has several.")] = None,
    long_range_cutoff: Annotated[
        float | None, typer.Option(min=1, help="In A, for periodic structures; by default 12.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of all that is drawn.")] = 0,
) -> None:
    """Give a model an uncertainty of its energies and forces, and compare it with the errors on structures held out.

    The model is not trained: its last layer's rigidity follows from the data it was trained on.
    """
    plot = plot or (None if out is None else out.with_suffix(".png"))
    _check_files(data, held_out, weak, out, plot, overwrite=overwrite)
    from helio.cli.compiled import keep_compiled_programs

    keep_compiled_programs()
    from helio.evaluate.calibration import calibrate
    from helio.evaluate.uncertainty import check_uncertainty
    from helio.evaluate.weak_spots import with_weak_spots
    from helio.force_field import load_model
    from helio.force_field.long_range_cutoff import PERIODIC
    from helio.precision import numerics
    from helio.report.uncertainty import plot_reliability, reliability_table

    weights = _weights(weight or [])
    cutoff = long_range_cutoff or PERIODIC
    force_field = load_model(model, level=level, kernels="plain").astype("float32")
    fitted, kept = _chosen(data, held_out, validation, structures, held_out_structures, seed)
    with numerics("float32"), _live() as report:
        if fitted is None:
            if force_field.uncertainty is None:
                raise HelioError(f"the model {model} has no uncertainty to compare: give --data to make one")
            check = check_uncertainty(force_field, kept, long_range_cutoff=cutoff, report=report)
        else:
            force_field, check = calibrate(
                force_field,
                fitted,
                kept,
                weights=weights,
                members=members,
                long_range_cutoff=cutoff,
                seed=seed,
                report=report,
            )
        rates = None
        if weak:
            force_field, rates = with_weak_spots(
                force_field, kept, _cases(weak), long_range_cutoff=cutoff, report=report
            )
    assert force_field.uncertainty is not None
    from rich.console import Console

    Console().print(reliability_table(check))
    limit = force_field.uncertainty.limit
    beyond = int((check.largest > limit).sum())
    typer.echo(f"Limit for an atom: {limit:.3g} eV/A; {beyond} of {len(check.largest)} structures are beyond it")
    if rates is not None:
        shares = ", ".join(f"{100 * share:.3g} % of {name}" for name, share in rates.cases.items())
        typer.echo(f"Known as weak: {shares}; taken for such: {100 * rates.held_out:.2g} % of the structures held out")
    if plot is not None:
        plot_reliability(plot, check, title=f"{Path(model).stem} on {kept.store.path.name}")
        typer.echo(f"Figure: {plot}")
    if out is not None:
        _save(force_field, model, level, out)
        typer.echo(f"Model: {out}")


def _save(force_field, model: str, level: str | None, out: Path) -> None:
    """The model at its level of theory alone, since its uncertainty is of this one."""
    from helio.force_field import read_model_info, save_model
    from helio.force_field.registry import model_path

    info = read_model_info(model_path(model)).info
    kept = info.at(level)
    if len(info.levels) > 1:
        typer.echo(f"Of the levels of theory {', '.join(info.levels)} only {', '.join(kept.levels)} is kept")
    save_model(force_field, out, kept)


def _chosen(
    data: Path | None, held_out: Path | None, validation: float, structures: int, held_out_structures: int, seed: int
) -> tuple[Chosen | None, Chosen]:
    """Structures to fit to, if any, and those to compare with; drawn at random where there are more than wanted."""
    import numpy as np

    from helio.datasets.store import Store
    from helio.evaluate.uncertainty import Chosen
    from helio.train.split import split_store

    def drawn(store: Store, indices: np.ndarray, most: int) -> Chosen:
        return Chosen(store, np.sort(np.random.default_rng(seed).permutation(indices)[:most]))

    fitted, store = None, None if data is None else Store(data)
    if store is not None:
        indices, kept = np.arange(len(store)), np.arange(0)
        if held_out is None:  # as a training divides it by default
            indices, kept = split_store(store, train=None, validation=validation, seed=0)
        fitted = drawn(store, indices, structures)
    if held_out is not None:
        store = Store(held_out)
        kept = np.arange(len(store))
    assert store is not None
    if len(kept) < 2:
        raise HelioError(f"{store.path} leaves {len(kept)} structures to compare with: give a store with --held-out")
    return fitted, drawn(store, kept, held_out_structures)


def _cases(words: list[str]) -> dict[str, Chosen]:
    """Stores by name, from NAME=STORE."""
    import numpy as np

    from helio.datasets.store import Store
    from helio.evaluate.uncertainty import Chosen

    cases = {}
    for word in words:
        name, _, path = word.partition("=")
        if not name.strip() or not path or name.strip() in cases:
            raise HelioError(f"--weak is NAME=STORE, once for each name, as in nucleobases=stacks.h5, not {word}")
        store = Store(path)
        cases[name.strip()] = Chosen(store, np.arange(len(store)))
    return cases


def _weights(given: list[str]) -> dict[str, float]:
    from helio.uncertainty.rigidity import LABELS

    if not given:
        return dict.fromkeys(LABELS, 1.0)
    weights = {}
    for word in given:
        name, _, number = word.partition("=")
        try:
            weights[name] = float(number)
        except ValueError:
            raise HelioError(f"--weight is LABEL=NUMBER, as in forces=10, not {word}") from None
        if name not in LABELS or not 0 <= weights[name] < float("inf"):
            raise HelioError(f"--weight takes {', '.join(LABELS)} and numbers from 0, not {word}")
    return weights


def _check_files(
    data: Path | None,
    held_out: Path | None,
    weak: list[str] | None,
    out: Path | None,
    plot: Path | None,
    *,
    overwrite: bool,
) -> None:
    if data is None and held_out is None:
        raise HelioError("give --data, the store that the model was trained on, or --held-out to compare with")
    if (data is None and not weak) != (out is None):
        raise HelioError(
            "--data and --out belong together (or --weak and --out): a fit is written to a model file, a comparison "
            "is not"
        )
    for path in (out, plot):
        if path is not None and path.exists() and not overwrite:
            raise HelioError(f"{path} exists; give another name or --overwrite")
    if plot is not None:
        from helio.report.parity import check_format

        check_format(plot)


@contextmanager
def _live() -> Iterator[Callable[[str, int, int], None]]:
    """What is going on, on one line that changes; elsewhere than on a terminal a line now and then."""
    if not sys.stdout.isatty():
        show = _timed()
        last = [-_PLAIN_PERIOD]

        def plain(what: str, done: int, total: int) -> None:
            line, now = show(what, done, total), time.monotonic()
            if now - last[0] >= _PLAIN_PERIOD or done == total:
                last[0] = now
                print(line, flush=True)

        yield plain
        return
    from rich.live import Live
    from rich.text import Text

    show = _timed()
    with Live(Text("Preparing and compiling ..."), refresh_per_second=4, transient=True) as live:
        yield lambda what, done, total: live.update(Text(show(what, done, total)))


def _timed() -> Callable[[str, int, int], str]:
    """The line for a stage, with its rate and the time that is left of it."""
    from helio.cli.progress import clock

    began: dict[str, float] = {}

    def line(what: str, done: int, total: int) -> str:
        seconds = time.monotonic() - began.setdefault(what, time.monotonic())
        text = f"{100 * done / max(1, total):5.1f} %  {what}  {done:,}/{total:,} structures"
        if done == 0 or seconds == 0:
            return text
        return f"{text}  {done / seconds:.1f} per s  {clock(seconds * (total - done) / done)} left"

    return line

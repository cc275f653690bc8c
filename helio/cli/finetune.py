"""`helio finetune`: a model adapted to structures of one's own."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from helio.cli.paths import check_inputs

# The published loss, and energies; labels that the store does not have count nothing.
_WEIGHTS = {"energy": 1.0, "forces": 10.0, "dipole": 1.0, "hirshfeld_ratios": 1.0}


def finetune(
    data: Annotated[Path, typer.Argument(metavar="STORE", help="Labelled structures, from helio data import.")],
    model: Annotated[str, typer.Option("--model", "-m", help="Name of a model or path of a model file.")] = "so3lr",
    level: Annotated[str | None, typer.Option(help="Level of theory of a model that has several.")] = None,
    per_level: Annotated[
        bool,
        typer.Option(
            "--per-level", help="Heads for the data's level of theory beside those of the model and of the replay."
        ),
    ] = False,
    out: Annotated[Path, typer.Option(help="Run folder to make.")] = Path("finetuning"),
    part: Annotated[
        list[str] | None,
        typer.Option(
            help="PART or PART=FACTOR: train this part, its learning rate multiplied; repeatable. Parts: embedding, "
            "layer-1 ..., first-layer, last-layer, energy-head, charge-head, hirshfeld-head, zbl, layers, heads, rest."
        ),
    ] = None,
    lora_rank: Annotated[int | None, typer.Option(min=1, help="Low-rank changes of matrices alone.")] = None,
    replay: Annotated[
        Path | None, typer.Option(help="Store of other structures, on which the model is to stay as it is.")
    ] = None,
    replay_share: Annotated[float, typer.Option(help="Share of batches from that store; 0 only measures.")] = 0.3,
    train: Annotated[int | None, typer.Option(min=1, help="Structures to train on; default: all but 10 %.")] = None,
    group_by: Annotated[
        str | None,
        typer.Option(help="Structures that stay together in the division: group, source, formula, none or block:100."),
    ] = None,
    steps: Annotated[int, typer.Option(min=1, help="Batches to take.")] = 2000,
    learning_rate: Annotated[float, typer.Option(help="The highest.")] = 5e-4,
    batch: Annotated[int, typer.Option(min=1, help="Structures per batch.")] = 8,
    name: Annotated[str | None, typer.Option(help="Of the new model; default: that of the store.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an earlier run in the folder.")] = False,
) -> None:
    """Adapt a model to labelled structures; say what this gained on held-out ones and lost on others.

    Ctrl-C stops cleanly and `helio resume` goes on. `settings.yaml` in the run folder holds all that `helio train`
    needs for the same.
    """
    check_inputs([data], "store")
    from helio.cli.compiled import keep_compiled_programs

    keep_compiled_programs()
    from helio.packages import need

    need("optax", extra="train")
    from helio.cli.train import carry_out
    from helio.datasets.store import Store
    from helio.settings.checking import checked
    from helio.train.run import train_model
    from helio.train.settings import TrainSettings
    from helio.train.setup import division

    store, tenth = Store(data), max(1, steps // 10)
    values: dict[str, Any] = {
        "data": os.path.realpath(data),
        "start": str(Path(model).resolve()) if Path(model).is_file() else model,
        "start_level": level,
        "heads": "per-level" if per_level else "one",
        "parts": dict(_part(text) for text in part or []),
        "lora_rank": lora_rank,
        "train": train,
        "group_by": group_by,
        "validation": 0.1 if train is None else max(0, min(500, len(store) - train)),
        "structures_per_batch": batch,
        "loss": {label: weight if store.known(label).any() else 0.0 for label, weight in _WEIGHTS.items()},
        "optimiser": "adam",
        "learning_rate": learning_rate,
        "final_learning_rate": 0.01 * learning_rate,
        "decay": "cosine",
        "warmup_updates": min(50, steps // 10),
        "averaging": 0.99,
        "steps": steps,
        "log_every": min(50, tenth),
        "validate_every": tenth,
        "checkpoint_every": tenth,
        "name": name or data.stem,
        "citation": f"fine-tuned from {model}",
    }
    if replay is not None:
        values |= {"replay": os.path.realpath(replay), "replay_share": replay_share}
    settings = checked(TrainSettings, values)
    typer.echo(division(settings))
    carry_out(partial(train_model, settings, out, overwrite=overwrite), out)


def show_changes(folder: Path) -> None:
    """Print the errors before and after a fine-tuning, and what of the start is no longer true."""
    from rich.console import Console

    from helio.evaluate.finetuning import compare_with_start, start_is_calibrated
    from helio.report.finetuning import change_table

    changes = compare_with_start(folder)
    if changes:
        Console().print(change_table(changes))
    if start_is_calibrated(folder):
        typer.echo(
            "The uncertainty of the start belongs to its weights and is left out: "
            f"helio calibrate {folder / 'model.safetensors'} --data STORE makes one for the new model"
        )


def _part(text: str) -> tuple[str, float]:
    from helio.errors import HelioError

    name, given, factor = text.partition("=")
    try:
        return name.strip(), float(factor) if given else 1.0
    except ValueError:
        raise HelioError(f"--part must look like heads or heads=0.5, not {text!r}") from None

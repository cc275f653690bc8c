"""`helio bench`: the speed of a model on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from helio.errors import HelioError

if TYPE_CHECKING:
    from helio.bench import Measurement

EPILOG = (
    "Examples: helio bench; helio bench water-512 hexane --model helio-s --out bench.json; "
    "helio bench --gpu-proof --out gpu"
)
_DEFAULT = ["hexane", "water-64", "water-512", "water-1728"]


def bench(
    cases: Annotated[
        list[str] | None,
        typer.Argument(help="hexane, water-64, water-512, water-1728 or water-8000; default: all but the last."),
    ] = None,
    model: Annotated[str, typer.Option("--model", "-m", help="Name of a model or a model file.")] = "so3lr",
    plain: Annotated[
        bool, typer.Option("--plain/--no-plain", help="Measure without compiled operations, too, to compare.")
    ] = True,
    precision: Annotated[str, typer.Option(help="float32 or float64.")] = "float32",
    out: Annotated[Path | None, typer.Option(help="Write all numbers to this JSON file.")] = None,
    gpu_proof: Annotated[
        bool,
        typer.Option(
            "--gpu-proof",
            help="Prove the GPU instead, in ten minutes at most: compiled and plain paths are equal, resume is exact, "
            "time and memory from 22 atoms to the most that fit. Writes gpu-proof.json into the folder --out.",
        ),
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the file if it exists.")] = False,
) -> None:
    """Measure dynamics of standard systems: time per step, ns/day, memory, and what a step is made of."""
    if gpu_proof:
        _prove_gpu(cases, model, out)
        return
    if out and out.exists() and not overwrite:
        raise HelioError(f"{out} exists already: choose another file or give --overwrite")
    from helio.bench import CASES, measure
    from helio.force_field import load_model
    from helio.precision import check_precision

    chosen = cases or _DEFAULT
    for case in chosen:
        if case not in CASES:
            raise HelioError(f"there is no case {case}: those known are {', '.join(CASES)}")
    check_precision(precision)
    load_model(model)  # fetched, or an error, before anything is measured
    typer.echo(f"{precision}; kernels of each case: compiled, unless its line says plain")
    typer.echo(f"{'case':12}{'atoms':>7}{'us/atom':>9}{'steps/s':>9}{'ns/day':>8}{'compile':>9}{'memory':>9}", nl=False)
    typer.echo("  network  long-range  lists  rest" + ("   plain  ratio" if plain else ""))
    rows = []
    for case in chosen:
        fast = _alone(measure, case, model, "auto", precision)
        slow = _alone(measure, case, model, "plain", precision) if plain and fast.kernels == "compiled" else None
        typer.echo(_line(fast, slow))
        rows += [fast] if slow is None else [fast, slow]
    if out:
        _write(out, model, rows)


def _prove_gpu(cases: list[str] | None, model: str, out: Path | None) -> None:
    if cases:
        raise HelioError("--gpu-proof has systems of its own: leave out the cases")
    if out is None:
        raise HelioError("--gpu-proof writes several files: give a folder with --out")
    if out.exists() and not (out.is_dir() and not any(out.iterdir())):
        raise HelioError(f"{out} exists already and is no empty folder: choose another with --out")
    from helio.gpu_proof import check_gpu, find_model, prove

    device = check_gpu()
    typer.echo(f"{device['kind']}; results go to {out / 'gpu-proof.json'}")
    record = prove(out, model=find_model(model), device=device, say=typer.echo)
    if not record["passed"]:
        raise HelioError(f"the GPU is not proven: a check failed or was skipped; see {out / 'gpu-proof.json'}")
    typer.echo("Proven: compiled and plain paths are equal, and resume is exact")


def _alone(measure: Any, *arguments: str) -> Measurement:
    """Measured in a process of its own, so that each has its own memory and compiles for itself."""
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor

    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        case, model, kernels, precision = arguments
        return pool.submit(measure, case, model, kernels=kernels, precision=precision).result()


def _line(fast: Measurement, slow: Measurement | None) -> str:
    text = f"{fast.case:12}{fast.atoms:7d}{fast.microseconds_per_atom:9.1f}{fast.steps_per_second:9.1f}"
    text += f"{fast.ns_per_day:8.3g}{fast.compile_seconds:7.1f} s{fast.memory_bytes / 2**20:5.0f} MiB"
    for name, width in (("network", 7), ("long-range", 10), ("lists", 5), ("rest", 4)):
        text += f"{100 * fast.shares[name]:{width}.0f} %"
    if slow is not None:
        ratio = slow.microseconds_per_atom / fast.microseconds_per_atom
        text += f"{slow.microseconds_per_atom:8.1f}{ratio:7.1f}"
    return text + ("   plain: helio doctor says why" if fast.kernels == "plain" else "")


def _write(out: Path, model: str, rows: list[Measurement]) -> None:
    import json
    import os
    import platform
    from dataclasses import asdict
    from datetime import date

    import jax

    from helio import __version__
    from helio.devices import available_devices
    from helio.files.atomic import write_text

    record = {
        "date": date.today().isoformat(),
        "model": model,
        "helio": __version__,
        "jax": jax.__version__,
        "machine": platform.machine(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "device": available_devices()[0].device_kind,
        "rows": [asdict(row) for row in rows],
    }
    write_text(out, json.dumps(record, indent=2) + "\n")

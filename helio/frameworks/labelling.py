"""Labels for the frameworks of a store, by worker processes; what was found is kept when the work is cut off.

Every result, and every failure with its reason, is a line of `STORE.labels.jsonl` the moment it is known. Begun again
with the same settings, only what has no line is computed. At the end all results go into the store.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from helio.errors import HelioError
from helio.files.atomic import disk_errors
from helio.files.json_text import parse_object
from helio.files.regular_file import read_text
from helio.frameworks.adsorption import CHARGES, adsorption_labels
from helio.frameworks.crystal import Crystal, crystal_of
from helio.frameworks.henry import henry_labels
from helio.frameworks.pores import pore_labels
from helio.frameworks.store import FrameworkStore, StoreContent, read_content
from helio.frameworks.store_writer import write_store
from helio.frameworks.workers import Failure, run_jobs
from helio.packages import need

KINDS = ("pores", "adsorption", "capacity", "henry")


@dataclass
class LabelSummary:
    """How many frameworks were to be labelled, have labels now, and failed for which reason."""

    wanted: int
    labelled: int
    failures: dict[str, str]
    computed: int  # in this call


def label_store(
    path: str | Path,
    *,
    kind: str = "adsorption",
    charges: str = "eqeq",
    count: int | None = None,
    cycles: int = 2000,
    equilibration: int = 2000,
    seed: int = 0,
    workers: int = 1,
    limit_s: float = 36_000.0,
    retry: bool = False,
    report: Callable[[int, int], None] = lambda done, of: None,
) -> LabelSummary:
    """Label frameworks, or go on with it.

    Args:
        path: of the store.
        kind: `pores` (Zeo++), `adsorption` (GCMC), `capacity` (GCMC of carbon dioxide alone), or `henry` (Henry's law
            for carbon dioxide, by insertions).
        charges: of GCMC, `eqeq` or `none`; labels of either have names of their own, and a store can hold both.
        count: label so many, drawn at random by `seed`; None labels all. A larger count adds to those of a smaller.
        cycles: of GCMC, or of insertions.
        equilibration: cycles of GCMC before.
        seed: of the draw and of GCMC.
        workers: processes.
        limit_s: seconds for one framework.
        retry: try again what failed before.
        report: called with the number done and of all.

    Raises:
        HelioError: no such kind, charges or store, or a package is missing.
    """
    if kind not in KINDS:
        raise HelioError(f"frameworks are labelled with {', '.join(KINDS[:-1])} or {KINDS[-1]}, not {kind!r}")
    if charges not in CHARGES:
        raise HelioError(f"charges of frameworks are {' or '.join(CHARGES)}, not {charges!r}")
    settings: dict[str, Any] = {"kind": kind, "seed": seed}
    if kind != "pores":
        settings |= {"charges": charges, "cycles": cycles}
    if kind in ("adsorption", "capacity"):
        settings |= {"equilibration": equilibration}
    need("pyzeo" if kind == "pores" else "lammps_interface", extra="frameworks")
    record = Path(f"{path}.labels.jsonl")
    with FrameworkStore(path) as store:
        names = [store.names()[i] for i in np.random.default_rng(seed).permutation(len(store))[:count]]
        known = {one["name"]: one for one in _lines(record) if one["settings"] == settings}
        left = [name for name in names if name not in known or (retry and "failure" in known[name])]
        jobs = ((name, crystal_of(store.framework(name), store.library), settings) for name in left)
        with disk_errors(record), record.open("a") as file:
            for done, ((name, *_), result) in enumerate(run_jobs(_label, jobs, workers=workers, limit_s=limit_s), 1):
                outcome = {"failure": result.reason} if isinstance(result, Failure) else {"labels": result}
                known[name] = {"name": name, "settings": settings} | outcome
                file.write(json.dumps(known[name]) + "\n")
                file.flush()
                report(len(names) - len(left) + done, len(names))
    found = {name: known[name]["labels"] for name in known if "labels" in known[name]}
    _merge(path, found)
    failures = {name: known[name]["failure"] for name in names if "failure" in known[name]}
    return LabelSummary(len(names), sum(name in found for name in names), failures, len(left))


def _label(job: tuple[str, Crystal, dict[str, Any]]) -> dict[str, float]:
    """In a worker."""
    _, crystal, settings = job
    if settings["kind"] == "pores":
        return pore_labels(crystal)
    chosen = {key: value for key, value in settings.items() if key != "kind"}
    if settings["kind"] == "henry":
        return henry_labels(crystal, **chosen)
    return adsorption_labels(crystal, nitrogen=settings["kind"] == "adsorption", **chosen)


def _lines(record: Path) -> Iterator[dict[str, Any]]:
    """What the record holds. A last line that was cut off is taken away, so that the next begins on a new one."""
    if not record.is_file():
        return
    whole, _, rest = read_text(record, "record of labels", max_bytes=2**31).rpartition("\n")
    if rest:
        record.write_text(whole + "\n" if whole else "")
    for number, line in enumerate(whole.splitlines(), 1):
        try:
            values = parse_object(line, "the line")
            if not isinstance(values.get("name"), str) or "settings" not in values:
                raise HelioError("it names no framework and settings")
            yield values
        except HelioError as error:
            raise HelioError(f"{record} is damaged in line {number}; remove the line to go on") from error


def _merge(path: str | Path, found: dict[str, dict[str, float]]) -> None:
    """Put labels into the store."""
    content = read_content(path)
    entries = []
    for entry in content.entries:
        new = found.get(entry.framework.name, {})
        entries.append(replace(entry, framework=replace(entry.framework, labels=entry.framework.labels | new)))
    write_store(path, StoreContent(content.library, entries, content.origin), overwrite=True)

"""A comparison as a record that is written to disk: plain numbers, scores over systems, and thinned curves."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from helio.coarse.evaluation.comparison import Comparison, SystemComparison
from helio.coarse.evaluation.curves import Curves, thinned
from helio.coarse.evaluation.estimate import Estimate
from helio.coarse.evaluation.properties import Property
from helio.coarse.evaluation.scores import Scores, scores
from helio.coarse.evaluation.speed import Speed
from helio.errors import HelioError
from helio.files.atomic import write_text
from helio.files.json_text import read_json

FORMAT, VERSION = "helio coarse evaluation", 1
FILE = "evaluation.json"
# In the order in which they are shown.
SOURCES = {
    "model": "model",
    "short": "short simulation",
    "mean": "mean of the known",
    "regression": "regression",
    "embedding": "from embedding",
}


def record_of(comparison: Comparison, speed: Speed, settings: dict[str, Any]) -> dict[str, Any]:
    """Everything that tables, figures and the page show, as JSON knows it: what is not a number is None."""
    record = {
        "format": FORMAT,
        "version": VERSION,
        "settings": settings,
        "length_unit": comparison.length_unit,
        "time_unit": comparison.time_unit,
        "gyration": comparison.gyration,
        "known_systems": comparison.known,
        "short_time": comparison.short_time,
        "properties": [_property(comparison, wanted) for wanted in comparison.properties],
        "distances": _distances(comparison.systems),
        "systems": {system.name: _system(system) for system in comparison.systems},
        "speed": speed_record(speed, len(comparison.systems)),
    }
    return _plain(record)


def write_record(path: str | Path, record: dict[str, Any]) -> None:
    """Write it as JSON."""
    write_text(path, json.dumps(record, indent=1, allow_nan=False) + "\n")


def read_record(path: str | Path) -> dict[str, Any]:
    """Read it; raises `HelioError` for another file."""
    record = read_json(path, "evaluation")
    if not isinstance(record, dict) or record.get("format") != FORMAT or record.get("version") != VERSION:
        raise HelioError(f"{path} is no evaluation of this version of Helio: `helio coarse evaluate` makes one")
    return record


def speed_record(speed: Speed, systems: int) -> dict[str, Any]:
    """What was measured and what follows from it."""
    return {
        **vars(speed),
        "systems": systems,
        "core_seconds": speed.core_seconds,
        "rate": speed.rate,
        "gain": speed.gain,
        "gain_with_start": speed.gain_with_start,
        "investment": speed.investment,
        "pays_after": speed.pays_after,
        "equal_cost": speed.equal_cost(systems),
    }


def _property(comparison: Comparison, wanted: Property) -> dict[str, Any]:
    name = wanted.name
    systems = [system for system in comparison.systems if name in system.reference]
    exact = bool(systems) and all(name in system.exact for system in systems)
    truth = np.array([(s.exact if exact else s.reference)[name].value for s in systems])
    rows = _rows(comparison, systems, name)
    nothing = Estimate(math.nan, math.nan)
    return {
        **vars(wanted),
        "against": "closed form" if exact else "simulation",
        "systems": {
            system.name: {
                "reference": list(system.reference[name]),
                "exact": system.exact[name].value if name in system.exact else None,
                "model": [list(found.get(name, nothing)) for found in system.model],
                "short": [list(found.get(name, nothing)) for found in system.short],
                "mean": comparison.mean[name],
                "regression": comparison.regression[name].get(system.name),
                "embedding": comparison.embedding[name].get(system.name),
            }
            for system in systems
        },
        "scores": {source: _scores(values, truth, log=wanted.log) for source, values in rows.items() if len(values)},
    }


def _rows(comparison: Comparison, systems: Sequence[SystemComparison], name: str) -> dict[str, np.ndarray]:
    """Predictions (R, S) of each source; those with fewer rows for some systems have their common number of rows."""

    def several(all_found: list[list[dict[str, Estimate]]]) -> np.ndarray:
        rows = min((len(found) for found in all_found), default=0)
        nothing = Estimate(math.nan, math.nan)
        return np.array([[found[row].get(name, nothing).value for found in all_found] for row in range(rows)])

    def one(found: dict[str, float]) -> np.ndarray:
        return np.array([[found[system.name] for system in systems]]) if found else np.empty((0, 0))

    return {
        "model": several([system.model for system in systems]),
        "short": several([system.short for system in systems]),
        "mean": np.full((1, len(systems)), comparison.mean[name]),
        "regression": one(comparison.regression[name]),
        "embedding": one(comparison.embedding[name]),
    }


def _scores(rows: np.ndarray, truth: np.ndarray, *, log: bool) -> dict[str, Any]:
    """Scores of each row, averaged; on a logarithmic scale differences are in decades."""
    change = (lambda x: np.log10(np.where(x > 0, x, np.nan))) if log else np.asarray
    found = [scores(change(row), change(truth)) for row in rows]
    shown: dict[str, Any] = {"rows": len(found), "systems": min(one.systems for one in found)}
    for key in Scores._fields[:-1]:
        values, errors = np.array([getattr(one, key) for one in found], float).T
        spread = float(values.std(ddof=1)) if len(values) > 1 else math.nan
        shown[key] = {"value": float(values.mean()), "error": float(np.sqrt((errors**2).mean())), "spread": spread}
    return shown


def _distances(systems: Sequence[SystemComparison]) -> dict[str, dict[str, dict[str, float]]]:
    """By metric, source and system; means over roll-outs or short simulations."""
    found: dict[str, dict[str, dict[str, float]]] = {}
    for system in systems:
        for source, entries in system.distances.items():
            for metric in entries[0] if entries else ():
                mean = float(np.mean([entry[metric] for entry in entries if metric in entry]))
                found.setdefault(metric, {}).setdefault(source, {})[system.name] = mean
    return found


def _system(system: SystemComparison) -> dict[str, Any]:
    edges = system.histogram_edges
    return {
        "groups": system.groups,
        "time": system.time,
        "rolled_time": system.rolled_time,
        "stable": system.stable,
        "histogram_edges": None if edges is None else edges.tolist(),
        "curves": {source: _curves(curves) for source, curves in system.curves.items()},
    }


def _curves(curves: Curves) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if curves.histogram is not None:
        found["histogram"] = curves.histogram.tolist()
    if curves.lags is not None and curves.correlation is not None:
        found["correlation"] = thinned(curves.lags, curves.correlation)
    if curves.contacts is not None and curves.contacts.size <= 2500:
        found["contacts"] = curves.contacts.round(4).tolist()
    found["pairs"] = {name: thinned(pair.r, pair.g) for name, pair in curves.pairs.items()}
    found["squares"] = {kind: thinned(*curve) for kind, curve in curves.squares.items()}
    return found


def _plain(value: Any) -> Any:
    """JSON knows no NaN."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value

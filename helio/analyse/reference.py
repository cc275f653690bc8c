"""Numbers from elsewhere to draw along: an experiment, another force field."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from helio.analyse.observable import Curve, Observable, Value
from helio.errors import HelioError


def read_reference(path: str | Path) -> tuple[np.ndarray, np.ndarray]:
    """Read x and y from a file of two (or more) columns, divided by blanks or commas; other lines are skipped.

    Raises:
        HelioError: there is no such file, or fewer than two rows of two numbers in it.
    """
    path = Path(path)
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError as error:
        raise HelioError(f"the reference {path} cannot be read: {error.strerror}") from error
    rows = [row for line in lines if (row := _numbers(line)) is not None]
    if len(rows) < 2:
        raise HelioError(f"the reference {path} does not hold two columns of numbers")
    x, y = np.array(rows).T
    order = np.argsort(x, kind="stable")
    return x[order], y[order]


def with_reference(observable: Observable, path: str | Path, *, curve: str | None = None) -> Observable:
    """The observable with the curve of a file beside one of its own, and how far the two are apart.

    The distance is the mean of |y - reference| over the points of the curve that lie within the reference.

    Args:
        observable: one with curves.
        path: of two columns in the units of the curve (`read_reference`).
        curve: name of the curve it belongs to; by default the first.

    Raises:
        HelioError: there is no such curve, or the file is unreadable or beside the range of the curve.
    """
    names = [one.name for one in observable.curves if not one.reference]
    if not names:
        raise HelioError(f"{observable.name} has no curve to compare with a reference")
    if curve is not None and curve not in names:
        raise HelioError(f"{observable.name} has no curve {curve!r} to compare; its curves: {', '.join(names)}")
    mine = observable.curve(curve or names[0])
    x, y = read_reference(path)
    inside = (mine.x >= x[0]) & (mine.x <= x[-1])
    if inside.sum() < 2:
        raise HelioError(
            f"the reference {path} goes from {x[0]:g} to {x[-1]:g}, beside the curve {mine.name} ({mine.x_label} from "
            f"{mine.x[0]:g} to {mine.x[-1]:g})"
        )
    difference = np.abs(mine.y - np.interp(mine.x, x, y))[inside]
    errors = np.zeros(len(mine.x)) if mine.error is None else np.nan_to_num(mine.error)
    name = f"{mine.name}, mean deviation from {Path(path).name}"
    # Errors of neighbouring points hang together: as if they all went the same way.
    deviation = Value(name, float(difference.mean()), float(errors[inside].mean()), _unit(mine.y_label))
    drawn = Curve(f"{mine.name}, {Path(path).name}", x, y, None, mine.x_label, mine.y_label, reference=True)
    return replace(observable, values=(*observable.values, deviation), curves=(*observable.curves, drawn))


def _numbers(line: str) -> tuple[float, float] | None:
    words = line.replace(",", " ").split()[:2]
    try:
        x, y = (float(word) for word in words)
    except ValueError:
        return None
    return (x, y) if np.isfinite([x, y]).all() else None


def _unit(label: str) -> str:
    """What stands in the last brackets of an axis' label, if that is a unit."""
    return label[label.rindex(" (") + 2 : -1] if label.endswith(")") and " (" in label else ""

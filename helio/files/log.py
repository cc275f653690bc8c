"""The log of a simulation: a CSV table that grows by rows and can be cut back to a step."""

from __future__ import annotations

import csv
from pathlib import Path

from helio.errors import HelioError, reason
from helio.files.atomic import disk_errors, write_text
from helio.files.regular_file import read_text

_MAX_BYTES = 2**31


class Log:
    """Rows of numbers under fixed column names, the first of which is `step`."""

    def __init__(self, path: Path, columns: list[str], *, last_step: int | None = None) -> None:
        """Begin a log, or go on with one, dropping the rows beyond `last_step` and any row that was cut off."""
        self.path = path
        kept = [",".join(columns)]
        if last_step is not None:
            kept += _rows_until(path, columns, last_step)
        write_text(path, "".join(line + "\n" for line in kept))
        with disk_errors(path):
            self._file = path.open("a", encoding="utf-8")

    def append(self, row: list[int | float]) -> None:
        """Add one row; it is on its way to the disk when this returns."""
        with disk_errors(self.path):
            self._file.write(",".join(f"{value}" for value in row) + "\n")
            self._file.flush()

    def close(self) -> None:
        """Close the file."""
        with disk_errors(self.path):
            self._file.close()


def _rows_until(path: Path, columns: list[str], last_step: int) -> list[str]:
    lines = read_text(path, "log", max_bytes=_MAX_BYTES, hint="without it the run cannot be resumed").split("\n")
    if lines[0].split(",") != columns:
        raise HelioError(f"{path} has other columns than this run writes; it was changed or belongs to another run")
    complete = [line for line in lines[1:-1] if line]  # what follows the last line feed was cut off
    try:
        return [line for line in complete if int(line.split(",", 1)[0]) <= last_step]
    except ValueError as error:
        raise HelioError(f"the log {path} is damaged: {reason(error)}") from None


def read_log(path: str | Path) -> dict[str, list[float]]:
    """The columns of a log by name, without a last row that is cut off.

    Raises:
        HelioError: there is none, or it holds anything but rows of numbers under their names.
    """
    lines = read_text(path, "log", max_bytes=_MAX_BYTES).splitlines(keepends=True)
    if not lines:
        return {}
    try:
        names = next(csv.reader(lines[:1]), [])
    except csv.Error as error:
        raise HelioError(f"the log {path} is damaged: its first line holds no names ({reason(error)})") from None
    rows: list[list[float]] = []
    for number, line in enumerate(lines[1:], start=2):
        if not line.endswith("\n") or not line.strip():
            continue
        try:
            row = [float(value) for value in line.split(",")]
        except ValueError as error:
            raise HelioError(f"the log {path} is damaged: line {number}: {reason(error)}") from None
        if len(row) != len(names):
            raise HelioError(f"the log {path} is damaged: line {number} has {len(row)} values for {len(names)} names")
        rows.append(row)
    return {name: [row[i] for row in rows] for i, name in enumerate(names)}

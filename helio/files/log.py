"""The log of a simulation: a CSV table that grows by rows and can be cut back to a step."""

from __future__ import annotations

import csv
from pathlib import Path

from helio.errors import HelioError
from helio.files.atomic import disk_errors, write_text


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
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except OSError as error:
        raise HelioError(f"{path} cannot be read ({error.strerror}); without it the run cannot be resumed") from None
    if lines[0].split(",") != columns:
        raise HelioError(f"{path} has other columns than this run writes; it was changed or belongs to another run")
    whole = lines[1:-1]  # what follows the last line feed was cut off
    return [line for line in whole if line and int(line.split(",", 1)[0]) <= last_step]


def read_log(path: str | Path) -> dict[str, list[float]]:
    """The columns of a log by name."""
    path = Path(path)
    if not path.exists():
        raise HelioError(f"there is no log {path}")
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    return {name: [float(row[i]) for row in rows[1:]] for i, name in enumerate(rows[0])}

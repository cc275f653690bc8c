"""SQLite files: opened only where they hold the tables that are expected and nothing that runs by itself."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

from helio.errors import HelioError, reason
from helio.files.regular_file import regular_file

# What reading a damaged file raises: SQLite itself, and Python for values that are of another type than they should be.
READING = (ArithmeticError, AttributeError, LookupError, MemoryError, sqlite3.Error, TypeError, ValueError)

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


def open_database(path: str | Path, columns: Mapping[str, tuple[str, ...]], *, what: str) -> sqlite3.Connection:
    """Open a database.

    Args:
        path: where it is.
        columns: names of the columns of each table that it must have.
        what: it is, in messages: "record of a campaign".

    Raises:
        HelioError: there is none, it is damaged, or holds other tables, or views and triggers: those are programs.
    """
    path = regular_file(path, what)
    base = sqlite3.connect(path, timeout=30)
    try:
        with reading_database(path, what=what):
            base.execute("PRAGMA trusted_schema = OFF")
            kinds = dict(base.execute("SELECT name, type FROM sqlite_master").fetchall())
            if odd := sorted(set(kinds.values()) - {"table", "index"}):
                raise ValueError(f"it holds a {odd[0]}")
            for table, names in columns.items():
                present = tuple(row[1] for row in base.execute(f"PRAGMA table_info({table})"))
                if present != names:
                    raise ValueError(f"its table {table} has the columns {', '.join(present)[:80] or 'none'}")
    except BaseException:
        base.close()
        raise
    return base


@contextmanager
def reading_database(path: Path, *, what: str) -> Iterator[None]:
    """Within the block a database is read: what cannot be read is damage, a `HelioError` about `path`."""
    try:
        yield
    except READING as error:
        raise HelioError(f"{path} is no {what}, or is damaged: {reason(error)}") from error


def guarded(method: Callable[Concatenate[Any, Arguments], Result]) -> Callable[Concatenate[Any, Arguments], Result]:
    """A method that reads or writes the database of its object, which has its `path` and says what it is (`WHAT`)."""

    @wraps(method)
    def read(self: Any, *args: Arguments.args, **settings: Arguments.kwargs) -> Result:
        with reading_database(self.path, what=self.WHAT):
            return method(self, *args, **settings)

    return read

"""Checks of paths by the standard library alone, so that a mistake is told before anything heavy loads."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from helio.errors import HelioError


def check_inputs(paths: Iterable[Path | None], what: str = "file") -> None:
    """Raise `HelioError` for the first path that is not there; None stands for an option that was not given."""
    for path in paths:
        if path is not None and not _exists(path):
            raise HelioError(f"there is no {what} {path}")


def check_new_file(path: Path | None, *, overwrite: bool) -> None:
    """Raise `HelioError` where an output file exists, or its folder does not."""
    if path is None:
        return
    if path.is_dir():
        raise HelioError(f"{path} is a folder; give the name of a file")
    if _exists(path) and not overwrite:
        raise HelioError(f"{path} exists; give another name or --overwrite")
    if not path.parent.is_dir():
        raise HelioError(f"the folder {path.parent} does not exist; create it or choose another")


def check_new_run(path: Path, *, overwrite: bool) -> None:
    """Raise `HelioError` where the folder of a new run is a file, or holds anything that is not to be replaced."""
    if path.is_file():
        raise HelioError(f"{path} is a file; give another folder with --out")
    if not overwrite and _exists(path) and any(entry.name != "lock" for entry in path.iterdir()):
        raise HelioError(
            f"the folder {path} exists; continue that run with `helio resume {path}`, give another folder with --out, "
            "or replace it with --overwrite"
        )


def is_run_folder(path: Path) -> bool:
    """Whether the folder holds a run that has a state to go on from."""
    return (path / "settings.yaml").is_file() and (path / "checkpoint.npz").is_file()


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError as error:  # a name that is too long, a folder that may not be searched
        raise HelioError(f"{str(path)[:100]} cannot be looked up: {error.strerror}") from None

"""Compiled programs kept on disk, so that a second run starts at once."""

from __future__ import annotations

import hashlib
import os
import platform
import stat
from contextlib import suppress
from pathlib import Path

import typer

from helio.errors import HelioError
from helio.files.atomic import make_folder
from helio.files.cache import cache_folder


def keep_compiled_programs() -> None:
    """Let JAX keep compiled programs in Helio's cache folder; without a writable one every run compiles anew.

    They are loaded and run without a check: a folder that other users may write is not used, and that is said.
    """
    import jax

    with suppress(HelioError):
        folder = make_folder(cache_folder() / "compiled" / _processor())
        shared = [path for path in (cache_folder(), folder.parent, folder) if _others_may_write(path)]
        if shared:
            typer.echo(
                f"Warning: other users may write {shared[0]}; programs in it would run with your rights, so none are "
                "kept or taken from there: make it yours alone (chmod go-w), or choose another folder with HELIO_CACHE",
                err=True,
            )
            return
        jax.config.update("jax_compilation_cache_dir", str(folder))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.5)


def _others_may_write(folder: Path) -> bool:
    """Whether a folder is open to all users, or belongs to one who is neither this one nor the administrator."""
    found = folder.stat()
    return bool(found.st_mode & stat.S_IWOTH) or found.st_uid not in (os.getuid(), 0)


def _processor() -> str:
    """A name for this kind of processor."""
    what = f"{platform.machine()} {platform.processor()}"
    with suppress(OSError):  # there only on Linux
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        what += "".join(sorted({line for line in lines if line.startswith(("flags", "Features", "model name"))}))
    return f"{platform.machine()}-{hashlib.sha256(what.encode()).hexdigest()[:12]}"

"""Compiled programs kept on disk, so that a second run starts at once."""

from __future__ import annotations

import hashlib
import platform
from contextlib import suppress
from pathlib import Path

from helio.errors import HelioError
from helio.files.atomic import make_folder
from helio.files.cache import cache_folder


def keep_compiled_programs() -> None:
    """Let JAX keep compiled programs in Helio's cache folder; without a writable one every run compiles anew."""
    import jax

    with suppress(HelioError):
        folder = make_folder(cache_folder() / "compiled" / _processor())
        jax.config.update("jax_compilation_cache_dir", str(folder))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.5)


def _processor() -> str:
    """A name for this kind of processor."""
    what = f"{platform.machine()} {platform.processor()}"
    with suppress(OSError):  # there only on Linux
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        what += "".join(sorted({line for line in lines if line.startswith(("flags", "Features", "model name"))}))
    return f"{platform.machine()}-{hashlib.sha256(what.encode()).hexdigest()[:12]}"

"""The folder for what can be fetched or computed again."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def cache_folder() -> Path:
    """HELIO_CACHE where it is set, else the folder that the system keeps for caches; it need not exist yet."""
    if chosen := os.environ.get("HELIO_CACHE"):
        return Path(chosen).expanduser()
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "helio"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "helio" / "cache"
    # https://specifications.freedesktop.org/basedir-spec: relative paths are invalid and ignored
    base = Path(os.environ.get("XDG_CACHE_HOME") or "")
    return (base if base.is_absolute() else Path.home() / ".cache") / "helio"

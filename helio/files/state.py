"""The folder for what Helio remembers about its user: it is kept when caches are emptied and lies in no run folder."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def state_folder() -> Path:
    """The folder that the system keeps for the state of programs; it need not exist yet."""
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "helio"
    # https://specifications.freedesktop.org/basedir-spec: relative paths are invalid and ignored
    base = Path(os.environ.get("XDG_STATE_HOME") or "")
    return (base if base.is_absolute() else Path.home() / ".local" / "state") / "helio"

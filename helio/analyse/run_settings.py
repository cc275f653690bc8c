"""What was asked of a run."""

from __future__ import annotations

from helio.analyse.frames import Frames
from helio.files.run_folder import RunFolder


def settings_of(frames: Frames) -> dict:
    """What was asked of a run; of a replica, what was asked of all of them. Empty for another trajectory."""
    if frames.run is None:
        return {}
    for folder in (frames.run.path, frames.run.path.parent):
        if (folder / "settings.yaml").exists():
            return RunFolder(folder).read_settings()
    return {}

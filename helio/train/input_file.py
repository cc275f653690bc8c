"""The settings file of a training."""

from __future__ import annotations

from pydantic import Field

from helio.settings.settings_file import SettingsFile
from helio.train.settings import TrainSettings


class TrainInput(TrainSettings):
    """What a settings file may hold; paths are relative to the file."""

    out: str = Field("training", description="run folder to make")


SETTINGS_FILE = SettingsFile(
    TrainInput,
    command="helio train",
    template_command="helio template train",
    needs="data: STORE",
    paths=("data", "validation_data", "replay"),
    paths_or_names=("start",),
    sections={
        "data": "Data",
        "heads": "Model",
        "replay": "Replay",
        "loss": "Loss",
        "optimiser": "Optimiser",
        "steps": "Length",
        "log_every": "Output",
    },
)

"""The settings file of a coarse training."""

from __future__ import annotations

from pydantic import Field

from helio.coarse.settings import CoarseTrainSettings
from helio.settings.settings_file import SettingsFile


class CoarseTrainInput(CoarseTrainSettings):
    """What a settings file may hold; paths are relative to the file."""

    out: str = Field("coarse-training", description="run folder to make")


SETTINGS_FILE = SettingsFile(
    CoarseTrainInput,
    command="helio coarse train",
    template_command="helio template coarse",
    needs="data: STORE",
    sections={
        "data": "Data",
        "network": "Model",
        "history_noise": "Disturbance of windows",
        "loss": "Loss",
        "learning_rate": "Optimiser",
        "steps": "Length",
        "log_every": "Output",
    },
)

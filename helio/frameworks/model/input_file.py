"""The settings file of the training of a generative model."""

from __future__ import annotations

from pydantic import Field

from helio.frameworks.model.settings import FrameworkTrainSettings
from helio.settings.settings_file import SettingsFile


class FrameworkTrainInput(FrameworkTrainSettings):
    """What a settings file may hold; paths are relative to the file."""

    out: str = Field("frameworks-training", description="run folder to make")


SETTINGS_FILE = SettingsFile(
    FrameworkTrainInput,
    command="helio frameworks train",
    template_command="helio frameworks template",
    needs="data: STORE",
    sections={
        "data": "Data",
        "encoder": "Model",
        "kl_weight": "Loss",
        "learning_rate": "Optimiser",
        "steps": "Length",
        "log_every": "Output",
    },
)

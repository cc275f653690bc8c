"""The force field: sum of the network and the physical terms, its derivatives, and its files.

In: a `System` and its `Neighbors`. Out: a `Prediction` in eV and A. Also how models are stored, found and converted,
and one system over many devices (`sharded`). Imports `network`, `physics`, `neighbors` and `files`.
"""

from helio.force_field.force_field import ForceField
from helio.force_field.levels import ManyLevels
from helio.force_field.model_file import ModelHeader, ModelInfo, read_model_info, save_model
from helio.force_field.registry import load_model
from helio.force_field.settings import ForceFieldSettings
from helio.long_range import Electrostatics

__all__ = [
    "Electrostatics",
    "ForceField",
    "ForceFieldSettings",
    "ManyLevels",
    "ModelHeader",
    "ModelInfo",
    "load_model",
    "read_model_info",
    "save_model",
]

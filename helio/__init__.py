"""Helio: atomistic simulation with pretrained SO3LR-type force fields.

The names below are loaded when they are first used, so that `import helio` is fast.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from helio.errors import HelioError
    from helio.force_field import ForceField, load_model
    from helio.interfaces.ase import HelioCalculator
    from helio.prediction import Prediction
    from helio.system import System

__version__ = "0.1.0"

__all__ = ["ForceField", "HelioCalculator", "HelioError", "Prediction", "System", "__version__", "load_model"]

_HOME = {
    "ForceField": "helio.force_field",
    "HelioCalculator": "helio.interfaces.ase",
    "HelioError": "helio.errors",
    "Prediction": "helio.prediction",
    "System": "helio.system",
    "load_model": "helio.force_field",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'helio' has no attribute {name!r}")
    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)

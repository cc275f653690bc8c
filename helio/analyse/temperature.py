"""The temperature that runs were held at."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from helio.analyse.frames import Frames
from helio.errors import HelioError
from helio.files.run_folder import RunFolder


def run_temperature(frames: Frames, temperature_K: float | None = None) -> tuple[float, str]:
    """The temperature in K, and a sentence that says where it is from.

    It is `temperature_K` if given, else what the run's thermostat was set to, else the mean in the run's log.

    Raises:
        HelioError: nothing says it, or it is no positive number.
    """
    if temperature_K is not None:
        if not temperature_K > 0:
            raise HelioError(f"the temperature must be positive, not {temperature_K:g} K")
        return temperature_K, f"Temperature: {temperature_K:g} K, as given."
    if (held := _thermostat(frames.run)) is not None:
        return held, f"Temperature: {held:g} K, that of the thermostat."
    if len(logged := frames.log.get("temperature_K", np.array([]))):
        mean = float(logged.mean())
        return mean, f"Temperature: {mean:.1f} K, the mean in the log."
    raise HelioError(f"nothing says at which temperature {frames.label} was made: give temperature_K=, in K")


def common_temperature(runs: Sequence[Frames], temperature_K: float | None = None) -> tuple[float, str]:
    """As `run_temperature` for several runs; `HelioError` if they differ by more than 1 %."""
    temperature, note = run_temperature(runs[0], temperature_K)
    for other in runs[1:]:
        if abs(run_temperature(other, temperature_K)[0] / temperature - 1) > 0.01:
            raise HelioError(
                f"{runs[0].label} and {other.label} are not of one temperature, so that their frames cannot be joined "
                "to one free energy: analyse them one by one"
            )
    return temperature, note


def _thermostat(run: RunFolder | None) -> float | None:
    """What the settings of a run, or of the run that it is a replica of, say; None if it has none or a course."""
    if run is None:
        return None
    home = run if run.settings.exists() else RunFolder(run.path.resolve().parent)
    if not home.settings.exists():
        return None
    settings = home.read_settings()
    if settings.get("ensemble") not in ("nvt", "npt"):
        return None
    value = settings.get("temperature")
    if home is not run and settings.get("replica_temperatures"):
        value = settings["replica_temperatures"][int(run.path.name.rsplit("-", 1)[1])]
    return float(value) if isinstance(value, int | float) else None

"""How long thermostats and barostats take to bring what they act on to its mean."""

from __future__ import annotations

from helio.analyse.frames import Frames
from helio.analyse.run_settings import settings_of

_BOX = ("density_g_per_cm3", "volume_A3", "cell_a_A", "cell_b_A", "cell_c_A")


def relaxation_ps(frames: Frames, column: str) -> float:
    """Time in ps in which the surroundings bring a column of a run's log back to its mean; 0 where none is known.

    Temperature and energies follow the thermostat. It acts on the kinetic energy, which holds about half of the heat
    that has to flow: Langevin's, whose friction gamma brings the kinetic energy alone back in 1 / (2 gamma), needs 1 /
    gamma, the others twice their relaxation time. The box follows the barostat, and so do energies at constant
    pressure, if it is the slower of the two.
    """
    asked = settings_of(frames)
    ensemble = asked.get("ensemble")
    if ensemble not in ("nvt", "npt"):
        return 0.0
    barostat = asked.get("pressure_relaxation_time", 0.0) / 1000 if ensemble == "npt" else 0.0
    if column in _BOX:
        return barostat
    if column in ("temperature_K", "kinetic_eV"):
        return _thermostat(asked)
    if column.endswith("_eV") and column != "conserved_eV":
        return max(_thermostat(asked), barostat)
    return 0.0


def _thermostat(asked: dict) -> float:
    chain = asked["ensemble"] == "npt" and asked.get("barostat") == "martyna-tobias-klein"
    if asked.get("thermostat", "langevin") == "langevin" and not chain:
        return 1 / asked.get("friction", 1.0)
    return 2 * asked.get("relaxation_time", 0.0) / 1000


def most_samples(length_ps: float, relaxation: float) -> float:
    """How many independent samples a stretch of that length holds at most, one for each two relaxation times in ps.

    A run that is not many times longer than they are shows too little of how slowly a quantity changes.
    """
    return length_ps / (2 * relaxation) if relaxation > 0 else float("inf")

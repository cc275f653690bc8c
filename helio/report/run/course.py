"""What the log says along time: numbers of each quantity, and whether it has come to rest."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from helio.analyse import Frames
from helio.analyse.statistics import equilibration, inefficiency, mean_and_error
from helio.report.run.settings import settings_of


@dataclass(frozen=True)
class Quantity:
    """A column of the log that is shown."""

    column: str
    title: str
    unit: str
    setting: str = ""  # what it should be, in the settings
    drawn: bool = True  # besides having its numbers in a table


QUANTITIES = (
    Quantity("potential_eV", "Potential energy", "eV"),
    Quantity("total_eV", "Total energy", "eV"),
    Quantity("conserved_eV", "Conserved quantity", "eV"),
    Quantity("temperature_K", "Temperature", "K", "temperature"),
    Quantity("pressure_bar", "Pressure", "bar", "pressure"),
    Quantity("density_g_per_cm3", "Density", "g/cm³"),
    Quantity("volume_A3", "Volume", "Å³"),
    Quantity("cell_a_A", "Cell, length a", "Å"),
    Quantity("cell_b_A", "Cell, length b", "Å"),
    Quantity("cell_c_A", "Cell, length c", "Å"),
    Quantity("force_uncertainty_eV_per_A", "Uncertainty of the least certain force", "eV/Å"),
)


@dataclass(frozen=True)
class Course:
    """A quantity along time."""

    quantity: Quantity
    times: np.ndarray  # (T,) ps
    values: np.ndarray  # (T,)
    target: np.ndarray | None  # (T,), what was asked for
    memory_ps: float = 0.0  # time in which the thermostat or barostat brings the quantity to its mean

    @cached_property
    def settled(self) -> int:
        """The row from which the quantity is taken to be in equilibrium."""
        return equilibration(self.values)[0] if len(self.values) >= 20 else 0

    @cached_property
    def mean(self) -> tuple[float, float]:
        """Mean and standard error from there on, which is that of the independent samples."""
        rest = self.values[self.settled :]
        mean, error = mean_and_error(rest)
        by_rows = len(rest) / inefficiency(rest)
        return mean, error * float(np.sqrt(by_rows / self.independent)) if self.independent > 0 else float("nan")

    @property
    def fluctuation(self) -> float:
        """Standard deviation from there on."""
        return float(np.std(self.values[self.settled :]))

    @cached_property
    def independent(self) -> float:
        """How many independent samples the rows from there on are worth.

        A run that is not many times longer than the time of its thermostat or barostat shows too little of how slowly
        the quantity changes: it holds one sample for each two of those times at most.
        """
        rest = self.values[self.settled :]
        samples = len(rest) / inefficiency(rest)
        if self.memory_ps <= 0:
            return samples
        return min(samples, float(self.times[-1] - self.times[self.settled]) / (2 * self.memory_ps))

    def slope(self, begin: int) -> tuple[float, float]:
        """Per ps, by least squares, from row `begin` on, and its standard error for correlated rows."""
        times, values = self.times[begin:], self.values[begin:]
        if len(values) < 4 or np.ptp(times) == 0:
            return float("nan"), float("nan")
        times = times - times.mean()
        spread = float(times @ times)
        slope = float(times @ values) / spread
        rest = values - values.mean() - slope * times
        return slope, float(np.sqrt(inefficiency(rest) * (rest @ rest) / (len(rest) - 2) / spread))

    def running_mean(self, share: float = 0.05) -> np.ndarray:
        """Means over windows of that share of the run about each row, shorter at the ends (T,)."""
        half = max(1, round(share * len(self.values) / 2))
        sums = np.concatenate([[0.0], np.cumsum(self.values)])
        rows = np.arange(len(self.values))
        low, high = np.maximum(rows - half, 0), np.minimum(rows + half + 1, len(rows))
        return (sums[high] - sums[low]) / (high - low)


def courses(frames: Frames) -> dict[str, Course]:
    """The quantities that a run's log has, by the names of their columns; empty without a log.

    A quantity that never changes, such as the volume of a fixed cell, is left out, and so are lengths of the cell that
    are those of another.
    """
    log = frames.log
    asked = settings_of(frames)
    found: dict[str, Course] = {}
    for quantity in (*QUANTITIES, *_terms(log)):
        if quantity.column not in log:
            continue
        values, times = log[quantity.column], log["time_ps"]
        known = np.isfinite(values)
        if known.sum() < 2 or np.ptp(values[known]) == 0:
            continue
        if quantity.column.startswith("cell_") and any(
            column.startswith("cell_") and np.array_equal(one.values, values[known]) for column, one in found.items()
        ):
            continue
        target = _target(asked, quantity, times[known])
        memory = _memory(asked, quantity.column)
        found[quantity.column] = Course(quantity, times[known], values[known], target, memory)
    return found


def _terms(log: dict[str, np.ndarray]) -> list[Quantity]:
    """The terms of the potential energy, and the kinetic energy."""
    known = {quantity.column for quantity in QUANTITIES}
    columns = [name for name in log if name.endswith("_eV") and name not in known and "uncertainty" not in name]
    return [Quantity(name, f"{name.removesuffix('_eV').capitalize()} energy", "eV", drawn=False) for name in columns]


def _memory(asked: dict, column: str) -> float:
    """Time in ps in which the surroundings bring a quantity back to its mean; 0 where nothing is known.

    A thermostat acts on the kinetic energy, which holds about half of the energy that it has to change: Langevin's of
    friction gamma in 1 / gamma, the others in twice their relaxation time.
    """
    ensemble = asked.get("ensemble")
    if column in ("density_g_per_cm3", "volume_A3") or column.startswith("cell_"):
        return asked.get("pressure_relaxation_time", 0.0) / 1000 if ensemble == "npt" else 0.0
    heat = column.endswith("_eV") and column != "conserved_eV"
    if ensemble not in ("nvt", "npt") or not (heat or column == "temperature_K"):
        return 0.0
    if asked.get("thermostat", "langevin") == "langevin":
        return 1 / asked.get("friction", 1.0)
    return 2 * asked.get("relaxation_time", 0.0) / 1000


def _target(asked: dict, quantity: Quantity, times: np.ndarray) -> np.ndarray | None:
    """What the settings ask for at these times, where the ensemble controls the quantity."""
    controlled = {"temperature": ("nvt", "npt"), "pressure": ("npt",)}.get(quantity.setting, ())
    if asked.get("ensemble") not in controlled or len(asked.get("replica_temperatures") or ()) > 0:
        return None
    value = asked[quantity.setting]
    if isinstance(value, int | float):
        return np.full(len(times), float(value))
    points = np.array(value, float)
    return np.interp(times, points[:, 0], points[:, 1])

"""What the log says along time: numbers of each quantity, and whether it has come to rest."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise

import numpy as np

from helio.analyse import Frames
from helio.analyse.relaxation import most_samples, relaxation_ps
from helio.analyse.run_settings import settings_of
from helio.analyse.series import Equilibrated, equilibrated
from helio.analyse.statistics import inefficiency, student

_TERMS = {"zbl_eV": "ZBL"}
_LINE = 2  # numbers that a line takes from a series


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
    relaxation_ps: float = 0.0  # time in which thermostat or barostat bring the quantity to its mean

    @cached_property
    def _part(self) -> Equilibrated:
        return equilibrated(self.values, self.times, relaxation=self.relaxation_ps)

    @property
    def boxed(self) -> bool:
        """Whether it is the box, which the barostat moves."""
        return self.quantity.unit in ("g/cm³", "Å³", "Å")

    @property
    def settled(self) -> int:
        """The row from which the quantity is taken to be in equilibrium."""
        return self._part.begin

    @property
    def mean(self) -> tuple[float, float]:
        """Mean and standard error from there on; the error is NaN where there are no two independent samples."""
        return self._part.mean, self._part.error

    @property
    def fluctuation(self) -> float:
        """Standard deviation from there on."""
        return float(np.std(self.values[self.settled :]))

    @property
    def independent(self) -> float:
        """How many independent samples the rows from there on are worth."""
        return self._part.samples

    def slope(self, begin: int) -> tuple[float, float, float]:
        """Per ps, by least squares, from row `begin` on, its standard error, and how many samples that rests on.

        The error is NaN where the rows are not worth more than two independent samples beyond the two of the line.
        """
        times, values = self.times[begin:], self.values[begin:]
        if len(values) < 4 or np.ptp(times) == 0:
            return float("nan"), float("nan"), 0.0
        times = times - times.mean()
        spread = float(times @ times)
        slope = float(times @ values) / spread
        rest = values - values.mean() - slope * times
        g = inefficiency(rest)
        samples = min(len(rest) / g, most_samples(float(np.ptp(times)), self.relaxation_ps))
        if samples <= _LINE + 1:
            return slope, float("nan"), 0.0
        variance = (rest @ rest) / len(rest) * samples / (samples - _LINE)
        own = samples - _LINE + 1  # as of a mean, which takes one number
        return slope, float(np.sqrt(len(rest) / samples * variance / spread) * student(own)), own

    def goes_on(self, begin: int) -> bool:
        """Whether the slope from row `begin` on has one sign in each third: a slow wander has not, a drift has."""
        edges = np.linspace(begin, len(self.values), 4).astype(int)
        thirds = [replace(self, times=self.times[i:j], values=self.values[i:j]) for i, j in pairwise(edges)]
        signs = {np.sign(third.slope(0)[0]) for third in thirds}
        return signs in ({1.0}, {-1.0})

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
        relaxation = relaxation_ps(frames, quantity.column)
        found[quantity.column] = Course(quantity, times[known], values[known], target, relaxation)
    return found


def _terms(log: dict[str, np.ndarray]) -> list[Quantity]:
    """The terms of the potential energy, and the kinetic energy."""
    known = {quantity.column for quantity in QUANTITIES}
    columns = [name for name in log if name.endswith("_eV") and name not in known and "uncertainty" not in name]
    return [
        Quantity(name, f"{_TERMS.get(name, name.removesuffix('_eV').capitalize())} energy", "eV", drawn=False)
        for name in columns
    ]


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

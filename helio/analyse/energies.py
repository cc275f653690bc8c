"""What the log of a run holds along time: energies, temperature, pressure, box; and the drift of what is conserved."""

from __future__ import annotations

import numpy as np

from helio.analyse.analysis import Analysis
from helio.analyse.frames import Frames
from helio.analyse.observable import Curve, Observable, Value
from helio.analyse.relaxation import relaxation_ps
from helio.analyse.series import Equilibrated, drift, equilibrated, time_curves
from helio.analyse.statistics import FEW, FEW_NOTE
from helio.errors import HelioError

_WORDS = {
    "temperature_K": ("temperature", "K"),
    "potential_eV": ("potential energy", "eV"),
    "kinetic_eV": ("kinetic energy", "eV"),
    "total_eV": ("total energy", "eV"),
    "pressure_bar": ("pressure", "bar"),
    "density_g_per_cm3": ("density", "g/cm³"),
    "volume_A3": ("volume", "Å³"),
    "cell_a_A": ("cell a", "Å"),
    "cell_b_A": ("cell b", "Å"),
    "cell_c_A": ("cell c", "Å"),
}
_ENOUGH = 5.0  # independent samples; with fewer nobody can tell whether there is equilibrium


def energies(frames: Frames) -> Observable:
    """Means with errors of the columns of a run's log, their course, and the drift of the conserved quantity.

    Raises:
        HelioError: there is no log, or fewer than 10 rows of it are between the chosen times.
    """
    frames.need_log("time_ps", "potential_eV")
    log, times = frames.log, frames.log["time_ps"]
    if len(times) < 10:
        raise HelioError(
            f"the log of {frames.label} has too few rows for this analysis: {len(times)}, at least 10 are needed"
        )
    chosen = _chosen(log)
    parts = {column: equilibrated(log[column], times, relaxation=relaxation_ps(frames, column)) for column in chosen}
    values = [parts[column].value(words, unit, times) for column, (words, unit) in chosen.items()]
    curves = [
        c
        for column, (words, unit) in chosen.items()
        for c in time_curves(words, times, log[column], f"{words} ({unit})")
    ]
    if "conserved_eV" in log:
        more, curve = _conserved(times, log["conserved_eV"], len(frames.universe.atoms))
        values, curves = [*values, *more], [*curves, curve]
    return Observable(
        name="energies",
        title="Energies, temperature and box",
        values=tuple(values),
        curves=tuple(curves),
        notes=_notes(times, {chosen[column][0]: part for column, part in parts.items()}),
        method="Means over the part of each quantity that is in equilibrium (Chodera, J. Chem. Theory Comput. 12, 1799 "
        "(2016)); errors from the autocorrelation time.",
        runs=(frames.label,),
    )


def _chosen(log: dict[str, np.ndarray]) -> dict[str, tuple[str, str]]:
    """Columns to tell of with words and units: those that change, and all terms of the energy."""
    terms = {
        name: (f"{name.removesuffix('_eV')} energy", "eV")
        for name in log
        if name.endswith("_eV") and name not in _WORDS and name != "conserved_eV" and "uncertainty" not in name
    }
    return {name: words for name, words in (_WORDS | terms).items() if name in log and np.ptp(log[name]) > 0}


def _conserved(times: np.ndarray, conserved: np.ndarray, atoms: int) -> tuple[list[Value], Curve]:
    per_atom = 1000 * (conserved - conserved[0]) / atoms
    slope, error = drift(times, per_atom)
    spread = float(np.std(per_atom - per_atom.mean() - slope * (times - times.mean()) / 1000))
    values = [
        Value("drift of the conserved energy", slope, error, "meV/atom/ns"),
        Value("spread of the conserved energy", spread, spread / np.sqrt(2 * len(times)), "meV/atom"),
    ]
    thinned, _ = time_curves("conserved energy", times, per_atom, "conserved energy - first (meV/atom)")
    return values, thinned


def _notes(times: np.ndarray, parts: dict[str, Equilibrated]) -> tuple[str, ...]:
    notes = [f"{len(times)} rows of the log, {times[0]:g} to {times[-1]:g} ps."]
    if short := [name for name, part in parts.items() if part.samples < _ENOUGH]:
        notes.append(f"Not in equilibrium, or too short to tell: {', '.join(short)}.")
    late = {name: part.begin for name, part in parts.items() if part.begin > len(times) / 2}
    if late:
        listed = ", ".join(f"{name} (from {times[begin]:.4g} ps)" for name, begin in late.items())
        notes.append(f"Drifting: means of these rest on less than the last half of the run and mean little: {listed}.")
    if any(part.samples < FEW for part in parts.values()):
        notes.append(FEW_NOTE)
    return tuple(notes)


def _fits(frames: Frames) -> bool:
    return len(frames.log.get("potential_eV", ())) >= 10


ANALYSIS = Analysis(
    name="energies",
    title="Energies, temperature and box",
    help="Means, course and drift of what the log of a run holds.",
    function=energies,
    fits=_fits,
)

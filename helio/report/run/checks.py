"""What to doubt about a run, each doubt with its number."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from ase.data import chemical_symbols, covalent_radii

from helio.analyse import Frames
from helio.analyse.run_settings import settings_of
from helio.analyse.statistics import student
from helio.report.page.scene import REACH
from helio.report.run.course import Course
from helio.report.run.words import listed, time, with_error
from helio.units import BOLTZMANN

Level = Literal["good", "open", "bad"]
# A drift of the conserved quantity that would heat the atoms, were it not for a thermostat, by this many K in a ns.
_HEATING = 10.0
_FELT = 0.5  # K in all, below which a slope of a short run is not told from slow fluctuations
_SIGNIFICANT = 3.0  # standard errors of many samples, and as rare a chance with few
_OFF_TEMPERATURE = 0.01  # share of the temperature asked for, besides being significant
_ENOUGH = 20  # independent samples, below which a mean has no trustworthy error
_SETTLED = ("potential_eV", "total_eV", "density_g_per_cm3", "volume_A3", "temperature_K")
_MOST_FRAMES = 200  # in which bonds are looked at


@dataclass(frozen=True)
class Verdict:
    """One check and what it found."""

    level: Level
    about: str
    text: str


def checks(frames: Frames, courses: dict[str, Course]) -> list[Verdict]:
    """All checks that the run allows, the worst first."""
    found = [
        *_left_out(frames),
        *_ending(frames),
        *_drift(frames, courses),
        *_temperature(courses),
        *_equilibrium(courses),
    ]
    found += [*_bonds(frames), *_certainty(frames)]
    return sorted(found, key=lambda verdict: ("bad", "open", "good").index(verdict.level))


def _left_out(frames: Frames) -> list[Verdict]:
    return [] if frames.note is None else [Verdict("open", "Atoms", f"{frames.note}.")]


def _ending(frames: Frames) -> list[Verdict]:
    if frames.attention is not None:
        return [Verdict("bad", "End", f"{frames.attention}.")]
    if frames.run is None or not frames.log or frames.end_ps is not None:
        return []
    settings = settings_of(frames)
    done, asked = int(frames.log["step"][-1]), int(settings.get("steps", 0))
    if frames.run.last_good.exists():
        text = f"The run was stopped at step {done:,} because it became unstable."
        return [Verdict("bad", "End", f"{text} The last good structure is in {frames.run.last_good.name}.")]
    if done < asked - int(settings.get("log_every", 1)):
        return [Verdict("open", "End", f"The log ends at step {done:,} of {asked:,} that were asked for.")]
    return [Verdict("good", "End", f"All {asked:,} steps were made.")]


def _drift(frames: Frames, courses: dict[str, Course]) -> list[Verdict]:
    course = courses.get("conserved_eV")
    if course is None:
        return []
    # While the temperature changes, so does the error of a time step, which is no drift.
    begin = courses["temperature_K"].settled if "temperature_K" in courses else 0
    slope, error, samples = course.slope(begin)
    if not np.isfinite(error):
        return [Verdict("open", "Drift", "The log is too short to see a drift of the conserved quantity.")]
    atoms = len(frames.universe.atoms)
    per_atom = f"{with_error(1e6 * slope / atoms, 1e6 * error / atoms)} meV per atom and ns"
    kelvin = 1000 / (3 * atoms * BOLTZMANN)  # per ns, of a slope in eV/ps: harmonic atoms hold 3 k T each
    heating, unsure = abs(slope) * kelvin, _surely(samples) * error * kelvin
    felt = heating * (course.times[-1] - course.times[begin]) / 1000 >= _FELT
    text = f"The conserved quantity drifts by {per_atom}, worth {heating:.0f} K per ns"
    if heating > max(_HEATING, unsure) and felt and course.goes_on(begin):
        return [Verdict("bad", "Drift", f"{text}: take a shorter time step.")]
    if max(heating, unsure) > _HEATING:
        return [Verdict("open", "Drift", f"{text}; in equilibrium the run is too short to tell this from chance.")]
    return [Verdict("good", "Drift", f"{text}.")]


def _temperature(courses: dict[str, Course]) -> list[Verdict]:
    course = courses.get("temperature_K")
    if course is None or course.target is None or np.ptp(course.target) > 0:
        return []
    asked, (mean, error) = float(course.target[0]), course.mean
    text = f"The mean temperature is {with_error(mean, error)} K, asked for were {asked:g} K."
    if np.isfinite(error) and abs(mean - asked) > max(error * _surely(course.independent), _OFF_TEMPERATURE * asked):
        return [Verdict("bad", "Temperature", text)]
    if course.independent < _ENOUGH or not np.isfinite(error):
        return [Verdict("open", "Temperature", f"{text} The run is too short to judge it{_needs([course])}.")]
    return [Verdict("good", "Temperature", text)]


def _surely(samples: float) -> float:
    """How many of its errors a mean of so many independent samples is off by in 3 of 1,000 cases."""
    return float(student(samples, _SIGNIFICANT) / student(samples))


def _needs(courses: Iterable[Course]) -> str:
    """How long thermostat and barostat of some quantities take, in brackets; empty where nothing is known."""
    times = {"barostat" if course.boxed else "thermostat": course.relaxation_ps for course in courses}
    words = [f"the {name} needs about {time(value)}" for name, value in sorted(times.items()) if value > 0]
    return f" ({', '.join(words)})" if words else ""


def _equilibrium(courses: dict[str, Course]) -> list[Verdict]:
    shown = [course for name in _SETTLED if (course := courses.get(name)) is not None]
    # Without a thermostat the total energy is conserved and settles nowhere.
    shown = [course for course in shown if course.quantity.column != "total_eV" or course.relaxation_ps > 0]
    shown = [course for course in shown if course.target is None or np.ptp(course.target) == 0]
    if not shown:
        return []
    late, few, first = [], [], 0.0
    for course in shown:
        begin = course.times[course.settled] - course.times[0]
        first = max(first, begin)
        long_enough = course.times[-1] - course.times[0] >= 2 * _ENOUGH * course.relaxation_ps
        if course.settled > len(course.values) / 2 and long_enough:
            late.append(f"{course.quantity.title.lower()} (from {time(begin)})")
        elif course.independent < _ENOUGH:
            few.append(course)
    if late:
        text = f"Not reached in the first half of the run by {listed(late)}: means of these mean little."
        return [Verdict("bad", "Equilibrium", text)]
    if few:
        names = listed([course.quantity.title.lower() for course in few])
        text = f"The run is too short to tell: it holds fewer than {_ENOUGH} independent values of {names}"
        return [Verdict("open", "Equilibrium", f"{text}{_needs(few)}.")]
    text = f"Reached: the first {time(first)} are left out of means." if first else "Reached from the start."
    return [Verdict("good", "Equilibrium", text)]


def _bonds(frames: Frames) -> list[Verdict]:
    """Bonds of the start that are longer than `REACH` times the sum of their covalent radii later on."""
    pairs = np.asarray(frames.universe.bonds.indices, int).reshape(-1, 2)
    if len(pairs) == 0:
        return []
    every = -(-len(frames) // _MOST_FRAMES)
    looked = sorted({*frames.numbers[::every], frames.numbers[-1]})
    limits = REACH * covalent_radii[frames.atomic_numbers[pairs]].sum(axis=1)
    first, broken = None, np.zeros(len(pairs), bool)
    for number in looked:
        moment = frames.moment(number)
        broken = _lengths(frames, moment, pairs) > limits
        if broken.any() and first is None:
            first = float(moment.time)
    where = "every frame" if every == 1 else f"{len(looked):,} frames"
    if first is None:
        return [Verdict("good", "Bonds", f"All {len(pairs):,} bonds of the start hold ({where} looked at).")]
    if not broken.any():
        return [Verdict("open", "Bonds", f"A bond was broken at {time(first)} and is closed again in the last frame.")]
    symbols = [tuple(sorted(chemical_symbols[z] for z in frames.atomic_numbers[pair])) for pair in pairs[broken]]
    kinds = ", ".join(f"{number} {a}–{b}" for (a, b), number in Counter(symbols).most_common(4))
    text = f"Broken in the last frame, of {len(pairs):,} bonds of the start: {kinds}. The first one broke"
    return [Verdict("bad", "Bonds", f"{text} at {time(first)}.")]


def _lengths(frames: Frames, moment, pairs: np.ndarray) -> np.ndarray:
    positions = moment.positions.astype(float)
    vectors = positions[pairs[:, 1]] - positions[pairs[:, 0]]
    if moment.dimensions is not None and any(frames.periodic):
        cell = moment.triclinic_dimensions.astype(float)
        vectors -= (np.rint(vectors @ np.linalg.inv(cell)) * np.array(frames.periodic)) @ cell
    return np.linalg.norm(vectors, axis=1)


def _certainty(frames: Frames) -> list[Verdict]:
    flags = frames.log.get("extrapolates")
    if flags is None or not np.isfinite(flags).any():
        return []
    looked = int(np.isfinite(flags).sum())
    beyond = int(np.nansum(flags))
    if not beyond:
        return [Verdict("good", "Certainty", f"At none of {looked:,} steps the model extrapolates.")]
    kept = ""
    if frames.run is not None and frames.run.uncertain.exists():
        kept = f" Structures to label are in {frames.run.uncertain.name}."
    text = f"At {beyond:,} of {looked:,} steps ({100 * beyond / looked:.2g} %) the model extrapolates.{kept}"
    return [Verdict("bad" if beyond > 0.01 * looked else "open", "Certainty", text)]

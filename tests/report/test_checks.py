"""What is warned of, and what is not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ase.build import molecule

from helio.analyse import open_frames
from helio.report.run.checks import checks
from helio.report.run.course import courses
from helio.units import BOLTZMANN


def verdicts(folder: Path) -> dict[str, tuple[str, str]]:
    frames = open_frames(folder)
    return {verdict.about: (verdict.level, verdict.text) for verdict in checks(frames, courses(frames))}


def noisy_log(rows: int = 2000, **changed: np.ndarray) -> dict[str, np.ndarray]:
    """A run of 200 ps."""
    random = np.random.default_rng(4)
    log = {
        "step": 10 * np.arange(rows),
        "time_ps": np.linspace(0, 200, rows),
        "potential_eV": -5 + 0.1 * random.standard_normal(rows),
        "temperature_K": 300 + 10 * random.standard_normal(rows),
        "conserved_eV": 1e-6 * random.standard_normal(rows),
    }
    return log | changed


def test_a_sound_run_is_fine(make_run) -> None:
    found = verdicts(make_run(atoms=molecule("H2O"), log=noisy_log()))
    assert {about: level for about, (level, _) in found.items()} == dict.fromkeys(
        ("End", "Drift", "Temperature", "Equilibrium", "Bonds"), "good"
    )
    assert "2 bonds" in found["Bonds"][1]


def test_drift_is_given_in_kelvin(make_run) -> None:
    """Three atoms that take up 9 k x 50 K in a ns."""
    times = np.linspace(0, 200, 2000)
    slope = 9 * BOLTZMANN * 50 / 1000
    noise = 1e-5 * np.random.default_rng(0).standard_normal(2000)
    level, text = verdicts(make_run(atoms=molecule("H2O"), log=noisy_log(conserved_eV=slope * times + noise)))["Drift"]
    assert level == "bad" and "worth 50 K per ns" in text
    assert f"{1e6 * slope / 3:.1f}" in text  # meV per atom and ns
    level, text = verdicts(make_run("b", molecule("H2O"), log=noisy_log(conserved_eV=0.1 * slope * times + noise)))[
        "Drift"
    ]
    assert level == "good" and "worth 5 K per ns" in text
    short = {name: column[:20] for name, column in noisy_log(conserved_eV=slope * times + 10 * noise).items()}
    assert verdicts(make_run("c", molecule("H2O"), log=short))["Drift"][0] == "open"


@pytest.mark.parametrize(
    ("changed", "asked", "about", "level", "words"),
    [
        ({}, {"temperature": 310.0}, "Temperature", "bad", "asked for were 310 K"),
        ({"potential_eV": np.linspace(-5, -9, 2000)}, {}, "Equilibrium", "bad", "potential energy"),
        ({"potential_eV": np.cumsum(np.ones(2000))}, {}, "Equilibrium", "bad", "Not reached"),
        ({}, {"steps": 50_000}, "End", "open", "step 19,990 of 50,000"),
        ({"extrapolates": np.zeros(2000)}, {}, "Certainty", "good", "2,000 steps"),
        ({"extrapolates": np.arange(2000) % 10 == 0}, {}, "Certainty", "bad", "200 of 2,000 steps (10 %)"),
        ({"extrapolates": np.arange(2000) == 7}, {}, "Certainty", "open", "At 1 of 2,000"),
    ],
)
def test_what_is_doubted(make_run, changed: dict, asked: dict, about: str, level: str, words: str) -> None:
    changed = {name: np.asarray(column, float) for name, column in changed.items()}
    found = verdicts(make_run(atoms=molecule("H2O"), log=noisy_log(**changed), **asked))[about]
    assert found[0] == level and words in found[1]


def test_no_temperature_is_asked_for_without_a_thermostat(make_run) -> None:
    assert "Temperature" not in verdicts(make_run(atoms=molecule("H2O"), log=noisy_log(), ensemble="nve"))


def test_a_run_that_became_unstable(make_run) -> None:
    folder = make_run(atoms=molecule("H2O"))
    (folder / "last-good.extxyz").write_text("")
    level, text = verdicts(folder)["End"]
    assert level == "bad" and "unstable" in text


def test_broken_bonds_are_counted_across_boundaries(make_run) -> None:
    """A hydrogen that leaves for good, one that comes back, and a molecule that crosses the boundary, which is fine."""
    water = molecule("H2O")
    water.cell, water.pbc = [8, 8, 8], True
    still = np.repeat(water.positions[None], 6, axis=0)
    crossing = still.copy()
    crossing[3:] += [0, 0, 8.0]
    crossing[4, 1] -= [0, 0, 8.0]  # as the nearest image it is where it was
    assert verdicts(make_run("a", water, positions=crossing))["Bonds"][0] == "good"
    gone = still.copy()
    gone[2:, 2] += [0, 0, -3.0]
    level, text = verdicts(make_run("b", water, positions=gone))["Bonds"]
    assert level == "bad" and "of 2 bonds of the start: 1 H–O" in text and "500 fs" in text
    back = still.copy()
    back[2:4, 2] += [0, 0, -3.0]
    assert verdicts(make_run("c", water, positions=back))["Bonds"][0] == "open"


def ou_temperature(rows: int, length_ps: float, memory_ps: float, mean: float, seed: int) -> dict[str, np.ndarray]:
    """A temperature that returns to its mean as slowly as a thermostat brings it there."""
    random = np.random.default_rng(seed)
    times = np.linspace(0, length_ps, rows)
    kept = np.exp(-(times[1] - times[0]) / memory_ps)
    values = np.empty(rows)
    values[0] = random.standard_normal()
    for row in range(1, rows):
        values[row] = kept * values[row - 1] + np.sqrt(1 - kept**2) * random.standard_normal()
    return noisy_log(rows, time_ps=times, temperature_K=mean + 40 * values)


def test_a_run_shorter_than_its_thermostat_raises_no_alarm(make_run) -> None:
    """One picosecond at a friction of 1/ps: whatever its mean is, it cannot be judged."""
    log = {name: column[:21] for name, column in ou_temperature(2001, 100.0, 1.0, 255, 0).items()}
    found = verdicts(make_run("short", molecule("H2O"), log=log, friction=1.0))
    assert found["Temperature"][0] == "open" and "thermostat needs about 1 ps" in found["Temperature"][1]
    assert found["Equilibrium"][0] == "open"


def test_a_short_run_that_is_far_off_raises_one(make_run) -> None:
    """Twelve picoseconds at twice the temperature: six independent values are enough for that."""
    hot = ou_temperature(241, 12.0, 1.0, 600, 3)
    assert verdicts(make_run("hot", molecule("H2O"), log=hot, friction=1.0))["Temperature"][0] == "bad"


def test_a_slow_wander_of_the_conserved_quantity_is_no_drift(make_run) -> None:
    times = np.linspace(0, 200, 2000)
    log = noisy_log(conserved_eV=1e-2 * np.sin(2 * np.pi * times / 150))
    assert verdicts(make_run(atoms=molecule("H2O"), log=log))["Drift"][0] == "open"


def test_a_long_run_at_the_wrong_temperature_does(make_run) -> None:
    wrong = ou_temperature(4001, 400.0, 1.0, 340, 1)
    assert verdicts(make_run("wrong", molecule("H2O"), log=wrong, friction=1.0))["Temperature"][0] == "bad"
    right = ou_temperature(4001, 400.0, 1.0, 300, 2)
    assert verdicts(make_run("right", molecule("H2O"), log=right, friction=1.0))["Temperature"][0] == "good"

"""Means, drift and density from logs made of numbers that are known."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from ase import Atoms

from helio.analyse import Frames
from helio.analyse.catalogue import fitting
from helio.analyse.density import density
from helio.analyse.energies import energies
from helio.errors import HelioError

ROWS = 2000


def log() -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)
    times = np.arange(ROWS) * 0.5
    return {
        "step": np.arange(ROWS),
        "time_ps": times,
        "potential_eV": -50 + random.normal(size=ROWS) + 10 * np.exp(-times / 20),
        "network_eV": -40 + random.normal(size=ROWS),
        "temperature_K": 300 + 10 * random.normal(size=ROWS),
        "conserved_eV": 7 + 2e-4 * times + 1e-3 * random.normal(size=ROWS),
        "density_g_per_cm3": 1 + 0.01 * random.normal(size=ROWS),
        "ns_per_day": np.ones(ROWS),
    }


@pytest.fixture
def frames(make_frames: Callable[..., Frames]) -> Frames:
    atoms = Atoms("Ne2", [[0, 0, 0], [0, 0, 5.0]], cell=[10, 10, 10], pbc=True)
    return make_frames(atoms, np.repeat(atoms.positions[None], 5, axis=0), interval_ps=200.0, log=log())


def test_means_and_drift(frames: Frames) -> None:
    found = energies(frames)
    for name, exact, sd in (("temperature", 300, 10), ("potential energy", -50, 1), ("network energy", -40, 1)):
        value = found.value(name)
        assert abs(value.value - exact) < 4 * value.error
        assert value.error == pytest.approx(sd / np.sqrt(ROWS), rel=0.5)
    # 2e-4 eV/ps of two atoms is 100 meV per atom and ns.
    slope = found.value("drift of the conserved energy")
    assert abs(slope.value - 100) < 4 * slope.error < 2
    assert found.value("spread of the conserved energy").value == pytest.approx(0.5, rel=0.1)
    course = found.curve("temperature")
    assert len(course.x) == 1000 and course.x[-1] == pytest.approx(999.25)
    running = found.curve("potential energy, running mean")
    assert running.y[-1] == pytest.approx(log()["potential_eV"].mean(), abs=1e-9)


def test_the_start_is_left_out(frames: Frames) -> None:
    note = energies(frames).value("potential energy").note
    assert 40 < float(note.split()[1]) < 200


def test_times_choose_rows(frames: Frames) -> None:
    from helio.analyse import open_frames

    part = open_frames(frames.path, begin_ps=200, end_ps=400)
    assert part.log["time_ps"][[0, -1]].tolist() == [200, 400]
    assert len(part) == 2


def test_density(frames: Frames, tmp_path) -> None:
    value = density(frames).value("density")
    assert abs(value.value - 1) < 4 * value.error < 0.002
    (tmp_path / "run" / "log.csv").unlink()
    from helio.analyse import open_frames

    again = density(open_frames(frames.path)).value("density")
    assert again.value == pytest.approx(2 * 20.1797 * 1.66054 / 1000, rel=1e-4) and again.error == 0


def test_a_row_cut_off_does_not_matter(frames: Frames, tmp_path) -> None:
    with (tmp_path / "run" / "log.csv").open("a") as file:
        file.write("2000,1000.0,-5")
    assert len(frames.log["step"]) == ROWS


def test_without_a_log(make_frames: Callable[..., Frames]) -> None:
    atoms = Atoms("Ne2", [[0, 0, 0], [0, 0, 5.0]])
    frames = make_frames(atoms, np.repeat(atoms.positions[None], 5, axis=0))
    with pytest.raises(HelioError, match="has no log with time_ps, potential_eV"):
        energies(frames)
    assert "energies" not in [analysis.name for analysis in fitting(frames)]

"""What a model predicted along a run, element by element and residue by residue."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from ase.build import molecule
from typer.testing import CliRunner

from helio.analyse import Frames
from helio.analyse.charges import charges
from helio.cli import app
from tests.analyse.biomolecules import peptide, shaken
from tests.analyse.conftest import write_run

MakeFrames = Callable[..., Frames]


def test_elements_residues_and_terms(make_frames: MakeFrames) -> None:
    atoms = peptide("AG")
    random = np.random.default_rng(0)
    count = 200
    charge = random.normal(size=(count, len(atoms)))
    ratio = random.uniform(0.5, 1.0, size=(count, len(atoms)))
    energy = -10.0 + random.normal(size=count)
    frames = make_frames(atoms, shaken(atoms, count), charge=charge, hirshfeld_ratio=ratio, energy_dispersion=energy)
    found = charges(frames)
    for symbol in ("H", "C", "N", "O"):
        chosen = np.array(atoms.get_chemical_symbols()) == symbol
        np.testing.assert_allclose(found.curve(f"charge of {symbol}").y, charge[:, chosen].mean(axis=1), atol=1e-6)
        value = found.value(f"Hirshfeld ratio of {symbol}")
        assert value.value == pytest.approx(ratio[:, chosen].mean(), abs=1e-6)
        assert value.error == pytest.approx(ratio[:, chosen].mean(axis=1).std() / np.sqrt(count), rel=0.5)
    term = found.value("energy, dispersion")
    assert (term.value, term.unit) == (pytest.approx(energy.mean()), "eV")
    np.testing.assert_allclose(found.curve("energy, dispersion").y, energy - energy.mean())
    residues = found.curve("charge of residues")
    numbers = atoms.arrays["residuenumbers"]
    expected = [charge[:, numbers == number].sum(axis=1).mean() for number in np.unique(numbers)]
    np.testing.assert_allclose(residues.y, expected, atol=1e-6)
    assert len(residues.y) == 4


def test_water_is_apart(make_frames: MakeFrames) -> None:
    water, methane = molecule("H2O"), molecule("CH4")
    water.positions += 5.0
    system = methane + water
    charge = np.where(system.numbers == 8, -0.8, 0.1)
    charge[5:][system.numbers[5:] == 1] = 0.4
    found = charges(make_frames(system, shaken(system, 5), charge=np.tile(charge, (5, 1))))
    assert found.value("charge of H").value == pytest.approx(0.1)
    assert found.value("charge of H in water").value == pytest.approx(0.4)
    assert {value.name for value in found.values if "O" in value.name} == {"charge of O in water"}


def test_nothing_was_saved(tmp_path: Path) -> None:
    atoms = peptide("AG")
    run = write_run(tmp_path / "run", atoms, shaken(atoms, 3))
    result = CliRunner().invoke(app, ["analyse", "charges", str(run)])
    assert result.exit_code != 0
    assert "--save charges,hirshfeld_ratios,energy_terms" in " ".join(result.output.split())

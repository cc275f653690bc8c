from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule

from helio.evaluate.batches import predict_many
from helio.interfaces import HelioCalculator
from helio.system import System


def test_blocks_give_what_single_systems_give(force_field):
    water = molecule("H2O", vacuum=2.0, pbc=True)
    frames: list[Atoms] = [molecule("H2O"), water, molecule("NH3"), water.copy()]
    frames[3].rattle(0.05, seed=1)
    force_field = force_field.with_options(long_range_cutoff=8.0)
    calculator = HelioCalculator(force_field, precision="float64", long_range_cutoff=8.0)
    systems = [(number, System.from_ase(atoms)) for number, atoms in enumerate(frames)]
    predictions = dict(predict_many(force_field, systems, precision="float64", atoms_per_block=8))
    assert sorted(predictions) == list(range(len(frames)))
    for number, atoms in enumerate(frames):
        atoms.calc = calculator
        prediction = predictions[number]
        assert prediction.energy == pytest.approx(atoms.get_potential_energy(), abs=1e-10)
        np.testing.assert_allclose(prediction.forces, atoms.get_forces(), atol=1e-10)
        np.testing.assert_allclose(prediction.hirshfeld_ratios, calculator.results["hirshfeld_ratios"], atol=1e-10)

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule

from helio.errors import HelioError
from helio.evaluate import evaluate_dimers
from helio.evaluate.batches import predict_many
from helio.evaluate.dimers import Dimer, DimerEvaluation, dimer_systems
from helio.system import System
from helio.units import KCAL_PER_MOL


def water_pair(name: str = "Water-Water_1.00", distance: float = 3.0) -> Atoms:
    second = molecule("H2O")
    second.translate([0, distance, 0.2])
    pair = molecule("H2O") + second
    pair.info = {"name": name, "selection_a": "1-3", "selection_b": "4,5-6", "reference_Eint": -5.0, "charge": 0}
    return pair


def test_interaction_of_neutral_molecules_is_complex_minus_monomers(force_field):
    pair = water_pair()
    result = evaluate_dimers(force_field, [(7, pair)], atoms_per_block=8)
    parts = [("ab", pair), ("a", pair[:3]), ("b", pair[3:])]
    systems = [(name, System.from_ase(atoms, charge=0)) for name, atoms in parts]
    single = dict(predict_many(force_field, systems, precision="float64", atoms_per_block=8))
    expected = float(single["ab"].energy - single["a"].energy - single["b"].energy) / KCAL_PER_MOL
    assert result.dimers[0].index == 7
    assert result.dimers[0].distance == 1.0
    assert result.dimers[0].predicted == pytest.approx(expected, abs=0.05)  # charges are free to move in the complex
    assert result.total.sums.mae == pytest.approx(abs(result.dimers[0].predicted + 5.0))


def test_charges_are_those_of_the_fragments(force_field):
    ions = Atoms("OH3", [[0, 0, 0], [0.95, 0, 0], [-0.3, 0.9, 0], [-0.3, -0.3, 0.9]])
    chloride = Atoms("Cl", [[3.2, 0, 0]])
    pair = ions + chloride
    pair.info = {"selection_a": "1-4", "selection_b": 5, "charge_a": 1, "charge_b": -1}
    complex_, apart = dimer_systems(pair)
    assert complex_.total_charge == 0
    assert apart.positions[4, 0] - complex_.positions[4, 0] == 10_000
    np.testing.assert_array_equal(complex_.fragments, [0, 0, 0, 0, 1])
    found = dict(
        predict_many(force_field, [("near", complex_), ("far", apart)], precision="float64", atoms_per_block=8)
    )
    for prediction in found.values():
        assert prediction.charges[:4].sum() == pytest.approx(1)
        assert prediction.charges[4] == pytest.approx(-1)
    result = evaluate_dimers(force_field, [(0, pair)], atoms_per_block=8)
    assert result.unlabelled == 1
    assert result.dimers[0].distance is None


def test_errors_by_distance():
    dimers = [
        Dimer(0, "a_0.90", 0.9, -4.0, -3.0),
        Dimer(1, "b_0.90", 0.9, 2.0, 1.0),
        Dimer(2, "a_2.00", 2.0, 0.0, 0.5),
        Dimer(3, "c_2.00", 2.0, None, 1.5),
    ]
    result = DimerEvaluation(dimers)
    assert list(result.by_distance) == [0.9, 2.0]
    short = result.by_distance[0.9]
    assert (short.sums.mae, short.mean, short.relative.mae) == (1.0, 0.0, 37.5)
    assert result.by_distance[2.0].relative.mae is None
    assert result.total.sums.count == 3
    assert result.to_dict()["total"]["rmse"] == pytest.approx((2.25 / 3) ** 0.5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"selection_b": "4-5"}, "divide all atoms"),
        ({"selection_b": "3-6"}, "divide all atoms"),
        ({"selection_b": "4-7"}, "does not fit 6 atoms"),
        ({"selection_b": "four"}, "must look like"),
        ({"charge_a": 1}, "do not sum"),
        ({"reference_Eint": "weak"}, "not a number"),
    ],
)
def test_mistakes_are_explained(force_field, change, message):
    pair = water_pair()
    pair.info |= change
    with pytest.raises(HelioError, match=f"dimer 3 .*{message}"):
        evaluate_dimers(force_field, [(3, pair)])


def test_selections_are_needed(force_field):
    with pytest.raises(HelioError, match="selection_a is missing"):
        evaluate_dimers(force_field, [(0, molecule("H2O"))])


@pytest.mark.parametrize(
    ("info", "distance"),
    [
        ({"name": "Water-Water_0.90"}, 0.9),
        ({"name": "Water-Water_0.90", "scaling": 1.25}, 1.25),
        ({"name": 17}, None),
        ({"name": 7.086085}, None),
        ({"name": "7.086_085"}, None),
        ({"name": "dimer_17"}, None),
        ({"name": "0.90"}, None),
    ],
)
def test_a_name_is_a_distance_only_where_it_says_so(force_field, info, distance):
    pair = water_pair()
    pair.info |= info
    result = evaluate_dimers(force_field, [(0, pair)], atoms_per_block=8)
    assert result.dimers[0].distance == distance

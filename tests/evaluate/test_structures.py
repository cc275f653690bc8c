from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule

from helio.datasets import ReadingChoices
from helio.datasets.ase_files import from_atoms
from helio.errors import HelioError
from helio.evaluate import Evaluation, evaluate_structures
from helio.evaluate.batches import predict_many
from helio.system import System


@pytest.fixture(scope="module")
def frames(force_field):
    """Rattled waters and a methane with labels that are the model's own, energies shifted by a constant."""
    frames = [molecule(name) for name in ("H2O", "H2O", "H2O", "CH4")]
    for seed, atoms in enumerate(frames):
        atoms.rattle(0.05, seed=seed)
    systems = [(number, System.from_ase(atoms)) for number, atoms in enumerate(frames)]
    for number, prediction in predict_many(force_field, systems, precision="float64", atoms_per_block=32):
        atoms = frames[number]
        atoms.info |= {"energy": float(prediction.energy) - 2000.0 * len(atoms), "dipole": np.array(prediction.dipole)}
        atoms.arrays["forces"] = np.array(prediction.forces)
        atoms.arrays["hirshfeld_ratios"] = np.array(prediction.hirshfeld_ratios)
    return frames


@pytest.fixture
def evaluate(force_field, frames):
    def run(change=lambda frames: None, choices=None, **options) -> Evaluation:
        changed: list[Atoms] = [atoms.copy() for atoms in frames]
        change(changed)
        structures = [from_atoms(atoms, choices, number=number) for number, atoms in enumerate(changed)]
        return evaluate_structures(force_field, structures, precision="float64", atoms_per_block=32, **options)

    return run


def test_a_models_own_labels_have_no_error(evaluate):
    done = []
    result = evaluate(advance=done.append)
    assert sum(done) == 4
    for name in ("energy", "forces", "dipole", "hirshfeld_ratios"):
        errors = result.properties[name]
        assert errors.total.rmse == pytest.approx(0, abs=1e-9)
    assert result.properties["energy"].structures == 3
    assert result.alone == 1
    assert result.force_scale == pytest.approx(1)
    assert result.unit_hint() is None
    assert [entry.index for entry in result.structures] == [0, 1, 2, 3]
    assert result.structures[3].energy is None


def test_known_errors_are_found(evaluate):
    def change(frames):
        frames[0].info["energy"] += 0.3
        frames[0].arrays["forces"][0] += 0.6  # the oxygen
        frames[3].arrays["forces"][1:] -= 0.1  # the hydrogens of methane
        frames[1].info["dipole"] += [0.5, 0, 0]

    result = evaluate(change)
    assert [entry.energy for entry in result.structures[:3]] == pytest.approx([-0.2, 0.1, 0.1])
    assert result.properties["energy"].total.mae == pytest.approx(0.4 / 3)
    assert result.energy_per_atom.mae == pytest.approx(0.4 / 9)
    forces = result.properties["forces"]
    assert forces.total.count == 3 * 14
    assert forces.total.mae == pytest.approx((3 * 0.6 + 12 * 0.1) / 42)
    assert forces.by_element["O"].mae == pytest.approx(0.2)
    assert forces.by_element["C"].mae == pytest.approx(0, abs=1e-9)
    assert forces.by_element["H"].mae == pytest.approx(1.2 / 30)
    assert result.structures[0].forces_mae == pytest.approx(0.2)
    assert result.structures[0].forces_rmse == pytest.approx(0.6 / 3**0.5)
    assert result.structures[1].dipole_mae == pytest.approx(0.5 / 3)
    plain = result.to_dict()
    assert plain["properties"]["forces"]["by_element"]["O"]["count"] == 9


def test_missing_labels_are_counted(evaluate):
    def change(frames):
        del frames[0].arrays["forces"]
        frames[1].info["dipole"] = np.full(3, np.nan)

    result = evaluate(change)
    assert result.properties["forces"].unlabelled == 1
    assert result.properties["forces"].structures == 3
    assert result.properties["dipole"].not_finite == result.properties["dipole"].unlabelled == 1
    assert result.properties["energy"].found_as == {"energy": 4}


def test_wrong_units_are_noticed(evaluate):
    def change(frames):
        for atoms in frames:
            atoms.arrays["forces"] /= 0.0433641

    result = evaluate(change)
    assert "kcal/mol/A" in (result.unit_hint() or "")
    mended = evaluate(change, choices=ReadingChoices(units={"forces": "kcal/mol/A"}))
    assert mended.properties["forces"].total.mae == pytest.approx(0, abs=1e-5)


def test_unusable_structures(evaluate):
    def change(frames):
        frames[1].numbers[0] = 26

    with pytest.raises(HelioError, match="structure 1: the model does not know Fe"):
        evaluate(change)
    result = evaluate(change, skip_unusable=True)
    assert [index for index, _ in result.unusable] == [1]
    assert len(result.structures) == 3

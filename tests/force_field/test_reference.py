"""The published model, against the authors' implementation in float64."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from helio.force_field import ForceField
from helio.neighbors import Sizes, sizes, widened
from helio.precision import Precision, numerics
from helio.prediction import Prediction
from helio.system import System
from tests.conftest import CASES, ReferenceCase, reference_case

NAMES = [case["file"].removesuffix(".npz") for case in CASES]
TERMS = {
    "network": "energy_so3k",
    "zbl": "energy_zbl",
    "electrostatics": "energy_elec",
    "dispersion": "energy_disp",
}

MOLECULE = Sizes(40, 640, 60, 0)
BOX = Sizes(48, 3840, 768, 0)

evaluate = eqx.filter_jit(lambda force_field, system, neighbors: force_field(system, neighbors))


def predict(so3lr: ForceField, case: ReferenceCase, precision: Precision) -> Prediction:
    """Evaluate a case as a user of the Python API would."""
    force_field = so3lr.with_options(long_range_cutoff=case.long_range_cutoff)
    system = System.from_ase(case.atoms)
    force_field.check(system)
    # Padded to a few common shapes, so that the cases share compiled programs.
    rows, common = (192, BOX) if all(system.pbc) else (64, MOLECULE)
    neighbors = widened(force_field.neighbors(system, rows=rows), common)
    assert sizes(neighbors) == common
    with numerics(precision):
        prediction = evaluate(
            force_field.astype(precision), system.padded(rows).astype(precision), jax.tree.map(jnp.asarray, neighbors)
        )
    real = slice(len(system))
    return eqx.tree_at(
        lambda p: (p.forces, p.charges, p.hirshfeld_ratios),
        prediction,
        replace_fn=lambda values: values[real],
    )


# A program of its own for one more cutoff of the same box is not worth its compilation every time.
OFTEN = [pytest.param(name, marks=pytest.mark.slow) if name == "water_64_lr10" else name for name in NAMES]


@pytest.mark.parametrize("name", OFTEN)
def test_float64(so3lr: ForceField, name: str):
    case = reference_case(name)
    prediction = predict(so3lr, case, "float64")
    assert prediction.forces.dtype == np.float64

    def deviation(value: jax.Array | None, key: str) -> float:
        assert value is not None
        return float(np.abs(np.asarray(value) - case.values[key]).max())

    assert deviation(prediction.energy, "energy") < 1e-8
    for term, key in TERMS.items():
        assert deviation(prediction.energy_terms[term], key) < 1e-8, term
    assert deviation(prediction.forces, "forces") < 1e-8
    assert deviation(prediction.charges, "partial_charges") < 1e-9
    assert deviation(prediction.hirshfeld_ratios, "hirshfeld_ratios") < 1e-9
    assert deviation(prediction.dipole, "dipole") < 1e-9
    if "stress" in case.values:
        assert deviation(prediction.stress, "stress") < 1e-10
    else:
        assert prediction.stress is None


@pytest.mark.parametrize("name", NAMES)
def test_float32(so3lr: ForceField, name: str):
    case = reference_case(name)
    prediction = predict(so3lr, case, "float32")
    assert prediction.forces.dtype == np.float32
    assert np.abs(np.asarray(prediction.forces) - case.values["forces"]).max() < 2e-4

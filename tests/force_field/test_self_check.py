"""The golden numbers come out, and wrong ones are seen."""

from dataclasses import replace

import numpy as np
import pytest

from helio.force_field import ForceField
from helio.force_field.self_check import (
    PRECISIONS,
    GoldenResult,
    built_in_force_field,
    evaluate_case,
    golden_case,
    run_case,
)


@pytest.fixture(scope="module")
def built_in() -> ForceField:
    return built_in_force_field()


@pytest.mark.parametrize("precision", PRECISIONS)
def test_built_in_model_gives_the_stored_numbers(built_in, precision):
    result = run_case(golden_case("built-in"), built_in, precision)
    assert result.passed, result


@pytest.mark.parametrize("precision", PRECISIONS)
def test_published_model_gives_the_stored_numbers(so3lr, precision):
    result = run_case(golden_case("so3lr"), so3lr, precision)
    assert result.passed, result


def test_case_exercises_every_term_and_periodic_images(built_in):
    case = golden_case("built-in")
    prediction = evaluate_case(case, built_in, "float64")
    assert set(prediction.energy_terms) == {"network", "zbl", "electrostatics", "dispersion"}
    assert all(abs(float(term)) > 1e-3 for term in prediction.energy_terms.values())
    shift = built_in.neighbors(case.system).short.shift
    assert shift is not None and np.abs(shift).any()


def test_wrong_energy_or_force_does_not_pass(built_in):
    case = golden_case("built-in")
    assert not run_case(replace(case, energy=case.energy + 1e-6), built_in, "float64").passed
    forces = case.forces.copy()
    forces[2, 1] += 1e-3
    assert not run_case(replace(case, forces=forces), built_in, "float32").passed


def test_numbers_that_are_not_finite_do_not_pass():
    assert not GoldenResult("float32", energy_error=np.nan, force_error=0.0).passed
    assert not GoldenResult("float32", energy_error=0.0, force_error=np.nan).passed

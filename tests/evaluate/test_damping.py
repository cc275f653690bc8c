"""Smearing and damping of the long-range terms, tuned on interaction energies."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule
from typer.testing import CliRunner

from helio.cli import app
from helio.errors import HelioError
from helio.evaluate import evaluate_dimers
from helio.evaluate.damping import DampingParts, best, damping_parts, tune_damping, with_damping
from helio.force_field import ForceField
from helio.force_field.model_file import ModelInfo, read_model, save_model


def dimers(references: tuple[float, ...] = (-5.0, -3.0, -1.0)) -> list[tuple[int, Atoms]]:
    """Two waters at growing distances."""
    found = []
    for number, reference in enumerate(references):
        second = molecule("H2O")
        second.translate([0, 2.9 + 0.5 * number, 0.3])
        pair = molecule("H2O") + second
        pair.info = {"selection_a": "1-3", "selection_b": "4-6", "reference_Eint": reference}
        found.append((number, pair))
    return found


def test_known_optimum_is_found() -> None:
    slopes, powers = np.array([1.0, -2.0, 3.0, 0.5]), np.array([2.0, 1.0, -1.0, 3.0])
    exact = slopes * 4.123**2 + powers * np.log(1.234)
    parts = DampingParts(exact, np.zeros(4), lambda sigma: slopes * sigma**2, lambda scale: powers * np.log(scale))
    sigma, scale, at_edge = best(parts, (0.5, 10.0), (0.6, 2.4))
    assert (sigma, scale) == (pytest.approx(4.123, abs=4e-3), pytest.approx(1.234, abs=2e-3)) and not at_edge
    sigma, _, at_edge = best(parts, (0.5, 3.0), (0.6, 2.4))
    assert sigma == pytest.approx(3.0) and at_edge


def test_errors_are_those_of_the_evaluation_and_do_not_grow(force_field: ForceField) -> None:
    settings = force_field.settings
    parts = damping_parts(force_field, dimers())
    own = parts.mae(settings.electrostatics_sigma, settings.dispersion_scale)
    plain = force_field.with_options(long_range_cutoff=None)
    assert evaluate_dimers(plain, dimers()).total.sums.mae == pytest.approx(own, rel=1e-8)
    found = tune_damping(force_field, dimers())
    assert found.count == 3 and found.mae[0] == pytest.approx(own) and found.mae[1] <= own
    tuned = with_damping(plain, found.sigma[1], found.scale[1])
    assert evaluate_dimers(tuned, dimers()).total.sums.mae == pytest.approx(found.mae[1], rel=1e-8)


def test_command_writes_a_model(force_field: ForceField, tmp_path: Path) -> None:
    from ase.io import write

    save_model(force_field, tmp_path / "model.safetensors", ModelInfo("random"))
    write(tmp_path / "dimers.extxyz", [atoms for _, atoms in dimers()])
    arguments = ["tune-damping", str(tmp_path / "dimers.extxyz"), "--model", str(tmp_path / "model.safetensors")]
    done = CliRunner().invoke(app, [*arguments, "--out", str(tmp_path / "tuned.safetensors")])
    assert done.exit_code == 0, done.output
    assert "3 dimers" in done.output and "before" in done.output
    tuned, header = read_model(tmp_path / "tuned.safetensors")
    assert header.info.name == "tuned" and "dimers.extxyz" in header.info.source
    assert np.array_equal(tuned.network.layers[0].value.blocks, force_field.network.layers[0].value.blocks)
    again = CliRunner().invoke(app, [*arguments, "--out", str(tmp_path / "tuned.safetensors")])
    assert again.exit_code == 1 and "exists" in again.output


def test_mistakes_are_explained(force_field: ForceField) -> None:
    with pytest.raises(HelioError, match="no structure has a E_ref"):
        tune_damping(force_field, dimers(), reference_key="E_ref")
    with pytest.raises(HelioError, match="range of sigma"):
        tune_damping(force_field, dimers(), sigmas=(3.0, 3.0))


@pytest.mark.slow
def test_published_constants_are_near_the_best_for_water(so3lr: ForceField, shared: Path) -> None:
    """CCSD(T) interaction energies of water dimers at eight distances: the published model was tuned on these, too."""
    from helio.datasets import read_labelled

    structures = read_labelled(shared / "data" / "s66x8" / "s66x8_ccsdt.extxyz", limit=8)
    found = tune_damping(so3lr, [(structure.number, structure.to_ase()) for structure in structures])
    assert found.count == 8 and found.mae[1] <= found.mae[0] < 0.5  # kcal/mol

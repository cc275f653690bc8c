"""Kinds of structures that a model is known to fail at: recognised where they are, not elsewhere, kept in its file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule
from typer.testing import CliRunner

from helio import System
from helio.cli import app
from helio.errors import HelioError
from helio.files.structures import read_structure, write_structure
from helio.force_field import ForceField, ModelInfo, load_model, save_model
from helio.force_field.uncertainty import Uncertainty, WeakSpots
from helio.uncertainty import energy_features, estimate_uncertainty
from helio.uncertainty.failures import failures_of, in_words
from helio.uncertainty.weak_spots import local_mean
from tests.uncertainty.conftest import tiny_force_field

# Uracil, flat, A.
URACIL = Atoms(
    "C4N2O2H4",
    [
        (-1.20, 0.34, 0.0), (-0.05, 1.05, 0.0), (1.23, 0.34, 0.0), (0.03, -1.72, 0.0), (-1.16, -1.03, 0.0),
        (1.18, -1.04, 0.0), (2.28, 0.95, 0.0), (0.05, -2.94, 0.0), (-2.15, 0.85, 0.0), (-0.03, 2.13, 0.0),
        (-2.02, -1.56, 0.0), (2.06, -1.54, 0.0),
    ],
)  # fmt: skip
URACIL.symbols = ["C", "C", "C", "C", "N", "N", "O", "O", "H", "H", "H", "H"]


@pytest.mark.parametrize("periodic", [False, True])
def test_mean_over_the_neighbours(float64, periodic: bool) -> None:
    force_field = tiny_force_field()
    atoms = molecule("CH3CH2OH")
    if periodic:
        atoms.set_cell(np.diag([7.0, 7.5, 8.0]))
        atoms.pbc = True
    system = System.from_ase(atoms)
    values = np.random.default_rng(0).normal(size=(len(atoms), 3))
    cutoff = 2.5
    found = local_mean(jnp.asarray(values), system, force_field.neighbors(system), cutoff)
    distances = atoms.get_all_distances(mic=periodic)
    expected = [values[row < cutoff].mean(axis=0) for row in distances]
    np.testing.assert_allclose(found, expected, atol=1e-12)


def stacked_uracil() -> Atoms:
    second = URACIL.copy()
    second.rotate(60, "z", center=(0, 0, 0))
    second.positions += (0.5, 0.3, 3.3)
    return URACIL + second


def test_helio_s_knows_nucleobases_and_open_shells() -> None:
    force_field = load_model("helio-s", kernels="plain")
    methyl = molecule("CH3")
    methyl.info["spin"] = 1
    root = Path(__file__).parents[2]
    usual = read_structure(root / "examples" / "alanine_dipeptide.xyz")
    assert failures_of(force_field, System.from_ase(stacked_uracil())) == ("resembles nucleobases",)
    assert failures_of(force_field, System.from_ase(methyl)) == ("has unpaired electrons",)
    assert failures_of(force_field, System.from_ase(usual)) == ()
    assert "known to fail" in in_words(failures_of(force_field, System.from_ase(methyl)))


def test_a_relaxation_warns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("helio.cli.compiled.keep_compiled_programs", lambda: None)
    write_structure(tmp_path / "stack.extxyz", stacked_uracil())
    command = ["opt", str(tmp_path / "stack.extxyz"), "--model", "helio-s", "--steps", "1", "--out"]
    done = CliRunner().invoke(app, [*command, str(tmp_path / "out.extxyz")])
    warning = "Warning: C8H8N4O4 resembles nucleobases, for which the model is known to fail"
    assert done.output.count(warning) == 2


def with_spots(force_field: ForceField) -> ForceField:
    size = force_field.settings.features
    spots = WeakSpots(jnp.asarray(np.linspace(-1, 1, size)[None], jnp.float32), (0.1 + 0.2,), ("alcohols",))
    eye = jnp.eye(size)
    return replace(force_field, uncertainty=Uncertainty(eye, eye, 1.0, weak_spots=spots, unpaired_electrons=(0, 2)))


def test_in_the_file_and_in_estimates(small_force_field: ForceField, tmp_path: Path) -> None:
    path = tmp_path / "spots.safetensors"
    save_model(with_spots(small_force_field), path, ModelInfo("spots"))
    loaded = load_model(path, kernels="plain", long_range_cutoff=None)
    assert loaded.uncertainty is not None and loaded.uncertainty.weak_spots is not None
    spots = loaded.uncertainty.weak_spots
    assert (spots.names, spots.thresholds) == (("alcohols",), (0.1 + 0.2,))
    assert loaded.uncertainty.unpaired_electrons == (0, 2)
    system = System.from_ase(molecule("CH3OH"))
    lists = jax.tree.map(jnp.asarray, loaded.neighbors(system))
    placed = system.astype("float32")
    estimate = jax.jit(estimate_uncertainty)(loaded, placed, lists)
    features = energy_features(loaded, placed, lists)
    expected = np.asarray(local_mean(features, placed, lists, loaded.settings.cutoff) @ spots.directions.T) - 0.3
    heavy = system.atomic_numbers > 1
    np.testing.assert_allclose(np.asarray(estimate.resemblance)[heavy], expected[heavy], rtol=2e-4, atol=1e-4)
    assert np.isneginf(np.asarray(estimate.resemblance)[~heavy]).all()

    damaged = tmp_path / "damaged.safetensors"
    damaged.write_bytes(path.read_bytes().replace(b'weak_spots\\": [', b'weak_spotz\\": ['))
    assert damaged.read_bytes() != path.read_bytes()
    with pytest.raises(HelioError):
        load_model(damaged)

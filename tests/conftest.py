"""Fixtures shared by all tests.

Reference numbers of the published model lie in `tests/reference`. Its weights come from `../shared/so3lr` where that
folder exists, else from the model cache or the network (`helio model get so3lr`); without any of them the tests that
need the published weights are skipped.
"""

from __future__ import annotations

import json
import os

# Threads that wait for each other on matrices of three rows took tests half a minute. Read when numpy is imported.
os.environ["OPENBLAS_NUM_THREADS"] = "1"

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import ase.io
import jax
import numpy as np
import pytest
from ase import Atoms

from helio.cli.compiled import keep_compiled_programs
from helio.errors import HelioError
from helio.force_field import ForceField, ForceFieldSettings

jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_num_cpu_devices", 8)  # for what runs on many devices; all else uses the first
# Most of the time of the tests is compilation, of programs that run for a moment. Read when JAX first computes.
_QUICK = "--xla_backend_optimization_level=0 --xla_cpu_use_fusion_emitters=false"  # a third of the time
os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {_QUICK}".strip()

keep_compiled_programs()


@pytest.fixture(scope="session", autouse=True)
def _state_of_the_tests(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What the user has agreed to is neither asked for nor changed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        yield


SHARED = Path(__file__).parents[2] / "shared"
REFERENCE = Path(__file__).parent / "reference"
CASES = json.loads((REFERENCE / "index.json").read_text())


# Linux gives a process 65,530 mappings of memory, and every compiled program takes some.
_MOST_MAPPINGS = 20_000


@pytest.fixture(autouse=True, scope="module")
def _few_mappings() -> Iterator[None]:
    """Forget compiled programs between files before there are too many: past the limit the process is killed."""
    yield
    mappings = Path("/proc/self/maps")
    if mappings.exists() and mappings.read_bytes().count(b"\n") > _MOST_MAPPINGS:
        jax.clear_caches()


@pytest.hookimpl(tryfirst=True)  # before -m chooses
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs the data sets or the published weights beside the repository."""
    for item in items:
        if {"shared", "so3lr"} & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.shared)


@dataclass(frozen=True)
class ReferenceCase:
    """One evaluation by the authors' implementation."""

    atoms: Atoms
    long_range_cutoff: float
    values: dict[str, np.ndarray]


def reference_case(name: str) -> ReferenceCase:
    """Structure and numbers of the case that `name` (without .npz) stands for."""
    case = next(c for c in CASES if c["file"] == f"{name}.npz")
    atoms = ase.io.read(REFERENCE / case["structure"])
    assert isinstance(atoms, Atoms)
    if "triclinic" in name:
        # The file gives eight decimals, the reference was computed from all of them: an affine image of water_64.
        cubic = ase.io.read(REFERENCE / "water_64.extxyz")
        assert isinstance(cubic, Atoms)
        exact = cubic.positions @ np.linalg.solve(cubic.cell.array, atoms.cell.array)
        assert np.abs(exact - atoms.positions).max() < 6e-9
        atoms.positions = exact
    atoms.info |= {"charge": case["total_charge"], "spin": case["num_unpaired_electrons"]}
    with np.load(REFERENCE / case["file"]) as values:
        return ReferenceCase(atoms, case["long_range_cutoff"], dict(values))


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of data sets beside the repository."""
    if not SHARED.is_dir():
        pytest.skip("needs the data sets in ../shared")
    return SHARED


@pytest.fixture(scope="session")
def so3lr() -> ForceField:
    """The published model in float32."""
    from helio.force_field.convert import convert_published
    from helio.force_field.registry import load_model

    folder = SHARED / "so3lr"
    if folder.is_dir():
        return convert_published(folder / "params.pkl", folder / "hyperparameters.json")
    try:
        return load_model("so3lr", kernels="plain")
    except HelioError as error:
        pytest.skip(f"needs the published weights: {error}")


# Of the network alone, on whose last layer all depends.
TINY = ForceFieldSettings(
    num_layers=1,
    features=8,
    num_heads=2,
    degrees=(1, 2),
    num_radial=6,
    spherical_hidden=4,
    hirshfeld_width=4,
    zbl=False,
    electrostatics=False,
    dispersion=False,
)
SMALL = ForceFieldSettings(
    num_layers=2, features=32, num_heads=2, degrees=(1, 2), num_radial=8, spherical_hidden=8, hirshfeld_width=8
)


@pytest.fixture(scope="session")
def small_force_field() -> ForceField:
    """A small model with random weights, for tests that need no particular numbers."""
    return ForceField.initialise(SMALL, 7)

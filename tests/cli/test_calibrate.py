"""`helio calibrate` as a user meets it: fit, figure, file, comparison, refusals."""

from __future__ import annotations

from dataclasses import replace
from functools import reduce
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from ase.build import molecule
from typer.testing import CliRunner, Result

from helio import System
from helio.cli import app
from helio.cli.calibrate import _timed
from helio.datasets.structure import LabelledStructure
from helio.evaluate.uncertainty import UncertaintyCheck
from helio.force_field import ForceField, ModelInfo, load_model, read_model_info, save_model
from helio.neighbors.widening import Sizes, sizes, widened
from helio.train.importing import ImportSettings, write_store
from tests.conftest import TINY

# Of about one size: one shape of batches.
MOLECULES = ("CH4", "CH4", "NH3", "CH4", "NH3")


def labelled() -> dict[str, list[LabelledStructure]]:
    """Molecules like those above, and with other elements, and what a model says whose last layer is another one."""
    truth = ForceField.initialise(TINY, 5).with_options(long_range_cutoff=None)
    change = 0.3 * np.random.default_rng(3).normal(size=(8, 1))
    kernel = truth.energy_head.layers.second.kernel
    truth = eqx.tree_at(lambda m: m.energy_head.layers.second.kernel, truth, kernel + jnp.asarray(change, jnp.float32))
    names = [MOLECULES[number % 5] for number in range(48)] + 8 * ["CH3Cl", "PH3", "CH4"]
    structures = [molecule(name) for name in names]
    for number, atoms in enumerate(structures):
        atoms.rattle(0.05, seed=number)
    systems = [System.from_ase(atoms) for atoms in structures]
    lists = [truth.neighbors(system, rows=5) for system in systems]
    lists = [widened(one, reduce(Sizes.union, map(sizes, lists))) for one in lists]
    stacked = jax.tree.map(lambda *leaves: np.stack(leaves), *(system.padded(5) for system in systems))
    said = jax.jit(jax.vmap(truth))(stacked.astype("float32"), jax.tree.map(lambda *leaves: np.stack(leaves), *lists))
    energies, forces = np.asarray(said.energy), np.asarray(said.forces)
    made = [
        LabelledStructure(atoms.numbers, atoms.positions, {"energy": energies[i], "forces": forces[i, : len(atoms)]})
        for i, atoms in enumerate(structures)
    ]
    bare = [LabelledStructure(one.atomic_numbers, one.positions, {"energy": one.labels["energy"]}) for one in made[:12]]
    return {"train": made[:48], "far": made[48:], "no-forces": bare}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With a model, a store that it knows, and one with other elements."""
    folder = tmp_path_factory.mktemp("calibrate")
    save_model(ForceField.initialise(TINY, 5), folder / "tiny.safetensors", ModelInfo(name="tiny", licence="MIT"))
    for name, structures in labelled().items():
        write_store(structures, folder / f"{name}.h5", ImportSettings(check_units=False))
    return folder


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["calibrate", *arguments], env={"COLUMNS": "120"})


@pytest.fixture(autouse=True)
def _without_cache(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    # The setting of the compilation cache would outlive the test.
    monkeypatch.setattr("helio.cli.compiled.keep_compiled_programs", lambda: None)
    monkeypatch.chdir(folder)


@pytest.mark.slow
def test_fit_file_figure_and_comparison(folder: Path) -> None:
    options = ("--data", "train.h5", "--validation", "0.5", "--members", "8", "--out", "known.safetensors")
    done = run("tiny.safetensors", *options)
    assert done.exit_code == 0, done.output
    assert (folder / "known.png").stat().st_size > 10_000
    assert "100.0 %  what the data say  24/24 structures" in done.output
    model, bare = load_model("known.safetensors", kernels="plain"), load_model("tiny.safetensors", kernels="plain")
    assert model.uncertainty is not None and model.uncertainty.members.shape == (8, 8)
    assert "24 structures of train.h5, calibrated on 24 of train.h5" in model.uncertainty.about
    same = jax.tree.map(lambda one, other: bool((one == other).all()), replace(model, uncertainty=None), bare)
    assert all(jax.tree.leaves(same))
    header = read_model_info("known.safetensors")
    assert header.info.licence == "MIT" and header.weights_sha256 == read_model_info("tiny.safetensors").weights_sha256
    far = run("known.safetensors", "--held-out", "far.h5", "--plot", "far.svg")
    assert far.exit_code == 0, far.output
    assert (folder / "far.svg").exists()
    beyond = int(far.output.split("eV/A; ")[1].split(" of 24 structures")[0])
    assert 0 <= beyond <= 24
    row = next(line for line in far.output.splitlines() if "of structures, eV/A" in line)
    assert row.split()[3] == "24" and -1 <= float(row.split()[-1]) <= 1  # values and rank correlation
    assert run("known.safetensors", "--held-out", "far.h5", "--plot", "far.svg").exit_code == 1  # exists

    weak = ("--held-out", "train.h5", "--weak", "halides and phosphines=far.h5", "--out", "weak.safetensors")
    done = run("known.safetensors", *weak)
    assert done.exit_code == 0 and "Known as weak:" in done.output, done.output
    spotted = load_model("weak.safetensors", kernels="plain").uncertainty
    assert spotted is not None and spotted.weak_spots is not None
    assert spotted.weak_spots.names == ("halides and phosphines",) and spotted.unpaired_electrons == (0,)
    assert (spotted.factor == model.uncertainty.factor).all()
    share = float(done.output.split("Known as weak: ")[1].split(" %")[0])
    assert 0 <= share <= 100

    shown = CliRunner().invoke(app, ["model", "info", "known.safetensors"], env={"COLUMNS": "200"})
    assert "24 structures of train.h5" in shown.output and "limit" in shown.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["tiny.safetensors"], "give --data, the store that the model was trained on, or --held-out"),
        (["tiny.safetensors", "--data", "train.h5"], "--data and --out belong together"),
        (["tiny.safetensors", "--held-out", "far.h5"], "tiny.safetensors has no uncertainty to compare: give --data"),
        (["tiny.safetensors", "--data", "absent.h5", "--out", "o.safetensors"], "there is no store absent.h5"),
        (
            ["tiny.safetensors", "--held-out", "far.h5", "--weak", "far.h5", "--out", "o.safetensors"],
            "tiny.safetensors has no uncertainty",
        ),
        (["absent", "--data", "train.h5", "--out", "o.safetensors"], "no model and no file called absent"),
        (["tiny.safetensors", "--data", "train.h5", "--out", "tiny.safetensors"], "tiny.safetensors exists"),
        (
            ["tiny.safetensors", "--data", "train.h5", "--out", "o.safetensors", "--plot", "o.txt"],
            "a plot must be named",
        ),
        (
            ["tiny.safetensors", "--data", "train.h5", "--out", "o.safetensors", "--validation", "0"],
            "leaves 0 structures to compare with",
        ),
        (
            ["tiny.safetensors", "--data", "train.h5", "--out", "o.safetensors", "--weight", "forces:10"],
            "--weight is LABEL=NUMBER",
        ),
        (
            ["tiny.safetensors", "--data", "train.h5", "--out", "o.safetensors", "--weight", "dipole=1"],
            "--weight takes energy, forces, atomic_energies",
        ),
        (
            ["tiny.safetensors", "--data", "train.h5", "--out", "o.safetensors", "--weight", "atomic_energies=1"],
            "no structure in train.h5 has a label among atomic_energies",
        ),
        (
            ["tiny.safetensors", "--data", "train.h5", "--held-out", "no-forces.h5", "--out", "o.safetensors"],
            "no structure in no-forces.h5 has forces",
        ),
    ],
)
def test_refusals(arguments: list[str], message: str, folder: Path) -> None:
    result = run(*arguments)
    assert result.exit_code == 1 and message in " ".join(result.output.split()), result.output
    assert not (folder / "o.safetensors").exists()


def test_line_with_rate_and_time_left(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    line = _timed()
    assert line("fit", 0, 200) == "  0.0 %  fit  0/200 structures"
    now[0] = 5.0
    assert line("fit", 50, 200) == " 25.0 %  fit  50/200 structures  10.0 per s  0:00:15 left"


def test_constants_count_against_the_energies() -> None:
    """Six energies less two constants have four left to say how large errors are."""
    errors, forces = np.array([1.0, -1, 1, -1, 1, -1]), np.full((12, 3), 0.2)
    check = UncertaintyCheck(
        np.arange(6), np.full(6, 2), 2 * errors, np.full(6, 2.0), forces, np.full(12, 0.1 * 3**0.5), elements=2
    )
    assert check.scales == (pytest.approx(1.5**0.5), pytest.approx(2.0))
    assert replace(check, energy_errors=np.full(6, np.nan)).scales == (pytest.approx(2.0), pytest.approx(2.0))
    scaled = check.scaled(1.0, 3.0)
    assert scaled.largest == pytest.approx(np.full(6, 0.3 * 3**0.5)) and scaled.within(1.0) == (0.0, 1.0)

from __future__ import annotations

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from helio.cli import app
from helio.datasets.store import Store
from helio.distillation import generate, generation, held_out_store, read_recipe
from helio.distillation.comparison import compare
from helio.distillation.generation import is_unfinished
from helio.distillation.teacher import evaluate
from helio.errors import HelioError
from helio.files.checkpoint import read_arrays
from helio.force_field import load_model
from tests.kills import assert_same_datasets, finished, killed, launched, written

RECIPE = """
seed: 2
teacher: {teacher}
held_out: 0.3
starts_per_block: 6
parts:
  molecules: {{kind: molecules, smiles: [O, CO, N, C, "[NH4+]", C=O, CF, CCl, S, C#N], sampling: {sampling}}}
  water: {{kind: clusters, smiles: [O], molecules: [2, 3], count: 2, sampling: {{method: none}}}}
"""
SAMPLING = "{samples: 1, interval_fs: 2, warmup_fs: 0, temperatures: [50], keep: 0.8}"


@pytest.fixture(scope="module")
def recipe(teacher_file, tmp_path_factory):
    path = tmp_path_factory.mktemp("recipe") / "recipe.yaml"
    path.write_text(RECIPE.format(teacher=teacher_file, sampling=SAMPLING))
    return path


@pytest.fixture(scope="module")
def made(recipe, tmp_path_factory):
    store = tmp_path_factory.mktemp("store") / "train.h5"
    return store, generate(read_recipe(recipe), store)


def test_labels_are_what_the_teacher_says(made, teacher_file):
    path, progress = made
    store, others = Store(path), Store(held_out_store(path))
    assert (len(store), len(others)) == (progress.kept, progress.held_out)
    assert store.sources == ("molecules", "water") and store.levels == (str(teacher_file),)
    assert not path.with_name(f"{path.name}.parts").exists()
    systems = [store.system(number) for number in range(len(store))]
    for number, one in enumerate(evaluate(load_model(teacher_file), systems)):
        labels = store.labels(number)
        for name in ("energy", "forces", "dipole", "charges", "hirshfeld_ratios", "atomic_energies"):
            np.testing.assert_allclose(labels[name], getattr(one.prediction, name), rtol=1e-5, atol=1e-5)
    assert {float(charge) for charge in np.concatenate([store.rows("charge"), others.rows("charge")])} == {0.0, 1.0}


def test_molecules_are_held_out_as_a_whole(made):
    def formulas(store):
        return {tuple(sorted(store.system(n).atomic_numbers)) for n in range(len(store))}

    path, _ = made
    assert not formulas(Store(path)) & formulas(Store(held_out_store(path)))


def test_an_interrupted_generation_goes_on(made, recipe, tmp_path):
    path, whole = made

    def interrupt(progress):
        raise KeyboardInterrupt

    again = tmp_path / "again.h5"
    with pytest.raises(KeyboardInterrupt):
        generate(read_recipe(recipe), again, report=interrupt)
    assert not again.exists()
    other = read_recipe(recipe).model_copy(update={"seed": 3})
    with pytest.raises(HelioError, match="another recipe"):
        generate(other, again)
    done = generate(read_recipe(recipe), again)
    assert (done.kept, done.held_out) == (whole.kept, whole.held_out) and done.fresh < done.all_starts
    assert Store(again).content == Store(path).content


def test_a_generation_that_was_cut_off_while_its_stores_are_written_goes_on(made, recipe, tmp_path, monkeypatch):
    path, _ = made
    again = tmp_path / "again.h5"
    write = generation.import_files

    def cut_off(blocks, out, *arguments, **options):
        write(blocks, out, *arguments, **options)
        raise KeyboardInterrupt

    monkeypatch.setattr(generation, "import_files", cut_off)
    with pytest.raises(KeyboardInterrupt):
        generate(read_recipe(recipe), again)
    assert again.exists() and not held_out_store(again).exists() and is_unfinished(again)
    monkeypatch.undo()
    assert generate(read_recipe(recipe), again).fresh == 0
    assert held_out_store(again).exists() and not is_unfinished(again)
    assert_same_datasets(again, path)
    assert [entry.name for entry in tmp_path.iterdir() if entry.is_dir()] == []


def test_blocks_of_a_store_lie_alone(recipe, tmp_path):
    parts = tmp_path / "new.h5.parts"
    parts.mkdir()
    (parts / "notes.txt").write_text("mine")
    with pytest.raises(HelioError, match=r"holds notes.txt, which is none of its blocks"):
        generate(read_recipe(recipe), tmp_path / "new.h5")
    assert (parts / "notes.txt").read_text() == "mine"


@pytest.mark.slow
def test_generation_killed_ten_times_ends_the_same(recipe, tmp_path):
    text = recipe.read_text().replace("starts_per_block: 6", "starts_per_block: 1")
    (tmp_path / "many.yaml").write_text(text)
    whole, cut = tmp_path / "whole.h5", tmp_path / "cut.h5"
    finished(launched("data", "generate", tmp_path / "many.yaml", whole))
    parts = tmp_path / "cut.h5.parts"

    def launch():
        return launched("data", "generate", tmp_path / "many.yaml", cut, "--overwrite")

    assert killed(launch, lambda: len(list(parts.glob("*.json"))), kills=10, pause_s=0.1) >= 5
    finished(launch())
    assert_same_datasets(whole, cut)
    assert_same_datasets(held_out_store(whole), held_out_store(cut))
    assert not parts.exists()


def test_a_student_that_is_the_teacher_has_no_errors(made, teacher_file):
    model = load_model(teacher_file)
    found = compare(model, model, Store(made[0]), most=3)
    assert set(found.classes) == {"molecules", "water"}
    for errors in found.classes.values():
        assert all((sums.mae or 0) < 1e-5 for sums in errors.sums.values()) and errors.mean_force > 0.01
    assert found.parameters[0] == found.parameters[1] > 100
    assert all(0.2 < speed.ratio < 5 for speed in found.speeds)
    json.dumps(found.to_dict())


STUDENT = """
data: {store}
out: student
train: 4
validation: 2
structures_per_batch: 4
devices: 1
steps: 2
validate_every: 2
network: {{num_layers: 1, features: 8, num_heads: 2, degrees: [1], num_radial: 4, spherical_hidden: 4}}
reference_energies: none
loss: {{energy: 1, atomic_energies: 1}}
"""


@pytest.mark.slow
def test_distill(made, teacher_file, tmp_path):
    pytest.importorskip("optax")
    (tmp_path / "student.yaml").write_text(STUDENT.format(store=made[0]))
    arguments = ["distill", "--student", tmp_path / "student.yaml", "--teacher", teacher_file]
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    assert "times faster" in result.output and "molecules" in result.output
    numbers = json.loads((tmp_path / "student" / "distillation.json").read_text())
    assert numbers["classes"]["molecules"]["forces"]["mae"] > 0


@pytest.mark.slow
def test_distillation_killed_ten_times_ends_the_same(recipe, teacher_file, tmp_path):
    """Killed while data are made, while the student is trained, and between."""
    pytest.importorskip("optax")
    (tmp_path / "recipe.yaml").write_text(recipe.read_text().replace("starts_per_block: 6", "starts_per_block: 2"))
    for name in ("whole", "cut"):
        (tmp_path / name).mkdir()
        values = STUDENT.format(store="train.h5").replace("steps: 2\n", "steps: 400\ncheckpoint_every: 20\n")
        (tmp_path / name / "student.yaml").write_text(values.replace("validate_every: 2", "validate_every: 100"))

    def launch(name):
        arguments = ["--student", tmp_path / name / "student.yaml", "--teacher", teacher_file]
        return launched("distill", *arguments, "--recipe", tmp_path / "recipe.yaml")

    def progress():
        folder = tmp_path / "cut"
        return len(list(folder.glob("train.h5.parts/*.json"))), written(folder / "student" / "checkpoint.npz")

    finished(launch("whole"))
    assert killed(lambda: launch("cut"), progress, kills=10) >= 8
    finished(launch("cut"))
    for name in ("train.h5", "train-held-out.h5"):
        assert_same_datasets(tmp_path / "whole" / name, tmp_path / "cut" / name)
    one, two = (read_arrays(tmp_path / name / "student" / "checkpoint.npz")[0] for name in ("whole", "cut"))
    assert one.keys() == two.keys() and all(np.array_equal(one[name], two[name]) for name in one)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("parts: {}", "parts"),
        ("seed: 1", "parts"),
        ("parts: {a: {kind: gas}}", "gas"),
        ("parts: {a: {kind: molecules}}", "smiles_file"),
        ("parts: {a: {kind: molecules, smiles: [C], sampling: {temperatures: [-1]}}}", "temperatures"),
        ("[1, 2]", "parts"),
        ("a: [", "YAML"),
    ],
)
def test_wrong_recipes(tmp_path, text, message):
    (tmp_path / "recipe.yaml").write_text(text)
    with pytest.raises(HelioError, match=message):
        read_recipe(tmp_path / "recipe.yaml")


def test_a_store_is_not_overwritten(made, recipe):
    with pytest.raises(HelioError, match="exists"):
        generate(read_recipe(recipe), made[0])

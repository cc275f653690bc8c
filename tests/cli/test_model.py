"""`helio model`."""

import json
import pickle

import pytest
from typer.testing import CliRunner

from helio.cli import app
from helio.force_field import ModelInfo, load_model, read_model_info, save_model
from helio.force_field.registry import KNOWN_MODELS, store_in_cache


@pytest.fixture(autouse=True)
def surroundings(tmp_path, monkeypatch):
    """An empty cache, no network, a wide terminal."""
    monkeypatch.setenv("HELIO_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HELIO_OFFLINE", "1")
    monkeypatch.setenv("COLUMNS", "300")


def helio(*arguments, status=0):
    result = CliRunner().invoke(app, ["model", *map(str, arguments)])
    assert result.exit_code == status, result.output + repr(result.exception)
    return result.output


@pytest.mark.parametrize("command", ["list", "info", "get", "convert", "remove"])
def test_help_has_an_example(command):
    assert f"helio model {command}" in helio(command, "--help")


def test_empty_cache(tmp_path):
    output = helio("list")
    assert "so3lr" in output and "MIT" in output and str(tmp_path / "cache") in output
    output = helio("info", "so3lr")
    assert "not in the cache" in output and "147, 33723" in output and "MIT" in output
    assert "Permission is hereby granted" in helio("info", "so3lr", "--licence")
    assert "HELIO_OFFLINE forbids the network" in helio("get", status=1)
    assert "was not in the cache" in helio("remove", "so3lr")


def test_cached_model(so3lr, tmp_path):
    path = store_in_cache(KNOWN_MODELS["so3lr"], so3lr)
    assert "2.1 MB" in helio("list")
    output = helio("info", "so3lr")
    assert str(path) in output and "H C N O F P S Cl" in output and "530,237" in output
    assert helio("get", "so3lr").strip() == str(path)
    assert "Removed" in helio("remove", "so3lr")
    assert not path.exists()


def test_info_of_a_file(small_force_field, tmp_path):
    save_model(small_force_field, tmp_path / "m.safetensors", ModelInfo("mine", "CC BY 4.0"))
    output = helio("info", tmp_path / "m.safetensors")
    assert "mine" in output and "CC BY 4.0" in output
    assert helio("info", tmp_path / "m.safetensors", "--licence").strip() == "CC BY 4.0"
    (tmp_path / "m.safetensors").write_bytes(b"x" * 100)
    assert "is truncated, damaged or not a model file" in helio("info", tmp_path / "m.safetensors", status=1)


@pytest.mark.parametrize("command", ["info", "get", "remove"])
def test_unknown_name(command):
    assert "there is no model called so4lr: known models are so3lr" in helio(command, "so4lr", status=1)


def test_convert_published_weights(shared, tmp_path):
    files = (shared / "so3lr/params.pkl", shared / "so3lr/hyperparameters.json")
    output = helio("convert", *files)
    assert "the published weights of so3lr" in output
    assert load_model("so3lr").settings.features == 128

    out = tmp_path / "copy.safetensors"
    helio("convert", *files, "--out", out)
    assert read_model_info(out).info.name == "copy"
    assert "MIT" in read_model_info(out).info.licence
    assert "exists already" in helio("convert", *files, "--out", out, status=1)
    helio("convert", *files, "--out", out, "--overwrite", "--name", "other")
    assert read_model_info(out).info.name == "other"


def test_convert_other_weights(shared, tmp_path):
    tree = pickle.loads((shared / "so3lr/params.pkl").read_bytes())  # a trusted file
    tree["params"]["observables_0"]["atomic_scales"] += 1
    (tmp_path / "params.pkl").write_bytes(pickle.dumps(tree))
    files = (tmp_path / "params.pkl", shared / "so3lr/hyperparameters.json")
    assert "say with --out where" in helio("convert", *files, status=1)
    helio("convert", *files, "-o", tmp_path / "mine.safetensors", "--licence", "CC BY 4.0", "--citation", "me")
    header = read_model_info(tmp_path / "mine.safetensors")
    assert header.info == ModelInfo("mine", "CC BY 4.0", "me", "params.pkl")


def test_convert_bad_files(tmp_path):
    weights, settings = tmp_path / "params.pkl", tmp_path / "hyperparameters.json"
    weights.write_bytes(b"\x80\x04nonsense")
    assert "needs its settings" in helio("convert", weights, status=1)
    assert "there is no file" in helio("convert", weights, settings, status=1)
    settings.write_text(json.dumps({"model": {}}))
    assert "is no hyperparameters.json" in helio("convert", weights, settings, status=1)

"""Model files hold a model bit by bit and refuse anything else."""

import dataclasses
import json
import struct

import jax
import numpy as np
import pytest
from safetensors.numpy import save

from helio.errors import HelioError
from helio.force_field import ForceField, ForceFieldSettings, ModelInfo, load_model, read_model_info, save_model
from helio.force_field.model_file import named_tensors, read_model, weights_sha256

INFO = ModelInfo("small", "MIT", "nobody", "drawn at random", "licence text")


@pytest.fixture
def model_file(small_force_field, tmp_path):
    path = tmp_path / "small.safetensors"
    save_model(small_force_field, path, INFO)
    return path


def same_bits(one: ForceField, other: ForceField) -> bool:
    a, b = named_tensors(one), named_tensors(other)
    return list(a) == list(b) and all(a[n].dtype == b[n].dtype and a[n].tobytes() == b[n].tobytes() for n in a)


def edited(path, change):
    """The file with its header's JSON changed by `change(header, record)`."""
    content = path.read_bytes()
    length = struct.unpack("<Q", content[:8])[0]
    header = json.loads(content[8 : 8 + length])
    record = json.loads(header["__metadata__"]["helio"])
    change(header, record)
    header["__metadata__"]["helio"] = json.dumps(record)
    new = json.dumps(header).encode()
    new += b" " * (-len(new) % 8)
    path.write_bytes(struct.pack("<Q", len(new)) + new + content[8 + length :])


def test_bit_by_bit(small_force_field, model_file):
    loaded, header = read_model(model_file)
    assert same_bits(loaded, small_force_field)
    assert jax.tree.structure(loaded) == jax.tree.structure(small_force_field)
    assert header.info == INFO
    assert header.settings == small_force_field.settings
    assert header.num_parameters == sum(leaf.size for leaf in jax.tree.leaves(small_force_field))
    assert read_model_info(model_file) == header


def test_float64_and_special_values(small_force_field, tmp_path):
    rng = np.random.default_rng(0)
    with jax.enable_x64(True):
        model = jax.tree.map(lambda a: jax.numpy.asarray(rng.normal(size=a.shape), "float64"), small_force_field)
        model = dataclasses.replace(model, zbl=dataclasses.replace(model.zbl, power=jax.numpy.asarray(-0.0)))
    save_model(model, tmp_path / "m.safetensors", INFO)
    assert same_bits(read_model(tmp_path / "m.safetensors")[0], model)


def test_same_model_same_bytes(small_force_field, model_file, tmp_path):
    save_model(read_model(model_file)[0], tmp_path / "again.safetensors", INFO)
    assert (tmp_path / "again.safetensors").read_bytes() == model_file.read_bytes()


def test_options_are_not_stored_but_given(small_force_field, tmp_path):
    save_model(small_force_field.with_options(long_range_cutoff=7.0), tmp_path / "m.safetensors", INFO)
    assert load_model(tmp_path / "m.safetensors").long_range_cutoff is None
    model = load_model(tmp_path / "m.safetensors", long_range_cutoff=None, electrostatics="ewald")
    assert (model.long_range_cutoff, model.electrostatics) == (None, "ewald")


@pytest.mark.parametrize("kept", [0, 7, 8, 100, 5000, -1])
def test_truncated(model_file, kept):
    model_file.write_bytes(model_file.read_bytes()[:kept])
    with pytest.raises(HelioError, match=r"small.safetensors is truncated, damaged or not a model file"):
        load_model(model_file)


def test_flipped_bit(model_file):
    content = bytearray(model_file.read_bytes())
    content[-3] ^= 1
    model_file.write_bytes(content)
    with pytest.raises(HelioError, match="weights do not fit their checksum"):
        load_model(model_file)


@pytest.mark.parametrize("content", [b"hello", b"\x80\x04K\x01.", b"\xff" * 64, save({"x": np.zeros(2, np.float32)})])
def test_not_a_model(tmp_path, content):
    (tmp_path / "m").write_bytes(content)
    with pytest.raises(HelioError, match="not a model"):
        load_model(tmp_path / "m")


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(HelioError, match="no model and no file called"):
        load_model(tmp_path / "none")
    with pytest.raises(HelioError, match="there is no model file"):
        read_model_info(tmp_path / "none")
    with pytest.raises(HelioError, match="cannot read the model file"):
        read_model_info(tmp_path)


def rename(tensors):
    tensors["network.surprise"] = tensors.pop("energy_head.scale")


def drop(tensors):
    for name in [name for name in tensors if name.startswith("charge_head")]:
        del tensors[name]


def reshape(tensors):
    tensors["energy_head.scale"] = tensors["energy_head.scale"][:-1]


def integers(tensors):
    tensors["energy_head.scale"] = tensors["energy_head.scale"].astype("int32")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (rename, "missing energy_head.scale; unknown network.surprise"),
        (drop, "missing .* and 2 more; unknown none"),
        (reshape, r"energy_head.scale is float32 of shape \(118,\)"),
        (integers, "energy_head.scale is int32"),
    ],
)
def test_tensors_that_do_not_fit(small_force_field, tmp_path, change, message):
    tensors = named_tensors(small_force_field)
    change(tensors)
    settings = small_force_field.settings.to_dict()
    record = {"format": 1, **dataclasses.asdict(INFO), "settings": settings, "num_parameters": 1}
    record["weights_sha256"] = weights_sha256(tensors)
    (tmp_path / "m").write_bytes(save(tensors, {"helio": json.dumps(record)}))
    with pytest.raises(HelioError, match=message):
        load_model(tmp_path / "m")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda header, record: record.update(format=2), "has format 2, this Helio reads format 1"),
        (lambda header, record: record.pop("citation"), "its header cannot be read"),
        (lambda header, record: record["settings"].pop("cutoff"), "missing .*cutoff"),
        (lambda header, record: record["settings"].update(features=[]), "its header cannot be read"),
        (lambda header, record: record.pop("format"), "its header cannot be read"),
    ],
)
def test_header_that_does_not_fit(model_file, change, message):
    edited(model_file, change)
    with pytest.raises(HelioError, match=message):
        read_model_info(model_file)


def test_disk_full(small_force_field, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(HelioError, match="the disk is full"):
        save_model(small_force_field, tmp_path / "m.safetensors", INFO)
    assert list(tmp_path.iterdir()) == []


def test_any_sizes(tmp_path):
    settings = ForceFieldSettings(num_layers=1, features=24, num_heads=3, degrees=(1, 3), num_radial=5, cutoff=3.0)
    model = ForceField.initialise(settings, 0)
    save_model(model, tmp_path / "m", INFO)
    assert same_bits(load_model(tmp_path / "m"), model)

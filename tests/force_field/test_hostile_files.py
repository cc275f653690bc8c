"""Model files and pickles that claim what they do not hold: a sentence, before time or memory is spent on it."""

from __future__ import annotations

import io
import json
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load, save
from typer.testing import CliRunner

from helio.cli import app
from helio.coarse.model_file import read_coarse
from helio.errors import HelioError
from helio.force_field import ForceField
from helio.force_field.model_file import ModelInfo, read_model, save_model
from helio.force_field.settings import ForceFieldSettings
from helio.force_field.torch_archive import read_torch_model
from helio.force_field.unpickle import load_arrays
from helio.frameworks.model.model_file import read_framework_model

MODELS = Path(__file__).parents[2] / "helio" / "models"


def _edited(source: Path, path: Path, entry: str, change: dict[str, Any]) -> Path:
    """A model file with another header, whose settings are changed by names like `settings.features`."""
    content = source.read_bytes()
    length = int.from_bytes(content[:8], "little")
    record = json.loads(json.loads(content[8 : 8 + length])["__metadata__"][entry])
    for name, value in change.items():
        *parents, last = name.split(".")
        place = record
        for parent in parents:
            place = place[parent]
        place[last] = value
    path.write_bytes(save(load(content), {entry: json.dumps(record)}))
    return path


@pytest.fixture
def model(small_force_field: ForceField, tmp_path: Path) -> Path:
    save_model(small_force_field, tmp_path / "small.safetensors", ModelInfo(name="small"))
    return tmp_path / "small.safetensors"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"settings.num_layers": 10**9}, "num_layers must be from 1 to 64, not 1000000000"),
        ({"settings.num_layers": 64}, "these need more than the .* parameters that are there"),
        ({"settings.features": 10**12}, "features must be from 1 to 16384"),
        ({"settings.features": 16_384}, "these need more than the .* parameters"),
        ({"settings.degrees": [10**6]}, "degrees must be different and from 1 to 12"),
        ({"settings.supported_elements": [500]}, "supported_elements are atomic numbers from 1 to 118"),
        ({"settings.cutoff": float("nan")}, "cutoff"),
        ({"settings.cutoff": "4.5"}, "cutoff: Input should be a valid number"),
        ({"settings.spin": True}, "unknown spin"),
        ({"name": 3}, "name: Input should be a valid string"),
        ({"licence": ["MIT"]}, "licence: Input should be a valid string"),
        ({"levels": "PBE0"}, "levels: "),
        ({"reference_energies": {"PBE0": {"H": "x"}}}, "reference_energies.PBE0.H: "),
        ({"weights_sha256": None}, "weights_sha256: "),
    ],
)
def test_a_header_that_claims_too_much(model: Path, change: dict[str, Any], message: str, tmp_path: Path) -> None:
    path = _edited(model, tmp_path / "m.safetensors", "helio", change)
    with pytest.raises(HelioError, match=message) as raised:
        read_model(path)
    assert len(str(raised.value)) < 600


def test_settings_of_later_versions_may_lack() -> None:
    """A file that lacks a setting which did not exist when it was written is read, with the default."""
    from dataclasses import dataclass

    @dataclass(frozen=True)
    class Later(ForceFieldSettings):
        mixing: float = 0.0

    old = ForceFieldSettings().to_dict()
    assert Later.from_dict(old).mixing == 0.0
    del old["cutoff"]
    with pytest.raises(HelioError, match="missing cutoff"):
        Later.from_dict(old)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"architecture.layers": 10**9}, "layers must be from 1 to 64"),
        ({"architecture.width": 16_384}, "do not fit its architecture"),
        ({"architecture.form": "circular"}, "form: "),
        ({"scales.step": None}, "step: "),
        ({"name": {}}, "name: "),
    ],
)
def test_a_coarse_model_that_claims_too_much(change: dict[str, Any], message: str, tmp_path: Path) -> None:
    source = MODELS / "coarse-rouse.safetensors"
    with pytest.raises(HelioError, match=message):
        read_coarse(_edited(source, tmp_path / "m.safetensors", "helio_coarse", change))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"settings.network.layers": 10**9}, "layers: Input should be less than or equal to 64"),
        ({"settings.network.features": 4096}, "these need more than"),
        ({"settings.encoder": []}, "settings.encoder: "),
        ({"settings.schedule.sigma_min": "x"}, "sigma_min: "),
        ({"blocks": ["N1"]}, "has the shape"),
        ({"labels": {}}, "labels: "),
    ],
)
def test_a_framework_model_that_claims_too_much(change: dict[str, Any], message: str, tmp_path: Path) -> None:
    source = MODELS / "helio-frameworks.safetensors"
    with pytest.raises(HelioError, match=message):
        read_framework_model(_edited(source, tmp_path / "m.safetensors", "helio", change))


def _shared(levels: int) -> dict[str, Any]:
    """Dicts that each hold the one before twice: 2^levels paths in some hundred bytes."""
    tree: dict[str, Any] = {"x": {}}
    for _ in range(levels):
        tree = {"a": tree, "b": tree}
    return tree


def _deep(levels: int) -> bytes:
    return b"\x80\x04" + b"}X\x01\x00\x00\x00a" * levels + b"}" + b"s" * levels + b"."


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (pickle.dumps(_shared(40)), "stand in several places"),
        (_deep(50_000), "very deep"),
        (b"\x80\x04}r\x00\x00\x00\x10.", "it numbers more things than it has bytes"),
        (b"\x80\x04" + b"0" * 10, "damaged"),
        (b"(" * 2_000_000 + b".", "instructions"),
    ],
)
def test_hostile_pickles(content: bytes, message: str) -> None:
    with pytest.raises(HelioError, match=message) as raised:
        load_arrays(content, "params.pkl")
    assert len(str(raised.value)) < 500


def _archive(instructions: bytes, *, compressed: bool = False, extra: bytes = b"") -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED if compressed else zipfile.ZIP_STORED) as archive:
        archive.writestr("so3lr/data.pkl", instructions)
        archive.writestr("so3lr/data/0", extra)
    return content.getvalue()


def _encrypted(content: bytes) -> bytes:
    """With the flag of encryption in both headers of the first member."""
    marked = bytearray(content)
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        marked[marked.index(signature) + offset] |= 1
    return bytes(marked)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (_archive(b"N.", compressed=True, extra=bytes(300_000_000)), "would unpack to"),
        (_encrypted(_archive(b"N.")), "cannot be read"),
        (_archive(b"\x80\x04}r\x00\x00\x00\x10."), "it numbers more things"),
        (_archive(b"N."), "holds no model"),
        (_archive(b"N.")[:-30], "damaged"),
        (b"PK\x05\x06" + bytes(18), "no data.pkl inside"),
    ],
)
def test_hostile_archives(content: bytes, message: str) -> None:
    with pytest.raises(HelioError, match=message):
        read_torch_model(content, "so3lr.model")


def test_the_command_says_so(model: Path, tmp_path: Path) -> None:
    path = _edited(model, tmp_path / "m.safetensors", "helio", {"settings.num_layers": 10**9})
    for arguments in (["model", "info", str(path)], ["model", "convert", str(path), str(path)]):
        result = CliRunner().invoke(app, arguments)
        assert result.exit_code == 1 and isinstance(result.exception, SystemExit), result.output
    np.savez(tmp_path / "weights.npz", a=np.zeros(3))
    result = CliRunner().invoke(app, ["model", "convert", str(tmp_path / "weights.npz")])
    assert result.exit_code in (1, 2) and isinstance(result.exception, SystemExit)

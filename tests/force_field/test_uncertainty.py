"""An uncertainty in a model file: bit by bit, beside the weights, refused where it is damaged."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from safetensors.numpy import load_file, save

from helio.errors import HelioError
from helio.force_field import ForceField, ModelInfo, load_model, read_model_info, save_model
from helio.force_field.model_file import named_tensors
from helio.force_field.uncertainty import Uncertainty


@pytest.fixture(scope="module")
def uncertain(small_force_field: ForceField) -> ForceField:
    rng = np.random.default_rng(1)
    with jax.enable_x64(True):  # in another precision than the weights
        factor, members = jnp.asarray(rng.normal(size=(32, 32))), jnp.asarray(rng.normal(size=(5, 32)))
    return replace(small_force_field, uncertainty=Uncertainty(factor, members, limit=0.1 + 0.2, about="3 of a.h5"))


def test_bit_by_bit_beside_the_same_weights(uncertain: ForceField, tmp_path: Path) -> None:
    bare, known, again = (tmp_path / f"{name}.safetensors" for name in ("bare", "known", "again"))
    save_model(replace(uncertain, uncertainty=None), bare, ModelInfo("small"))
    save_model(uncertain, known, ModelInfo("small"))
    loaded = load_model(known, kernels="plain")
    found, expected = loaded.uncertainty, uncertain.uncertainty
    assert found is not None and expected is not None
    assert (found.limit, found.about) == (0.1 + 0.2, "3 of a.h5")
    for name in ("factor", "members"):
        one, other = np.asarray(getattr(found, name)), np.asarray(getattr(expected, name))
        assert one.dtype == other.dtype == np.float64 and one.tobytes() == other.tobytes()
    save_model(loaded, again, ModelInfo("small"))
    assert again.read_bytes() == known.read_bytes()

    assert load_model(bare).uncertainty is None
    assert named_tensors(loaded).keys() == named_tensors(load_model(bare)).keys()
    first, second = read_model_info(bare), read_model_info(known)
    assert replace(second, uncertainty=None) == first and second.uncertainty is not None
    assert (second.uncertainty.members, second.uncertainty.limit) == (5, 0.1 + 0.2)
    assert loaded.astype("float32").uncertainty.members.dtype == "float32"  # pyright: ignore


def without_members(tensors: dict[str, Any], record: dict[str, Any]) -> None:
    del tensors["uncertainty.members"]


def other_numbers(tensors: dict[str, Any], record: dict[str, Any]) -> None:
    tensors["uncertainty.factor"] = 2 * tensors["uncertainty.factor"]


def other_count(tensors: dict[str, Any], record: dict[str, Any]) -> None:
    record["uncertainty"]["members"] = 4


def not_in_the_header(tensors: dict[str, Any], record: dict[str, Any]) -> None:
    del record["uncertainty"]


@pytest.mark.parametrize("damage", [without_members, other_numbers, other_count, not_in_the_header])
def test_damaged(uncertain: ForceField, tmp_path: Path, damage: Callable[..., None]) -> None:
    path = tmp_path / "known.safetensors"
    save_model(uncertain, path, ModelInfo("small"))
    content = path.read_bytes()
    length = struct.unpack("<Q", content[:8])[0]
    record = json.loads(json.loads(content[8 : 8 + length])["__metadata__"]["helio"])
    tensors = load_file(path)
    damage(tensors, record)
    path.write_bytes(save(tensors, {"helio": json.dumps(record)}))
    with pytest.raises(HelioError, match=r"the uncertainty in .* is damaged or not whole: .* helio calibrate"):
        load_model(path)


def test_header_that_cannot_be_read(uncertain: ForceField, tmp_path: Path) -> None:
    path = tmp_path / "known.safetensors"
    save_model(uncertain, path, ModelInfo("small"))
    content = path.read_bytes()
    path.write_bytes(content.replace(rb"\"limit\"", rb"\"limbo\""))
    with pytest.raises(HelioError, match="its header cannot be read"):
        read_model_info(path)

"""Embeddings of whole systems, as a model in a file makes them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from helio.coarse.evaluation.embedding import embeddings
from helio.coarse.groups import groups_of
from helio.coarse.model_file import CoarseInfo, save_coarse
from helio.coarse.network.architecture import Architecture
from helio.coarse.network.model import CoarseModel
from helio.coarse.store import Store
from helio.coarse.topology import sizes_of, topology
from helio.errors import HelioError
from tests.coarse.conftest import SCALES, TINY, random_model


def test_mean_over_groups(rouse_store: Path, tmp_path: Path) -> None:
    """Padding to the largest system changes nothing, nor does another order of the groups."""
    path = tmp_path / "model.safetensors"
    architecture = Architecture(type_names=("X", "R"), bond_types=0, periodic=False, history=4, **TINY)
    model = CoarseModel(architecture, SCALES, seed=0)
    save_coarse(model, path, CoarseInfo("test", 2.0, "sigma", "tau", 8.0, "a test"))
    with Store(rouse_store) as store:
        names = sorted(store.names, key=lambda name: len(store.groups(name)))
        found = embeddings(path, store, names)
        for name in (names[0], names[-1]):
            system, groups = store.system(name), store.groups(name)
            reverse = groups_of(system, len(groups) - 1 - groups.members)
            own = topology(system, reverse, sizes_of([(system, reverse)]), types=np.ones(len(system), np.int32))
            assert np.allclose(found[name][:-1], np.asarray(model.embedding(own)).mean(axis=0), rtol=1e-4, atol=1e-5)
            assert found[name][-1] == pytest.approx(np.log(len(groups)))


def test_unknown_types(rouse_store: Path, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    save_coarse(random_model("equivariant"), path, CoarseInfo("test", 2.0, "sigma", "tau", 8.0, "a test"))
    with Store(rouse_store) as store, pytest.raises(HelioError, match="'R', which the model was not trained on"):
        embeddings(path, store, store.names)

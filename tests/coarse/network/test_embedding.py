"""Features of groups before anything is learned."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from helio.coarse.groups import make_groups
from helio.coarse.network.architecture import Architecture
from helio.coarse.network.embedding import Embedding, standardised
from helio.coarse.system import FineSystem, fine_system
from helio.coarse.topology import Topology, sizes_of, topology
from tests.coarse.conftest import TINY

pytest.importorskip("pymetis")


def chain(types: np.ndarray) -> FineSystem:
    return fine_system(types, np.ones(len(types)), [(i, i + 1) for i in range(len(types) - 1)])


def topologies(systems: list[FineSystem]) -> list[Topology]:
    parts = [(system, make_groups(system, beads_per_group=5)) for system in systems]
    sizes = sizes_of(parts)
    return [jax.tree.map(jnp.asarray, topology(*part, sizes)) for part in parts]


def embedding() -> Embedding:
    architecture = Architecture(type_names=("A", "B"), bond_types=0, periodic=False, history=2, **TINY)
    return Embedding(architecture, mean_mass=1.0, rng=np.random.default_rng(0))


def features(embed: Embedding, systems: list[Topology]) -> np.ndarray:
    compiled = eqx.filter_jit(embed)
    return np.concatenate([np.asarray(compiled(one))[np.asarray(one.group_masses) > 0] for one in systems])


def test_features_differ_as_much_as_other_inputs() -> None:
    rng = np.random.default_rng(1)
    systems = topologies([chain(rng.integers(0, 2, length)) for length in (20, 30, 40, 50, 25, 35)])
    drawn, made = embedding(), standardised(embedding(), systems)
    assert np.median(features(drawn, systems).std(axis=0)) < 0.3
    found = features(made, systems)
    np.testing.assert_allclose(found.mean(axis=0), 0, atol=1e-3)
    assert np.linalg.eigvalsh(np.cov(found.T))[-2:] == pytest.approx(1, rel=0.1)
    assert np.linalg.matrix_rank(features(drawn, systems)) == np.linalg.matrix_rank(found)


def test_groups_that_are_all_alike_change_nothing() -> None:
    ring = fine_system(np.zeros(5), np.ones(5), [(0, 1), (1, 2), (2, 3), (3, 4), (4, 0)])
    systems, drawn = topologies([ring, ring]), embedding()
    assert eqx.tree_equal(standardised(drawn, systems), drawn)

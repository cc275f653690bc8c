"""Small systems and models for the tests of coarse simulation."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from helio.coarse.groups import groups_of
from helio.coarse.network.architecture import Architecture, RefinementChoice
from helio.coarse.network.model import CoarseModel
from helio.coarse.network.standardise import Scales
from helio.coarse.store_writer import store_writer
from helio.coarse.system import fine_system
from helio.coarse.topology import sizes_of, topology
from helio.coarse.trajectory import Block, FineTrajectory

SCALES = Scales(
    step=0.7, change=1.1, bond=2.0, bead_mass=1.3, group_mass=4.0, gyration=3.0, longest_bond=5.0, largest_gyration=6.0
)
TINY: dict[str, Any] = {
    "width": 8,
    "layers": 1,
    "hidden_layers": 1,
    "embedding_width": 6,
    "embedding_layers": 1,
    "embedding_size": 5,
    "type_size": 3,
}


def random_model(form: str, *, periodic: bool = False, refined: bool = False, **more: Any) -> CoarseModel:
    """A model whose outputs, zero in a new one, are not."""
    sizes: dict[str, Any] = {"history": 4, "radius": 4.5, "columns": 12} if periodic else {"history": 4}
    architecture = Architecture(
        type_names=("A", "B"),
        bond_types=0,
        periodic=periodic,
        form=form,  # pyright: ignore[reportArgumentType]
        gyration_width=6,
        refinement=RefinementChoice(levels=2, inner_steps=1, eta=0.05) if refined else None,
        **(TINY | sizes | more),
    )
    rng = np.random.default_rng(1)
    model = CoarseModel(architecture, SCALES, seed=0)
    return jax.tree.map(lambda leaf: leaf + jnp.asarray(0.1 * rng.normal(size=leaf.shape), leaf.dtype), model)


@pytest.fixture(scope="session")
def branched() -> SimpleNamespace:
    """Two molecules of 12 and 5 beads in 5 groups, with places to go; topology, history and a box."""
    bonds = [(i, i + 1) for i in range(10)] + [(3, 11)] + [(i, i + 1) for i in range(12, 16)]
    system = fine_system(np.arange(17) % 2, 1 + 0.1 * np.arange(17), bonds)
    groups = groups_of(system, np.array([0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 0, 3, 3, 4, 4, 4]))
    rng = np.random.default_rng(0)
    newest = 2 * rng.normal(size=(5, 3))
    steps = 0.6 * rng.normal(size=(3, 5, 3))
    return SimpleNamespace(
        system=system,
        groups=groups,
        topology=jax.tree.map(jnp.asarray, topology(system, groups, sizes_of([(system, groups)]))),
        newest=jnp.asarray(newest, jnp.float32),
        steps=jnp.asarray(steps, jnp.float32),
        box=jnp.asarray([9.0, 10.0, 11.0], jnp.float32),
    )


@pytest.fixture(scope="session")
def rouse_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight Rouse chains of 16 to 24 beads in 2 or 3 groups, 60 frames 2 tau apart; two validate, two test."""
    pytest.importorskip("pymetis")
    from helio.coarse.reference.data_sets import StoreOptions, write_rouse

    path = tmp_path_factory.mktemp("rouse") / "rouse.h5"
    options = StoreOptions(beads_per_group=8, validation=2, test=2, seed=3)
    write_rouse(path, 8, beads=(16, 24), frames=60, interval=2.0, options=options)
    return path


def melt_store(path: Path) -> Path:
    """Forty chains of four beads, in groups of two, in a box: eight frames 2 tau apart, to train on."""
    bonds = [(4 * chain + i, 4 * chain + i + 1) for chain in range(40) for i in range(3)]
    rng = np.random.default_rng(0)
    start = np.repeat(rng.uniform(0, 12, size=(40, 1, 3)), 4, axis=1) + rng.normal(size=(40, 4, 3))
    positions = start.reshape(160, 3) + np.cumsum(0.3 * rng.normal(size=(8, 160, 3)), axis=0)
    system = fine_system(np.zeros(160), np.ones(160), bonds, box=[12.0, 13.0, 14.0])
    trajectory = FineTrajectory("melt", system, ("R",), lambda: iter([Block(positions)]), 2.0, "sigma", "tau")
    with store_writer(path, type_names=("R",), length_unit="sigma", time_unit="tau", beads_per_group=2) as writer:
        writer.add(trajectory, "train")
    return path

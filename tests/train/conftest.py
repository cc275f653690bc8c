"""Batches made by hand, for tests of what is done with them."""

from __future__ import annotations

from functools import reduce

import jax
import numpy as np
import pytest

from helio.force_field import ForceField, ForceFieldSettings
from helio.neighbors.widening import Sizes, sizes, widened
from helio.system import System
from helio.train.batches import Batch, Known, Labels

TINY = ForceFieldSettings(
    num_layers=1, features=8, num_heads=2, degrees=(1, 2), num_radial=6, spherical_hidden=4, hirshfeld_width=4
)
ALL_LABELS = ("energy", "forces", "stress", "dipole", "charges", "hirshfeld_ratios", "atomic_energies")


@pytest.fixture(scope="session")
def tiny_force_field() -> ForceField:
    return ForceField.initialise(TINY, 3).with_options(long_range_cutoff=None)


def molecule(rng: np.random.Generator, count: int) -> System:
    """A chain of atoms about 1.2 A apart."""
    steps = rng.normal(size=(count, 3))
    positions = np.cumsum(1.2 * steps / np.linalg.norm(steps, axis=1, keepdims=True) + [0.6, 0, 0], axis=0)
    numbers = rng.choice([1, 6, 7, 8], size=count).astype(np.int32)
    return System(
        positions=positions,
        atomic_numbers=numbers,
        masses=np.ones(count),
        cell=np.eye(3),
        total_charge=np.float64(rng.integers(-1, 2)),
        unpaired_electrons=np.float64(0),
    )


def crystal(rng: np.random.Generator, count: int) -> System:
    """Atoms on a distorted lattice with periodic boundaries."""
    grid = np.stack(np.meshgrid(*[np.arange(2)] * 3), axis=-1).reshape(-1, 3)[:count] * 2.0
    return System(
        positions=grid + 0.1 * rng.normal(size=grid.shape),
        atomic_numbers=rng.choice([1, 8], size=count).astype(np.int32),
        masses=np.ones(count),
        cell=4.0 * np.eye(3) + 0.1 * rng.normal(size=(3, 3)),
        total_charge=np.float64(0),
        unpaired_electrons=np.float64(0),
        pbc=(True, True, True),
    )


def batch_of(
    force_field: ForceField,
    systems: list[System],
    *,
    seed: int = 0,
    rows: int | None = None,
    structures: int | None = None,
    wider: int = 0,
    known: tuple[str, ...] = ALL_LABELS,
) -> Batch:
    """A batch with random labels, padded to `rows` atoms and `structures`, its lists `wider` than need be.

    Labels of a structure depend on the seed and its place alone.
    """
    rows = rows or max(map(len, systems))
    structures = structures or len(systems)
    lists = [force_field.neighbors(system, rows=rows) for system in systems]
    most = reduce(Sizes.union, map(sizes, lists))
    most = Sizes(*(size + wider if size else 0 for size in most))
    chosen = [min(i, len(systems) - 1) for i in range(structures)]

    def stacked(trees):
        return jax.tree.map(lambda *leaves: np.stack(leaves), *trees)

    labels = stacked([_labels(np.random.default_rng([seed, i]), len(systems[i]), rows) for i in chosen])
    real = np.arange(structures) < len(systems)
    return Batch(
        system=stacked([systems[i].padded(rows) for i in chosen]),
        neighbors=stacked([widened(lists[i], most) for i in chosen]),
        labels=labels,
        known=Known(**{name: real & (name in known) for name in ALL_LABELS}),
        weight=real * 1.0,
        level=np.zeros(structures, np.int32),
        source=np.zeros(structures, np.int32),
        index=np.array(chosen, np.int32),
        real=real,
    )


def _labels(rng: np.random.Generator, count: int, rows: int) -> Labels:
    def per_atom(*shape: int) -> np.ndarray:
        return np.concatenate([rng.normal(size=(count, *shape)), np.zeros((rows - count, *shape))])

    return Labels(
        energy=rng.normal(),  # pyright: ignore
        forces=per_atom(3),
        stress=0.1 * rng.normal(size=(3, 3)),
        dipole=rng.normal(size=3),
        charges=per_atom(),
        hirshfeld_ratios=per_atom(),
        atomic_energies=per_atom(),
    )

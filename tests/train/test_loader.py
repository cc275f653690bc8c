"""Batches from a store: complete, in the same order after a break, and right."""

from __future__ import annotations

import json
import math
import time

import ase.io
import jax
import numpy as np
import pytest
from ase.build import bulk, molecule

from helio.datasets.store import Store
from helio.errors import HelioError
from helio.neighbors import host_list
from helio.precision import numerics
from helio.settings.checking import checked
from helio.train.devices import make_mesh
from helio.train.importing import ImportSettings, import_files
from helio.train.loader import Loader
from helio.train.reference_energies import fitted_energies, given_energies
from helio.train.settings import TrainSettings
from helio.train.setup import make_loader
from helio.train.shapes import FEW_SHAPES

NAMES = ("H2O", "CH4", "C2H6", "CH3CH2OH", "C6H6", "CH3COCH3", "NH3", "CO2", "HCOOH")
SETTINGS = {"short_cutoff": 4.5, "structures_per_batch": 16, "long_cutoff": 6.0}


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    folder = tmp_path_factory.mktemp("store")
    rng = np.random.default_rng(0)
    frames = []
    for number in range(360):
        atoms = molecule(NAMES[rng.integers(len(NAMES))])
        if number % 10 == 0:
            atoms = bulk("NaCl", "rocksalt", a=5.6, cubic=number % 20 == 0)
        atoms.rattle(0.05, seed=number)
        atoms.info["REF_energy"] = -10.0 * len(atoms) + rng.normal()
        if number % 3:
            atoms.arrays["REF_forces"] = rng.normal(size=(len(atoms), 3))
            atoms.info["REF_dipole"] = rng.normal(size=3)
        if number % 4 == 0:
            atoms.arrays["REF_charges"] = np.zeros(len(atoms))
            atoms.arrays["REF_hirshfeld_ratios"] = rng.uniform(0.5, 1, size=len(atoms))
            atoms.arrays["REF_atomic_energies"] = rng.normal(size=len(atoms))
        atoms.info["level"] = ("PBE0", "PBE")[number % 2]
        frames.append(atoms)
    ase.io.write(folder / "mixed.extxyz", frames)
    import_files([folder / "mixed.extxyz"], folder / "store.h5", ImportSettings(check_units=False))
    return Store(folder / "store.h5")


def loader(store, **changes) -> Loader:
    return Loader(store, np.arange(len(store)), **(SETTINGS | changes))


def same(first, second) -> bool:
    pairs = zip(jax.tree.leaves(first), jax.tree.leaves(second), strict=True)
    return all(np.array_equal(a, b) for a, b in pairs)


def half_of(batch) -> np.ndarray:
    return np.asarray(batch.neighbors.short.half)


def taken(loader: Loader, count: int) -> list:
    return [next(loader) for _ in range(count)]


def test_every_structure_once_in_every_pass(store):
    made = loader(store, epochs=2)
    batches = list(made)
    assert len(batches) == 2 * made.batches_per_epoch
    passes = [batches[: len(batches) // 2], batches[len(batches) // 2 :]]
    orders = [np.concatenate([batch.index[batch.real] for batch in one]) for one in passes]
    for order in orders:
        np.testing.assert_array_equal(np.sort(order), np.arange(len(store)))
    assert (orders[0] != orders[1]).any()
    assert {len({batch.system.pbc for batch in one}) for one in passes} == {2}
    shapes = {tuple(leaf.shape for leaf in jax.tree.leaves(batch)) for batch in batches}
    assert len(shapes) == len(made.shapes)
    assert made.epoch == 2 and made.waited > 0


def test_few_shapes_where_padding_matters_less(store, tiny_force_field):
    settings = checked(TrainSettings, {"data": str(store.path), "structures_per_batch": 8})
    molecules = np.flatnonzero(~np.asarray(store.rows("periodic"), bool).any(axis=1))

    def shapes(settings, **kind):
        table = given_energies(store, {})
        return len(make_loader(settings, store, molecules, tiny_force_field, make_mesh(1), table, **kind).shapes)

    assert shapes(settings) > FEW_SHAPES
    assert shapes(settings, once=True) == shapes(settings, replayed=True) == FEW_SHAPES
    fewer = settings.model_copy(update={"most_shapes": 2})
    assert shapes(fewer) == shapes(fewer, once=True) == 2


def test_padding_stays_small(store):
    waste = loader(store).waste()
    assert max(waste) < 0.15
    batches = list(loader(store, epochs=1))
    places = sum(batch.system.atomic_numbers.size for batch in batches)
    atoms = sum((batch.system.atomic_numbers[batch.real] > 0).sum() for batch in batches)
    assert math.isclose(waste.atoms, 1 - atoms / places)
    halves = [(half_of(batch)[..., 0], batch.system.positions.shape[1], batch.real) for batch in batches]
    pairs = sum((half[real] < rows).sum() for half, rows, real in halves)
    places = sum(half.size for half, _, _ in halves)
    assert math.isclose(waste.pairs, 1 - pairs / places)


@pytest.mark.parametrize("stop", [1, 7, 40])
def test_resumed_order_is_the_uninterrupted_one(store, stop):
    through = taken(loader(store, seed=3), 45)
    broken = loader(store, seed=3)
    taken(broken, stop)
    state = json.loads(json.dumps(broken.state()))
    assert len(json.dumps(state)) < 200
    again = loader(store, seed=3)
    again.restore(state)
    assert all(same(a, b) for a, b in zip(taken(again, 45 - stop), through[stop:], strict=True))
    again.restart()
    assert same(next(again), through[0])


def test_other_data_or_seed_cannot_be_gone_on_with(store):
    state = loader(store).state()
    for changes, word in (
        ({"seed": 1}, "seed"),
        ({"structures_per_batch": 8}, "data"),
        ({"shuffle": False}, "shuffle"),
    ):
        with pytest.raises(HelioError, match=f"other {word} than before"):
            loader(store, **changes).restore(state)


def test_labels_and_energies(store):
    free = fitted_energies(store, np.arange(len(store)))
    for batch in taken(loader(store, reference_energies=free, level_weights={"PBE": 0.5}), 12):
        for row, number in enumerate(batch.index):
            labels, count = store.labels(int(number)), int(store.atoms[number])
            for name in ("forces", "dipole", "charges", "hirshfeld_ratios", "atomic_energies", "stress"):
                value = getattr(batch.labels, name)[row]
                known = bool(getattr(batch.known, name)[row])
                assert known == (name in labels and bool(batch.real[row]))
                expected = labels[name] if known else 0.0
                per_atom = name not in ("dipole", "stress")
                np.testing.assert_array_equal(value[:count] if per_atom else value, expected)
                if per_atom:
                    assert not value[count:].any()
            numbers = store.system(int(number)).atomic_numbers
            if batch.real[row]:
                less = labels["energy"] - free[batch.level[row], numbers].sum()
                assert math.isclose(batch.labels.energy[row], less, abs_tol=1e-9)
                assert batch.weight[row] == (0.5 if store.levels[batch.level[row]] == "PBE" else 1.0)
            else:
                assert batch.weight[row] == 0
            assert not batch.system.atomic_numbers[row, count:].any()


def test_lists_are_those_of_each_structure(store):
    for batch in list(loader(store, epochs=1))[::3]:
        rows = batch.system.positions.shape[1]
        for row, number in enumerate(batch.index):
            system = store.system(int(number))
            where = system.positions, system.cell, system.pbc
            for made, cutoff in (
                (batch.neighbors.short, 4.5),
                (batch.neighbors.long, 6.0 if any(system.pbc) else None),
            ):
                one = host_list(*where, cutoff=cutoff, rows=rows)
                width = min(one.index.shape[1], made.index.shape[2])
                np.testing.assert_array_equal(made.index[row, :, :width], one.index[:, :width])
                assert (made.index[row, :, width:] == rows).all() and (np.asarray(one.index)[:, width:] == rows).all()
                if made.shift is not None and one.shift is not None:
                    np.testing.assert_array_equal(made.shift[row, :, :width], one.shift[:, :width])
            named = int((half_of(batch)[row, :, 0] < rows).sum())
            assert named == int((batch.neighbors.short.index[row] < rows).sum()) // 2


@pytest.mark.parametrize("periodic", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_forces_of_a_batch_are_those_of_its_structures(store, tiny_force_field, periodic):
    """Padding atoms, pairs and structures change nothing."""
    kind = np.flatnonzero(np.any(store.rows("periodic"), axis=1) == periodic)
    indices = kind[[int(store.atoms[kind].argmin()), int(store.atoms[kind].argmax()), 1]]
    batch = next(Loader(store, indices, short_cutoff=4.5, structures_per_batch=4, long_cutoff=6.0, blocks=4))
    own = tiny_force_field.with_options(long_range_cutoff=6.0 if periodic else None)
    row = int(np.flatnonzero(batch.index == indices[0])[0])
    system = store.system(int(indices[0]))
    assert len(system) < batch.system.positions.shape[1]
    with numerics("float64"):
        own, sent = own.astype("float64"), batch.astype("float64")
        made = jax.jit(jax.vmap(own))(sent.system, sent.neighbors)
        alone = jax.jit(own.__call__)(system.astype("float64"), jax.tree.map(jax.numpy.asarray, own.neighbors(system)))
    assert math.isclose(float(made.energy[row]), float(alone.energy), abs_tol=1e-9)
    np.testing.assert_allclose(made.forces[row, : len(system)], alone.forces, atol=1e-9)


def test_hosts_share_the_same_batches(store):
    whole = taken(loader(store, blocks=4), 6)
    parts = [taken(loader(store, blocks=4, host=(number, 2)), 6) for number in range(2)]
    for batch, first, second in zip(whole, *parts, strict=True):
        assert same(jax.tree.map(lambda *leaves: np.concatenate(leaves), first, second), batch)
        assert batch.real.size % 4 == 0


def test_batches_are_placed_ahead(store):
    placed = []

    def place(batch):
        placed.append(batch)
        return batch

    made = loader(store, place=place)
    first = next(made)
    deadline = time.monotonic() + 10
    while len(placed) < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert placed[0] is first and len(placed) >= 2
    made.close()


def test_errors_ahead_are_raised(store):
    def refuse(batch):
        raise HelioError("no device")

    with pytest.raises(HelioError, match="no device"):
        next(loader(store, place=refuse))


def test_worker_processes_give_the_same_batches(store):
    made = loader(store, workers=1, epochs=1)
    try:
        batches = taken(made, 3)
    finally:
        made.close()
    assert all(same(a, b) for a, b in zip(batches, taken(loader(store), 3), strict=True))
    assert type(batches[0].system.positions) is np.ndarray  # its own memory, not the workers'


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"long_cutoff": None}, "periodic: these need a long-range cutoff"),
        ({"level_weights": {"B3LYP": 2.0}}, "'B3LYP', but the data have PBE0, PBE"),
        ({"source_weights": {"QM9": 2.0}}, "'QM9', but the data have mixed"),
        ({"structures_per_batch": 10, "blocks": 4}, "shared evenly by 4 devices"),
        ({"blocks": 3, "structures_per_batch": 9, "host": (0, 2)}, "shared by 2 hosts"),
    ],
)
def test_mistakes_are_explained(store, changes, message):
    with pytest.raises(HelioError, match=message):
        loader(store, **changes)


def test_no_structures(store):
    with pytest.raises(HelioError, match="no structures are chosen"):
        Loader(store, np.array([], int), **SETTINGS)
    with pytest.raises(HelioError, match=f"not {len(store)}"):
        Loader(store, np.array([0, len(store)]), **SETTINGS)

"""The salt in a polymer: neutral, dense, whole, as its seed says; polar beads attract cations."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from helio.coarse.evaluation.pair_distribution import pair_distribution
from helio.coarse.evaluation.properties import ion_kinds, measure
from helio.coarse.evaluation.track import Track
from helio.coarse.reference.electrolyte import (
    DENSITY,
    TYPES,
    ElectrolyteSettings,
    _placed,
    electrolyte,
    electrolytes,
    simulate,
)
from helio.errors import HelioError

SMALL = ElectrolyteSettings(beads=400, ions=20, frames=60, interval=1.0, equilibration=10.0)


def test_compositions():
    found = electrolytes(6, SMALL, seed=3)
    assert [e.system.types.tolist() for e in found.values()] == [
        e.system.types.tolist() for e in electrolytes(6, SMALL, seed=3).values()
    ]
    assert len({(e.length, e.spacing, e.polar) for e in found.values()}) == 6
    for one in found.values():
        system = one.system
        assert system.box is not None and len(system) / system.box.prod() == pytest.approx(DENSITY)
        assert np.bincount(system.types)[-2:].tolist() == [20, 20]
        chains = np.bincount(system.molecules)
        assert set(chains.tolist()) == {one.length, 1} and np.count_nonzero(chains == 1) == 40
        chain = system.types[: one.length]
        assert set(np.diff(np.flatnonzero(chain)).tolist()) <= {one.spacing}
        names = [TYPES[kind] for kind in chain[chain > 0]]
        assert names == [one.polar[number % 2] for number in range(len(names))]


def test_start_has_no_overlaps():
    for seed, one in enumerate(electrolytes(4, SMALL, seed=5).values()):
        places, box = _placed(one, np.random.default_rng(seed)), one.system.box
        assert box is not None
        vectors = places[:, None] - places
        vectors -= box * np.rint(vectors / box)
        apart = np.linalg.norm(vectors, axis=2)[np.triu_indices(len(places), 1)]
        ends = places[one.system.bonds]
        assert apart.min() > 0.9 and np.linalg.norm(ends[:, 0] - ends[:, 1], axis=1).max() < 1.5


def test_simulation():
    systems = {
        "strong": electrolyte(SMALL, 10, 3, ("P4",)),
        "weak": electrolyte(SMALL, 10, 3, ("P1",)),
    }
    peaks = {}
    for name, trajectory in simulate(systems, dict.fromkeys(systems, SMALL), seed=2, processes=2):
        system = trajectory.system
        assert trajectory.type_names == TYPES and system.box is not None
        positions = np.concatenate([block.positions for block in trajectory.frames()])
        assert positions.shape == (60, len(system), 3)
        lengths = np.linalg.norm(positions[:, system.bonds[:, 0]] - positions[:, system.bonds[:, 1]], axis=2)
        assert 0.94 < lengths.mean() < 0.99 and lengths.max() < 1.3  # 0.97 in the melts of Kremer and Grest
        cations = np.flatnonzero(system.types == TYPES.index("Li+"))
        polar = np.flatnonzero((system.types > 0) & (system.types < TYPES.index("Li+")))
        found = pair_distribution(positions, cations, polar, system.box, reach=4.0, bins=40)
        peaks[name] = found.g.max()
        assert 0.9 < found.r[found.g.argmax()] < 1.3 and found.g[:7].max() < 0.1
        sizes, first = np.bincount(system.molecules), np.unique(system.molecules, return_index=True)[1]
        kinds = tuple("chain" if size > 1 else TYPES[system.types[i]] for size, i in zip(sizes, first, strict=True))
        boxes = np.tile(system.box, (60, 1))
        track = Track(name, positions, 1.0, system.masses, system.bonds, system.molecules, kinds, boxes, None)
        assert ion_kinds(track) == ("Li+", "X-")
        measured = measure(track, gyration="groups")
        assert measured["diffusivity Li+"].value > 0 and 0 < measured["ideal_transference"].value < 1
    assert peaks["strong"] > 1.5 * peaks["weak"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ions": 0}, "one ion of each sign"),
        ({"beads": 200}, r"make a box of 6\.\d sigma; it must be twice .* take 436 or more"),
        ({"interval": 0.505}, "must be a multiple of the time step"),
        ({"bjerrum": 0.0}, "Bjerrum length must be above zero"),
    ],
)
def test_mistakes(change, message):
    with pytest.raises(HelioError, match=message):
        electrolytes(2, dataclasses.replace(SMALL, **change), seed=0)

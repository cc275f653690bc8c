"""Roll-outs that are exact, or wrong in a known way, of Rouse chains: what the comparison says of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from helio.coarse.evaluation.chains import gyration_of_groups
from helio.coarse.evaluation.comparison import compare
from helio.coarse.evaluation.record import read_record, record_of, write_record
from helio.coarse.evaluation.speed import Speed, speed_of
from helio.coarse.evaluation.track import simulated
from helio.coarse.groups import centers, radii_of_gyration
from helio.coarse.reference.data_sets import StoreOptions, write_rouse
from helio.coarse.reference.rouse import RouseChain
from helio.coarse.rollout_file import RolledSystem, Rollout, RolloutInfo, append_frames, create_rollout
from helio.coarse.store import Store
from helio.errors import HelioError

pytest.importorskip("pymetis")
INFO = RolloutInfo("sigma", "tau", "model.safetensors", "rouse.h5", seed=1, history=5, device="cpu", cores=2)


@pytest.fixture(scope="module")
def rouse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("rouse") / "rouse.h5"
    options = StoreOptions(beads_per_group=4, validation=0, test=4, seed=2)
    write_rouse(path, 14, beads=(8, 24), frames=400, interval=2.0, options=options)
    return path


def roll_out(path: Path, store: Path, *, frames: int, seed: int, friction: float = 1.0, scale: float = 1.0) -> Path:
    """As a model of chains with another friction and size would do it; seconds are made up: 4 on 2 cores."""
    with Store(store) as opened:
        names = opened.part("test")
        systems = {name: RolledSystem(opened.groups(name), 2.0, 2.0, history_begin=0, history_end=5) for name in names}
        create_rollout(path, INFO, systems, gyration=True)
        for number, name in enumerate(names):
            system, groups = opened.system(name), opened.groups(name)
            chain = RouseChain(len(system), friction=friction)
            blocks = chain.simulate(frames=frames, interval=2.0, seed=seed + number)
            beads = scale * np.concatenate([block.positions for block in blocks])
            radii = radii_of_gyration(system, beads)
            append_frames(path, {name: centers(system, groups, beads)}, {name: radii**2}, seconds=1.0)
    return path


def record(rollouts: list[Path], store: Path, **options) -> dict:
    with Store(store) as opened:
        found = [Rollout(path) for path in rollouts]
        comparison = compare(found, opened, short_time=options.pop("short_time", 200.0), report=lambda what: None)
        speed = speed_of(found, opened, simulation=options.pop("simulation", 50.0))
        for rollout in found:
            rollout.close()
        return record_of(comparison, speed, {"short": "given", "runs": [str(p) for p in rollouts]})


def mean(found: dict[str, float | None]) -> float:
    """Over the systems that have a value."""
    return float(np.mean([value for value in found.values() if value is not None]))


def by_name(found: dict, name: str) -> dict:
    return next(entry for entry in found["properties"] if entry["name"] == name)


def test_an_exact_model(rouse, tmp_path):
    """It agrees with the closed form within its own errors, and better than short simulation."""
    found = record([roll_out(tmp_path / "a.h5", rouse, frames=4000, seed=7)], rouse)
    names = {entry["name"] for entry in found["properties"]}
    assert names == {
        "rg_squared", "rg_squared_spread", "rg_squared_time", "end_to_end_time", "diffusivity chain"
    }  # fmt: skip
    for entry in found["properties"]:
        assert entry["against"] == "closed form"
        for system in entry["systems"].values():
            [(value, error)] = system["model"]
            assert abs(value - system["exact"]) < 4.5 * error + 0.02 * system["exact"], entry["name"]
        if entry["name"] != "diffusivity chain":
            scores = entry["scores"]
            assert scores["model"]["mae"]["value"] < 0.7 * scores["short"]["mae"]["value"], entry["name"]
            assert scores["model"]["mae"]["value"] < 0.7 * scores["mean"]["mae"]["value"]
    size = by_name(found, "rg_squared")["scores"]
    assert size["model"]["r_squared"]["value"] > 0.95 and size["mean"]["r_squared"]["value"] <= 0
    assert size["model"]["rank"]["value"] == pytest.approx(1.0) and size["mean"]["rank"]["value"] is None
    assert size["regression"]["mae"]["value"] < 0.5 * size["mean"]["mae"]["value"]  # size follows from the length
    for metric, sources in found["distances"].items():
        assert mean(sources["model"]) < mean(sources["short"]), metric
    assert all(system["stable"] == 1 for system in found["systems"].values())


def test_wrong_models_are_seen(rouse, tmp_path):
    """Twice the friction: times double, sizes stay. Chains 1.2 times as large: Rg^2 is 1.44 times its value."""
    slow = record([roll_out(tmp_path / "slow.h5", rouse, frames=3000, seed=3, friction=2.0)], rouse)
    assert by_name(slow, "end_to_end_time")["scores"]["model"]["bias"]["value"] == pytest.approx(0.3, abs=0.06)
    assert by_name(slow, "diffusivity chain")["scores"]["model"]["bias"]["value"] == pytest.approx(-0.3, abs=0.2)
    assert abs(by_name(slow, "rg_squared")["scores"]["model"]["bias"]["value"]) < 0.3
    large = record([roll_out(tmp_path / "large.h5", rouse, frames=3000, seed=4, scale=1.2)], rouse)
    for system in by_name(large, "rg_squared")["systems"].values():
        assert system["model"][0][0] / system["exact"] == pytest.approx(1.44, rel=0.12)
    moved = large["distances"]["earth mover's distance of Rg²"]
    for name, system in by_name(large, "rg_squared")["systems"].items():
        assert moved["model"][name] == pytest.approx(0.44 * system["exact"], rel=0.35)


def test_several_seeds_and_the_record(rouse, tmp_path):
    paths = [roll_out(tmp_path / f"{seed}.h5", rouse, frames=200, seed=seed) for seed in (10, 20)]
    found = record(paths, rouse)
    scores = by_name(found, "rg_squared")["scores"]
    assert scores["model"]["rows"] == 2 and scores["model"]["mae"]["spread"] > 0
    assert scores["short"]["rows"] == 3  # of 101 frames in 400
    write_record(tmp_path / "evaluation.json", found)
    assert read_record(tmp_path / "evaluation.json") == found


def test_a_roll_out_that_breaks(rouse, tmp_path):
    path = roll_out(tmp_path / "broken.h5", rouse, frames=100, seed=1)
    with h5py.File(path, "r+") as file:
        systems: Any = file["systems"]
        next(iter(systems.values()))["centers"][75:] = np.nan
    found = record([path], rouse)
    assert min(system["stable"] for system in found["systems"].values()) == pytest.approx(0.75)
    with h5py.File(path, "r+") as file:
        systems = file["systems"]
        next(iter(systems.values()))["centers"][20:] = np.inf
    with pytest.raises(HelioError, match="has 20 finite frames to look at; 41 are needed"):
        record([path], rouse)


def test_without_heads_groups_are_compared(rouse, tmp_path):
    path = tmp_path / "plain.h5"
    with Store(rouse) as opened:
        name = opened.part("test")[0]
        create_rollout(path, INFO, {name: RolledSystem(opened.groups(name), 2.0, 2.0, 0, 5)}, gyration=False)
        append_frames(path, {name: opened.centers(name)}, seconds=1.0)
    found = record([path], rouse)
    assert found["gyration"] == "groups"
    entry = by_name(found, "rg_squared")
    assert entry["against"] == "simulation"
    system = entry["systems"][name]
    # Radii of the groups' centres are not those of all beads, even if they are there.
    with Store(rouse) as opened:
        again = tmp_path / "groups.h5"
        create_rollout(again, INFO, {name: RolledSystem(opened.groups(name), 2.0, 2.0, 0, 5)}, gyration=True)
        radii = gyration_of_groups(simulated(opened, name))
        append_frames(again, {name: opened.centers(name)}, {name: radii}, seconds=1.0)
    assert record([again], rouse)["gyration"] == "groups"
    assert system["model"][0] == pytest.approx(system["reference"])  # it is the same trajectory


def test_speed():
    """By hand: 1,000 tau in 5 s on 2 cores, beside 20 tau per core-second."""
    speed = Speed(
        rolled=1000, history=40, seconds=5, compile_seconds=1, cores=2, device="cpu", simulation=20,
        training_data=400, training_core_seconds=100,
    )  # fmt: skip
    assert speed.rate == 100 and speed.gain == 5
    assert speed.gain_with_start == pytest.approx(1040 / (10 + 2 + 2) / 20)
    assert speed.equal_cost(7) == pytest.approx(14 * 20 / 7)
    assert speed.investment == 120 and speed.pays_after == pytest.approx(120 / (1 / 20 - 1 / 100))
    assert Speed(1000, 40, 100, 1, 2, "cpu", simulation=20, training_core_seconds=1).pays_after is None
    assert Speed(1000, 40, 5, 1, 2, "cpu").gain is None
    given = Speed(1000, 40, 5, 1, 2, "cpu", simulation=20, given_core_seconds=4)
    assert given.rate == 250 and given.gain_with_start == pytest.approx(1040 / (4 + 2) / 20)


def test_what_does_not_fit(rouse, tmp_path):
    path = roll_out(tmp_path / "a.h5", rouse, frames=60, seed=7)
    other = tmp_path / "other.h5"
    options = StoreOptions(beads_per_group=4, validation=0, test=1, seed=0)
    write_rouse(other, 3, beads=(8, 9), frames=60, interval=2.0, options=options)
    with pytest.raises(HelioError, match="does not: give the store it began from"):
        record([path], other)
    with pytest.raises(HelioError, match="there is no roll-out"):
        Rollout(tmp_path / "missing.h5")
    with pytest.raises(HelioError, match="is no roll-out: `helio coarse simulate` makes one"):
        Rollout(rouse)
    with pytest.raises(HelioError, match="is no evaluation"):
        (tmp_path / "x.json").write_text("{}")
        read_record(tmp_path / "x.json")

"""Roll-outs on disk: what is written is read back, cut, and continued."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from helio.coarse.groups import groups_of
from helio.coarse.rollout_file import (
    RolledSystem,
    Rollout,
    RolloutInfo,
    append_frames,
    create_rollout,
    cut_frames,
)
from helio.coarse.system import fine_system
from helio.errors import HelioError

INFO = RolloutInfo("sigma", "tau", "m.safetensors", "s.h5", seed=4, history=3, device="cpu", cores=2)


def systems() -> dict[str, RolledSystem]:
    chain = fine_system(np.zeros(6), np.arange(1.0, 7.0), [(i, i + 1) for i in range(5)])
    pair = fine_system(np.zeros(4), np.ones(4), [(0, 1), (2, 3)], box=[5.0, 6.0, 7.0])
    return {
        "chain": RolledSystem(groups_of(chain, np.array([0, 0, 1, 1, 2, 2])), 10.0, 5.0, 7, 10),
        "pair": RolledSystem(groups_of(pair, np.array([0, 0, 1, 1])), 10.0, 5.0, 0, 3, box=pair.box),
    }


def frames(count: int, seed: int) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    random = np.random.default_rng(seed)
    shapes = {"chain": (3, 1), "pair": (2, 2)}
    places = {name: random.normal(size=(count, groups, 3)).astype(np.float32) for name, (groups, _) in shapes.items()}
    return places, {name: random.random((count, many)).astype(np.float32) for name, (_, many) in shapes.items()}


def test_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "rollout.h5"
    create_rollout(path, INFO, systems(), gyration=True)
    first, second = frames(5, 1), frames(4, 2)
    append_frames(path, *first, seconds=1.5, compile_seconds=3.0)
    append_frames(path, *second, seconds=0.5)
    with Rollout(path) as found:
        assert found.info == INFO and found.names == ("chain", "pair")
        assert (found.seconds, found.compile_seconds) == (2.0, 3.0)
        assert found.number("chain", "history_begin") == 7 and found.number("pair", "step_interval") == 5
        assert found.box("chain") is None and np.array_equal(found.box("pair"), [5, 6, 7])  # pyright: ignore
        assert np.array_equal(found.array("chain", "group_masses"), [3, 7, 11])
        assert found.array("chain", "group_bonds").tolist() == [[0, 1], [1, 2]]
        for name in found.names:
            assert found.frames(name) == 9
            assert np.array_equal(found.centers(name), np.concatenate([first[0][name], second[0][name]]))
            assert np.array_equal(found.centers(name, 4, 6), found.centers(name)[4:6])
            assert np.array_equal(found.rg_squared(name), np.concatenate([first[1][name], second[1][name]]))  # pyright: ignore


def test_cut_and_continued(tmp_path: Path) -> None:
    """As if the frames after a checkpoint had never been."""
    path = tmp_path / "rollout.h5"
    create_rollout(path, INFO, systems(), gyration=True)
    append_frames(path, *frames(5, 1), seconds=1.0)
    append_frames(path, *frames(3, 9), seconds=1.0)
    cut_frames(path, 5, seconds=1.0)
    append_frames(path, *frames(4, 2), seconds=2.0)
    with Rollout(path) as found:
        assert found.seconds == 3.0
        assert np.array_equal(found.centers("pair"), np.concatenate([frames(5, 1)[0]["pair"], frames(4, 2)[0]["pair"]]))


def test_without_radii_and_what_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "rollout.h5"
    create_rollout(path, INFO, systems(), gyration=False)
    append_frames(path, frames(2, 1)[0], seconds=1.0)
    with Rollout(path) as found:
        assert found.rg_squared("chain") is None and found.frames("pair") == 2
    with pytest.raises(HelioError, match="exists; give another name"):
        create_rollout(path, INFO, systems(), gyration=False)
    (tmp_path / "text.h5").write_text("no HDF5")
    with pytest.raises(HelioError, match="is no roll-out: `helio coarse simulate` makes one"):
        Rollout(tmp_path / "text.h5")

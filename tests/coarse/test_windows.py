"""Windows are frames of the store; streams are taken up again; what is too short is refused."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest

from helio.coarse.capacity import most_within
from helio.coarse.motion import Motion
from helio.coarse.store import Store
from helio.coarse.windows import Disturbance, FixedWindows, Windows, cube_symmetry, rotation
from helio.errors import HelioError
from tests.coarse.conftest import melt_store


def windows(store: Store, *, step_time: float = 2.0, disturbance: Disturbance | None = None, **more) -> Windows:
    motion = Motion(store, store.part("train"), step_time=step_time)
    settings = {"history": 4, "systems_per_batch": 3, "windows_per_system": 5, "seed": 1} | more
    return Windows(motion, motion.sizes(), disturbance=disturbance or Disturbance(), **settings)


def test_batches_are_frames_of_the_store(rouse_store) -> None:
    with Store(rouse_store) as store:
        batch = windows(store, step_time=4.0).batch(7)
        assert batch.frames.shape[:3] == (3, 5, 5) and batch.real.all()
        names = store.part("train")
        counts = [store.frames(name) - 8 for name in names]
        first = np.concatenate([[0], np.cumsum(counts)])
        for row, numbers in enumerate(batch.index):
            system = int(np.searchsorted(first, numbers[0], side="right")) - 1
            for column, number in enumerate(numbers):
                begin = number - first[system]
                frames = store.centers(names[system], begin, begin + 9)[::2]
                groups = frames.shape[1]
                moved = frames - frames[-2].mean(axis=0)
                np.testing.assert_allclose(batch.frames[row, column, :, :groups], moved, atol=1e-5)
                assert not batch.frames[row, column, :, groups:].any()
                assert batch.gyration[row, column, 0] == store.gyration(names[system])[begin + 6, 0]


def test_streams_are_taken_up_again(rouse_store) -> None:
    noisy = Disturbance(noise=(0.1, 0.2), rotate=True, sigmas=(1.0, 0.1))
    with Store(rouse_store) as store:
        stream = windows(store, disturbance=noisy)
        whole = list(islice(stream, 4))
        again = windows(store, disturbance=noisy)
        next(iter(again))
        state = again.state()
        resumed = windows(store, disturbance=noisy)
        resumed.restore(state)
        for one, other in zip(whole[1:], islice(resumed, 3), strict=True):
            assert np.array_equal(one.frames, other.frames)
            assert one.noise is not None and other.noise is not None and np.array_equal(one.noise, other.noise)
        with pytest.raises(HelioError, match="other trajectories"):
            windows(store, seed=2).restore(state)


def test_disturbances(rouse_store) -> None:
    with Store(rouse_store) as store:
        plain, noisy = (windows(store, disturbance=d).batch(0).frames for d in (Disturbance(), Disturbance((0.3,))))
        assert np.array_equal(plain[:, :, -1], noisy[:, :, -1])  # the target stays
        real = np.abs(plain).sum(axis=(0, 1, 2, 4)) > 0
        assert (noisy - plain)[:, :, :-1, :2].std() == pytest.approx(0.3, rel=0.1) and real[:2].all()


def test_rotations() -> None:
    rng = np.random.default_rng(0)
    turns = np.array([rotation(rng) for _ in range(3000)])
    np.testing.assert_allclose(turns @ turns.transpose(0, 2, 1), np.tile(np.eye(3), (3000, 1, 1)), atol=1e-12)
    np.testing.assert_allclose(np.linalg.det(turns), 1)
    np.testing.assert_allclose(turns.mean(axis=0), 0, atol=0.05)
    symmetries = {tuple(cube_symmetry(rng).ravel()) for _ in range(2000)}
    assert len(symmetries) == 48


def test_fixed_windows_are_the_same_in_each_pass(rouse_store) -> None:
    with Store(rouse_store) as store:
        motion = Motion(store, store.part("validation"), step_time=2.0)
        fixed = FixedWindows(motion, motion.sizes(), history=4, windows_per_system=6, sigmas=(0.5,))
        one, other = list(fixed), list(fixed)
        assert len(one) == 2 and one[0].index[0, -1] == 60 - 5
        assert all(np.array_equal(np.asarray(a.noise), np.asarray(b.noise)) for a, b in zip(one, other, strict=True))


def test_trajectories_that_do_not_fit(rouse_store) -> None:
    with Store(rouse_store) as store:
        with pytest.raises(HelioError, match=r"too short: 60 frames, where a history and what follows take 62"):
            windows(store, history=61)
        with pytest.raises(HelioError, match="2 tau apart, which does not divide a model step of 3 tau"):
            windows(store, step_time=3.0)
        with pytest.raises(HelioError, match="type 'R', which the model was not trained on; it knows A, B"):
            Motion(store, store.part("train"), step_time=2.0, types=("A", "B"))


def test_boxes(tmp_path) -> None:
    with Store(melt_store(tmp_path / "melt.h5")) as store:
        turned = windows(store, disturbance=Disturbance(rotate=True), windows_per_system=30).batch(0)
        assert turned.boxes is not None and turned.boxes.shape == (1, 30, 3)
        np.testing.assert_array_equal(np.sort(turned.boxes), np.tile([12, 13, 14], (1, 30, 1)))
        assert len({tuple(box) for box in turned.boxes[0].tolist()}) == 6
        columns = most_within(store, store.part("train"), 3.0)
        frames = store.centers("melt").astype(float)
        box = np.array([12.0, 13.0, 14.0])
        away = frames[:, None] - frames[:, :, None]
        counts = (np.linalg.norm(away - box * np.round(away / box), axis=-1) <= 3.0).sum(axis=-1) - 1
        assert 1.3 * counts.max() <= columns <= 1.3 * counts.max() + 33

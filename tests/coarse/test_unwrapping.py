"""A walk through the box is found again from its wrapped positions."""

from __future__ import annotations

import numpy as np
import pytest

from helio.coarse.system import fine_system
from helio.coarse.unwrapping import Continuity, JumpCheck, offsets_to_whole, unwrapped_by_images
from helio.errors import HelioError

SYSTEM = fine_system([0] * 7, [1.0] * 7, [(0, 1), (1, 2), (2, 3), (3, 4)], box=[10, 11, 12])  # and two single beads


def walk(frames: int, step: float) -> tuple[np.ndarray, np.ndarray]:
    """Positions (T, 7, 3) of a chain and two beads that leave the box, and edges (T, 3) that breathe."""
    rng = np.random.default_rng(5)
    start = np.cumsum(rng.normal(scale=1.2, size=(7, 3)), axis=0) % [10, 11, 12]
    start[1:5] = start[0] + np.cumsum(rng.normal(scale=1.2, size=(4, 3)), axis=0)
    boxes = np.array([10, 11, 12]) * (1 + 0.01 * np.sin(np.arange(frames)))[:, None]
    drift = np.linspace(0, 40, frames)[:, None, None]
    return start + drift + np.cumsum(rng.normal(scale=step, size=(frames, 7, 3)), axis=0), boxes


def test_by_images() -> None:
    positions, boxes = walk(200, 0.3)
    images = np.floor(positions / boxes[:, None])
    assert np.abs(images).max() > 2
    wrapped = positions - images * boxes[:, None]
    assert np.allclose(unwrapped_by_images(wrapped, images, boxes), positions, atol=1e-12)


def test_by_continuity() -> None:
    """In blocks; single beads keep the image they begin in. In a constant box all else is exact."""
    positions, _ = walk(200, 0.3)
    boxes = np.tile([10.0, 11.0, 12.0], (200, 1))
    wrapped = positions % boxes[:, None]
    unwrap = Continuity(SYSTEM)
    found = np.concatenate([unwrap(wrapped[i : i + 37], boxes[i : i + 37]) for i in range(0, 200, 37)])
    shift = (found - positions) / boxes[:, None]
    assert np.allclose(shift, np.rint(shift), atol=1e-9)
    assert np.allclose(shift, shift[:1], atol=1e-9)
    assert np.allclose(shift[0, :5], shift[0, 0], atol=1e-9)  # the chain is whole
    assert np.abs(np.diff(found, axis=0)).max() < 3


def test_whole_at_first() -> None:
    positions, boxes = walk(1, 0.0)
    wrapped = positions[0] % boxes[0]
    whole = wrapped + offsets_to_whole(SYSTEM, wrapped, boxes[0]) * boxes[0]
    assert np.allclose(np.diff(whole[:5], axis=0), np.diff(positions[0, :5], axis=0))


def test_frames_too_far_apart() -> None:
    unwrap = Continuity(SYSTEM)
    frames = np.stack([np.arange(21.0).reshape(7, 3) / 10] * 2)
    frames[1, 5, 0] += 4.5
    with pytest.raises(HelioError, match=r"bead 5 moves 0.45 of the box's edge before frame 1"):
        unwrap(frames, np.tile([10.0, 11.0, 12.0], (2, 1)))


def test_wrapped_positions_are_noticed() -> None:
    positions, _ = walk(100, 0.3)
    boxes = np.tile([10.0, 11.0, 12.0], (100, 1))
    JumpCheck(SYSTEM, "melt")(positions, boxes)
    with pytest.raises(HelioError, match="positions of melt are wrapped into the box and come without image flags"):
        JumpCheck(SYSTEM, "melt")(positions % boxes[:, None], boxes)
    cut = positions[:1].copy()
    cut[0, 3:5, 0] += 10
    with pytest.raises(HelioError, match="wrapped"):
        JumpCheck(SYSTEM, "melt")(cut, boxes[:1])  # a bond through the box in the first frame

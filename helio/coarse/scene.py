"""The systems of a roll-out, their histories, and the model that moves them."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from helio.coarse.model_file import CoarseInfo, read_coarse
from helio.coarse.motion import Motion, is_periodic
from helio.coarse.network.architecture import Architecture
from helio.coarse.network.model import CoarseModel
from helio.coarse.rolling import Limits
from helio.coarse.settings import SimulateSettings
from helio.coarse.store import Store
from helio.coarse.topology import Topology
from helio.errors import HelioError


@dataclass(frozen=True)
class Scene:
    """The systems of a roll-out and the model that moves them."""

    settings: SimulateSettings
    model: CoarseModel
    info: CoarseInfo
    motion: Motion
    topology: Topology  # leading axis B
    boxes: np.ndarray | None  # (B, 3)
    history: np.ndarray  # (B, H, G, 3)
    keys: jax.Array  # (B,)

    @property
    def limits(self) -> Limits:
        """Beyond which a system has come to harm."""
        scales, settings = self.model.scales, self.settings
        return Limits(settings.bond_limit * scales.longest_bond, settings.size_limit * scales.largest_gyration)


def set_scene(settings: SimulateSettings, store: Store) -> Scene:
    """Read the model, and the first frames of the systems.

    Raises:
        HelioError: they cannot be read, do not fit each other, or there are too few frames.
    """
    model, info = read_coarse(settings.model)
    names = settings.systems or store.part(settings.part)
    if not names:
        raise HelioError(f"{store.path} holds no systems in its part {settings.part}")
    architecture = model.architecture
    _check_units(store, info)
    _check_boundaries(store, names, architecture)
    motion = Motion(store, names, step_time=info.step_time, types=architecture.type_names)
    for name, (system, _) in zip(names, motion.systems, strict=True):
        _check_bond_types(name, system.bond_types, architecture.bond_types)
    sizes = motion.sizes(separation=architecture.separation)
    frames, boxes = _histories(motion, architecture, sizes.groups, settings.begin)
    seeds = jnp.asarray([zlib.crc32(name.encode()) for name in names], jnp.uint32)
    key = jax.random.key(settings.seed)
    return Scene(
        settings=settings,
        model=model,
        info=info,
        motion=motion,
        topology=jax.tree.map(lambda *leaves: np.stack(leaves), *motion.topologies(sizes)),
        boxes=boxes,
        history=frames,
        keys=jax.vmap(lambda seed: jax.random.fold_in(key, seed))(seeds),
    )


def _histories(
    motion: Motion, architecture: Architecture, size: int, begin: int
) -> tuple[np.ndarray, np.ndarray | None]:
    """The first frames (B, H, G, 3) from `begin` on, G = `size`, and the boxes (B, 3) at the last of them."""
    history = architecture.history
    frames = np.zeros((len(motion.names), history, size, 3), np.float32)
    boxes = []
    for number, (name, (_, groups)) in enumerate(zip(motion.names, motion.systems, strict=True)):
        if motion.windows(number, history) <= begin:
            raise HelioError(
                f"the trajectory of {name} is too short: {motion.store.frames(name)} frames, where a history from "
                f"frame {begin} on needs {begin + (history - 1) * motion.every[number] + 1}"
            )
        frames[number, :, : len(groups)] = motion.frames(number, begin, history)
        box = motion.box(number, begin + (history - 1) * motion.every[number])
        if box is not None and box.min() < 2 * (architecture.radius or 0):
            raise HelioError(f"the box of {name} is smaller than twice the model's radius, {architecture.radius:g}")
        boxes.append(box)
    return frames, np.array(boxes, np.float32) if architecture.periodic else None


def _check_units(store: Store, info: CoarseInfo) -> None:
    if (store.length_unit, store.time_unit) != (info.length_unit, info.time_unit):
        raise HelioError(
            f"{store.path} is in {store.length_unit} and {store.time_unit}, the model in {info.length_unit} and "
            f"{info.time_unit}"
        )


def _check_boundaries(store: Store, names: tuple[str, ...], architecture: Architecture) -> None:
    if is_periodic(store, names) != architecture.periodic:
        raise HelioError(
            f"the model is for systems {'in a box' if architecture.periodic else 'without a box'}, "
            f"{names[0]} is {'without one' if architecture.periodic else 'in one'}"
        )


def _check_bond_types(name: str, found: np.ndarray | None, known: int) -> None:
    if known and (found is None or found.max() >= known):
        what = "no types of bonds" if found is None else f"bonds of the type {found.max()}"
        raise HelioError(f"{name} has {what}, where the model was trained on types 0 to {known - 1}")

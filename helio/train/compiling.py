"""Programs of steps: one is compiled for every shape of batches, when the first of them comes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh


@dataclass(frozen=True)
class Compiling:
    """A step that takes long to begin: its program is compiled, or read from the disk where it is known."""

    shape: int  # its number, from 1
    shapes: int  # that are expected
    batch: tuple[int, ...]  # sizes of this one: structures, and atoms where it has any


@dataclass
class SeenShapes:
    """The shapes of batches so far."""

    expected: int
    _seen: set[Any] = field(default_factory=set)

    def met(self, batch: Any) -> Compiling | None:
        """What is to be said where no batch of this shape came before."""
        kind = jax.tree.structure(batch), tuple(np.shape(leaf) for leaf in jax.tree.leaves(batch))
        if kind in self._seen:
            return None
        self._seen.add(kind)
        system = getattr(batch, "system", None)
        sizes = np.shape(batch.real if system is None else system.atomic_numbers)
        return Compiling(len(self._seen), max(len(self._seen), self.expected), sizes)


def quick(mesh: Mesh) -> dict[str, Any] | None:
    """Options of the compiler for programs that are many, and large.

    On CPUs LLVM takes a sixth less time at its first level, and steps of training are as fast.
    """
    return {"xla_backend_optimization_level": 1} if mesh.devices.flat[0].platform == "cpu" else None

"""One system over many devices.

Every device holds the whole state of a simulation, which is small, and a block of the rows of the neighbour lists with
all that is computed for them, which is large. The force field runs on each device for its rows (`helio.rows`): layer
by layer features are gathered and sums over pairs are scattered to the owners of the rows. Rows follow the order of
space, so a device's atoms are neighbours of each other.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import equinox as eqx
import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import PyTree

from helio.devices import available_devices
from helio.errors import HelioError
from helio.force_field.force_field import ForceField
from helio.neighbors import NeighborList, NeighborPlans, Neighbors, Plan
from helio.precision import Precision
from helio.prediction import Prediction
from helio.rows import Rows
from helio.system import System

_AXIS = "rows"
_WHOLE, _BLOCK = PartitionSpec(), PartitionSpec(_AXIS)


class Sharded(eqx.Module):
    """A force field whose lists and work are divided among the devices of a mesh; made by `sharded`.

    It is used like the force field itself, in compiled code whose arrays all devices of the mesh hold (`everywhere`).
    Numbers equal those of a single device to round-off, and are the same whenever the mesh is.
    """

    force_field: ForceField
    mesh: Mesh = eqx.field(static=True)

    @property
    def rows(self) -> Rows:
        """How the devices share the rows."""
        return Rows(_AXIS, self.mesh.size)

    def plan(self, system: System, **options: Any) -> NeighborPlans:
        """Sizes of the lists on each device, as `ForceField.plan`."""
        return self.force_field.plan(system, **options, devices=self.mesh.size)

    def make_list(self, system: System, plan: Plan) -> NeighborList:
        """One list, of which each device makes its rows."""
        make = partial(self.force_field.make_list, plan=plan, rows=self.rows)
        blocks = _list_blocks(any(system.pbc), plan.half_pairs is not None)
        return self._on_each(make, (_WHOLE,), blocks)(system)

    def placed(self, pairs: NeighborList) -> NeighborList:
        """The list on the devices on which `make_list` leaves it."""
        blocks = _list_blocks(pairs.shift is not None, pairs.half is not None)
        return jax.tree.map(lambda leaf, block: jax.device_put(leaf, NamedSharding(self.mesh, block)), pairs, blocks)

    def check(self, system: System) -> None:
        """Raise `HelioError` if the force field cannot describe `system` (host arrays)."""
        self.force_field.check(system)

    def astype(self, dtype: Precision) -> Sharded:
        """The same with parameters in `dtype`."""
        return Sharded(self.force_field.astype(dtype), self.mesh)

    def __call__(self, system: System, neighbors: Neighbors) -> Prediction:
        """The prediction, in compiled code; every device holds all of it."""
        return self.evaluated(ForceField.__call__, system, neighbors)

    def evaluated(self, function: Any, system: System, neighbors: Neighbors) -> Any:
        """What `function(force_field, system, neighbors, rows)` gives on each device, if it is the same on all."""

        def call(force_field: ForceField, system: System, neighbors: Neighbors) -> Any:
            return function(force_field, system, neighbors, self.rows)

        short, long = (_list_blocks(n.shift is not None, n.half is not None) for n in (neighbors.short, neighbors.long))
        blocks = eqx.tree_at(lambda n: (n.short, n.long), jax.tree.map(lambda _: _WHOLE, neighbors), (short, long))
        return self._on_each(call, (_WHOLE, _WHOLE, blocks), _WHOLE)(self.force_field, system, neighbors)

    def _on_each(self, function: Any, inputs: Any, outputs: Any) -> Any:
        return jax.shard_map(function, mesh=self.mesh, in_specs=inputs, out_specs=outputs, check_vma=False)


def sharded(force_field: ForceField, devices: int) -> Sharded:
    """The force field over the first `devices` devices of this process, or of all processes that run together.

    Raises:
        HelioError: there are fewer devices.
    """
    there = available_devices()
    if devices > len(there):
        raise HelioError(
            f"{devices} devices were asked for, but JAX sees {len(there)} ({there[0].platform}); give a smaller number"
        )
    return Sharded(force_field, Mesh(np.asarray(there[:devices]), (_AXIS,)))


def everywhere(mesh: Mesh | None, tree: PyTree) -> PyTree:
    """The arrays of a tree on every device of a mesh; without a mesh, where they are."""
    return tree if mesh is None else jax.device_put(tree, NamedSharding(mesh, _WHOLE))


def _list_blocks(has_shift: bool, has_half: bool) -> Any:
    """Every device has its own rows and pairs; the flag is of all."""
    blocks: Any = (_BLOCK, _BLOCK if has_shift else None, _BLOCK if has_half else None, _WHOLE)
    return NeighborList(*blocks)

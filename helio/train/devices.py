"""Many devices, on one host or several: each holds all weights and takes its block of every batch.

A batch is made of D equal blocks along its leading axis, one for each device of the mesh.
"""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from helio.devices import available_devices
from helio.errors import HelioError
from helio.precision import Precision, numerics

AXIS = "blocks"


def make_mesh(devices: int | None = None) -> Mesh:
    """All devices of all hosts in a row, or the first `devices` of them."""
    found = available_devices()
    if devices is not None and not 1 <= devices <= len(found):
        raise HelioError(f"{devices} devices were asked for, but there are {len(found)} ({found[0].platform})")
    return Mesh(np.array(found[:devices]), (AXIS,))


def replicated(tree: Any, mesh: Mesh) -> Any:
    """The arrays of `tree` on every device, in their own precision."""
    sharding = NamedSharding(mesh, PartitionSpec())
    return jax.tree.map(lambda leaf: jax.make_array_from_process_local_data(sharding, np.asarray(leaf)), tree)


def place_blocks(batch: Any, mesh: Mesh, precision: Precision) -> Any:
    """A batch of host arrays, its blocks on their devices, floating-point numbers in `precision`.

    Of a batch on several hosts each gives its own rows.
    """
    sharding = NamedSharding(mesh, PartitionSpec(AXIS))

    def cast(leaf: Any) -> np.ndarray:
        leaf = np.asarray(leaf)
        return leaf.astype(precision) if np.issubdtype(leaf.dtype, np.floating) else leaf

    with numerics(precision):  # the scope belongs to a thread, and loaders have their own
        batch = jax.tree.map(cast, batch)
        if jax.process_count() == 1:
            return jax.device_put(batch, sharding)  # all leaves at once
        return jax.tree.map(lambda leaf: jax.make_array_from_process_local_data(sharding, leaf), batch)

"""Many devices, on one host or several: each holds all weights and takes its block of every batch.

A batch is made of D equal blocks along its leading axis, one for each device of the mesh.
"""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from helio.errors import HelioError
from helio.precision import Precision, numerics

AXIS = "blocks"


def make_mesh(devices: int | None = None) -> Mesh:
    """All devices of all hosts in a row, or the first `devices` of them."""
    found = jax.devices()
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

    def place(leaf: Any) -> jax.Array:
        leaf = np.asarray(leaf)
        if np.issubdtype(leaf.dtype, np.floating):
            leaf = leaf.astype(precision)
        return jax.make_array_from_process_local_data(sharding, leaf)

    with numerics(precision):  # the scope belongs to a thread, and loaders have their own
        return jax.tree.map(place, batch)

"""What a coarse model makes of systems before anything moves, for regressions without simulation."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import equinox as eqx
import numpy as np

from helio.coarse.model_file import read_coarse
from helio.coarse.motion import type_numbers
from helio.coarse.store import Store
from helio.coarse.topology import sizes_of, topology
from helio.precision import numerics


def embeddings(model: str | Path, store: Store, names: Sequence[str]) -> dict[str, np.ndarray]:
    """Of each system by name the mean embedding of its groups, with the logarithm of their number, (F,).

    Raises:
        HelioError: the model cannot be read, or does not know a type of beads.
    """
    with numerics("float32"):
        read, _ = read_coarse(model)
        numbers = type_numbers(store, names, read.architecture.type_names)
        parts = [(store.system(name), store.groups(name)) for name in names]
        sizes, embed = sizes_of(parts), eqx.filter_jit(read.embedding)
        found = {}
        for name, (system, groups) in zip(names, parts, strict=True):
            features = np.asarray(embed(topology(system, groups, sizes, types=numbers[system.types])), np.float64)
            found[name] = np.append(features[: len(groups)].mean(axis=0), np.log(len(groups)))
    return found

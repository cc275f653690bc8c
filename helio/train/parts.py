"""The named parts of a model, so that each may learn at its own rate or not at all.

| part | what |
|---|---|
| embedding | of elements, total charge and unpaired electrons |
| layer-1 ... layer-T | the layers; first-layer and last-layer are two of them |
| energy-head, charge-head, hirshfeld-head | what is read off the final features |
| zbl | the repulsion of nuclei |
| layers, heads | all layers, all heads |
| rest | whatever is not named otherwise |
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from helio.errors import HelioError

_HEADS = ("energy-head", "charge-head", "hirshfeld-head")
REST = "rest"


def name_of(path: tuple[Any, ...]) -> str:
    """The name of a parameter, as in a model file: `network.layers.0.value.blocks`."""
    return jax.tree_util.keystr(path, simple=True, separator=".")


def part_of(name: str) -> str:
    """The part to which a parameter of a `ForceField` or of `ManyLevels` belongs."""
    first, *others = name.removeprefix("trunk.").split(".")
    if first == "network":
        return "embedding" if others[0] == "embedding" else f"layer-{int(others[1]) + 1}"
    return _HEADS[int(others[0])] if first == "heads" else first.replace("_", "-")


def parts_of(model: Any) -> list[str]:
    """The parts of a model, from its input to its output."""
    names = [part_of(name_of(path)) for path, _ in jax.tree_util.tree_flatten_with_path(model)[0]]
    return list(dict.fromkeys(names))


def part_factors(model: Any, given: Mapping[str, float]) -> dict[str, float]:
    """The factor of the learning rate for each part of `model`; with nothing given, all are 1.

    Parts that are not named, neither by themselves nor in a group, get the factor of `rest`, which is 0 by default.
    A part that is named by itself has that factor whatever its group's is.

    Raises:
        HelioError: a name that no part has, a part that is named twice, or nothing left to train.
    """
    parts = parts_of(model)
    if not given:
        return dict.fromkeys(parts, 1.0)
    layers = [part for part in parts if part.startswith("layer-")]
    single = {part: part for part in parts} | {"first-layer": layers[0], "last-layer": layers[-1]}
    groups = {"layers": layers, "heads": [part for part in parts if part in _HEADS], REST: parts}
    unknown = [name for name in given if name not in single and name not in groups]
    if unknown:
        raise HelioError(
            f"the model has no part called {unknown[0]!r}: its parts are {', '.join(single)}; groups of them are "
            f"{', '.join(groups)}"
        )
    found = dict.fromkeys(parts, float(given.get(REST, 0.0)))
    for group in ("layers", "heads"):
        if group in given:
            found |= dict.fromkeys(groups[group], float(given[group]))
    named = [single[name] for name in given if name in single]
    twice = [part for part in named if named.count(part) > 1]
    if twice:
        raise HelioError(f"{twice[0]} is named twice, as a layer by its number and as the first or last one")
    found |= {single[name]: float(factor) for name, factor in given.items() if name in single}
    if not any(found.values()):
        raise HelioError("no part of the model would be trained: give at least one a factor above zero")
    return found


def leaf_factors(model: Any, factors: Mapping[str, float]) -> Any:
    """A tree like `model` with the factor of its part for every array."""
    return jax.tree_util.tree_map_with_path(lambda path, _: factors[part_of(name_of(path))], model)


def as_vector(model: Any, factors: Any) -> np.ndarray:
    """The factors for all weights as one vector, in the order of the leaves."""
    leaves = zip(jax.tree.leaves(model), jax.tree.leaves(factors), strict=True)
    return np.concatenate([np.full(leaf.size, factor) for leaf, factor in leaves])

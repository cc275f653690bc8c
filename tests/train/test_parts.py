"""Parts of a model that learn at rates of their own, and changes of low rank."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from helio.errors import HelioError
from helio.force_field import ForceField, ForceFieldSettings
from helio.force_field.levels import ManyLevels
from helio.train.devices import make_mesh
from helio.train.loss import Term
from helio.train.low_rank import LowRank, merged
from helio.train.optimiser import learning_rate, make_optimiser
from helio.train.parts import leaf_factors, name_of, part_factors, part_of, parts_of
from helio.train.step import make_step, start_state
from tests.train.conftest import TINY

RATE = learning_rate(1e-3, decay="constant")


class Pull:
    """Draws every weight of the model to a value of its own; quickly compiled, unlike the loss of a force field."""

    weights: Mapping[str, float] = {"pull": 1.0}

    def __call__(self, model: Any, batch: Any) -> dict[str, Term]:
        targets = (jnp.sin(7 * jnp.arange(leaf.size, dtype=leaf.dtype)) for leaf in jax.tree.leaves(merged(model)))
        pairs = zip(jax.tree.leaves(merged(model)), targets, strict=True)
        square = jnp.sum(jnp.stack([jnp.sum((leaf.ravel() - target) ** 2) for leaf, target in pairs]))
        return {"pull": Term(square, square, square, batch["real"].sum())}


def stepped(model: Any, factors: Any, *, steps: int = 1) -> Any:
    """The state after some steps, with weight decay, the gradient not clipped."""
    batch = {"real": jnp.ones(1, jnp.float32)}
    optimiser = make_optimiser("adamw", RATE, model, weight_decay=0.1, clip_norm=None, factors=factors)
    step = make_step(Pull(), optimiser, mesh=make_mesh(1), averaging=0.9, factors=factors)
    state = start_state(model, optimiser)
    for _ in range(steps):
        state, _ = step(state, batch)
    return state


def by_part(model: Any) -> dict[str, list[np.ndarray]]:
    found: dict[str, list[np.ndarray]] = {}
    for path, leaf in jax.tree_util.tree_flatten_with_path(model)[0]:
        found.setdefault(part_of(name_of(path)), []).append(np.asarray(leaf))
    return found


def test_names_of_parts_and_groups() -> None:
    settings = ForceFieldSettings(**{**vars(TINY), "num_layers": 3})
    model = ForceField.initialise(settings, 0)
    parts = ["embedding", "layer-1", "layer-2", "layer-3", "energy-head", "charge-head", "hirshfeld-head", "zbl"]
    assert parts_of(model) == parts
    assert sorted(parts_of(ManyLevels.of({"a": model, "b": model}))) == sorted(parts)
    assert part_factors(model, {}) == dict.fromkeys(parts, 1.0)

    def trained(given: dict[str, float]) -> dict[str, float]:
        return {part: factor for part, factor in part_factors(model, given).items() if factor}

    assert trained({"last-layer": 0.1, "heads": 1, "energy-head": 2}) == {
        "layer-3": 0.1, "energy-head": 2.0, "charge-head": 1.0, "hirshfeld-head": 1.0,
    }  # fmt: skip
    assert trained({"first-layer": 1}) == {"layer-1": 1.0}
    assert set(trained({"rest": 1, "embedding": 0, "layer-2": 0})) == set(parts) - {"embedding", "layer-2"}
    assert trained({"layers": 0.5, "layer-2": 0}) == {"layer-1": 0.5, "layer-3": 0.5}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"head": 1.0}, "no part called 'head': its parts are embedding, layer-1, energy-head, charge-head, "),
        ({"layer-1": 1.0, "last-layer": 0.1}, "layer-1 is named twice"),
        ({"heads": 0.0}, "no part of the model would be trained"),
    ],
)
def test_bad_parts_are_named(tiny_force_field: ForceField, given: dict[str, float], said: str) -> None:
    with pytest.raises(HelioError, match=said):
        part_factors(tiny_force_field, given)


def test_frozen_parts_stay_bit_for_bit_and_factors_scale_the_first_update(tiny_force_field: ForceField) -> None:
    model, half = tiny_force_field, {"energy-head": 1.0, "layer-1": 0.5}
    factors = leaf_factors(model, part_factors(model, half))
    one, start = stepped(model, factors), by_part(model)
    full = by_part(stepped(model, leaf_factors(model, part_factors(model, {}))).model)
    for part, leaves in by_part(one.model).items():
        for leaf, whole, before in zip(leaves, full[part], start[part], strict=True):
            if part not in half:
                np.testing.assert_array_equal(leaf, before)
            else:
                np.testing.assert_allclose(leaf - before, half[part] * (whole - before), rtol=1e-3, atol=3e-7)
    assert any(np.abs(a - b).max() > 4e-4 for a, b in zip(by_part(one.model)["layer-1"], start["layer-1"], strict=True))
    several = stepped(model, factors, steps=5)
    for tree in (several.model, several.average):
        for part, leaves in by_part(tree).items():
            same = all(np.array_equal(a, b) for a, b in zip(leaves, start[part], strict=True))
            assert same == (part not in half)


def test_low_rank_starts_at_the_model_trains_its_matrices_alone_and_merges(tiny_force_field: ForceField) -> None:
    parts = part_factors(tiny_force_field, {"layer-1": 1, "energy-head": 1})
    model = LowRank.of(tiny_force_field, 2, parts, seed=0)
    assert {part_of(name) for name in model.changes} == {"layer-1", "energy-head"}
    assert eqx.tree_equal(model.merged(), tiny_force_field)
    state = stepped(model, model.leaf_factors(parts), steps=4)
    assert eqx.tree_equal(state.model.base, tiny_force_field) and eqx.tree_equal(state.average.base, tiny_force_field)
    whole = state.model.merged()
    for path, leaf in jax.tree_util.tree_flatten_with_path(whole)[0]:
        name, before = name_of(path), _by_name(tiny_force_field, name_of(path))
        if name not in model.changes:
            np.testing.assert_array_equal(leaf, before)
            continue
        narrow, wide = (np.asarray(array, np.float64) for array in vars(state.model.changes[name]).values())
        assert narrow.shape[-1] == min(2, *leaf.shape[-2:])
        np.testing.assert_allclose(leaf, np.asarray(before, np.float64) + narrow @ wide, rtol=2e-7, atol=1e-7)
        assert np.abs(narrow @ wide).max() > 1e-4


def test_low_rank_of_several_levels_and_of_parts_without_matrices(tiny_force_field: ForceField) -> None:
    levels = ManyLevels.of(dict.fromkeys("ab", tiny_force_field))
    model = LowRank.of(levels, 1, part_factors(levels, {"heads": 1}), seed=0)
    changed = eqx.tree_at(lambda m: [c.wide for c in m.changes.values()], model, replace_fn=jnp.ones_like)
    kernel = changed.changes["heads.0.layers.first.kernel"]
    expected = levels.heads[0].layers.first.kernel + kernel.narrow @ kernel.wide
    np.testing.assert_allclose(merged(changed).heads[0].layers.first.kernel, expected, rtol=1e-6)
    with pytest.raises(HelioError, match="lora_rank needs matrices, and zbl has none"):
        LowRank.of(tiny_force_field, 1, part_factors(tiny_force_field, {"zbl": 1}), seed=0)


def _by_name(model: Any, name: str) -> Any:
    return next(leaf for path, leaf in jax.tree_util.tree_flatten_with_path(model)[0] if name_of(path) == name)

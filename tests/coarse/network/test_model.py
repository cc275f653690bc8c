"""Symmetries of the whole model, in both forms, and what is predicted against what is done."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from helio.coarse.groups import groups_of
from helio.coarse.network.forecast import Forecast
from helio.coarse.network.moment import Moment
from helio.coarse.network.properties import coarse_gyration
from helio.coarse.system import fine_system
from helio.coarse.topology import Sizes, sizes_of, topology
from helio.coarse.windows import rotation
from tests.coarse.conftest import random_model

FORMS = ("published", "equivariant")
CASES = [
    ("published", "independent", False),
    ("published", "paired", True),
    ("equivariant", "paired", False),
    ("equivariant", "independent", True),
]
NOISE = {"published": "independent", "equivariant": "paired"}  # of the first and the third


@eqx.filter_jit
def mean_and_spread(model, topology, positions, steps, box) -> Forecast:
    return model.forecast(Moment(model.embedding(topology), topology, positions, steps, box))[0]


def same(a: Forecast, b: Forecast) -> None:
    np.testing.assert_allclose(a.mean, b.mean, atol=2e-4)
    np.testing.assert_allclose(a.spread, b.spread, atol=2e-4)


@pytest.mark.parametrize(("form", "noise", "periodic"), CASES)
def test_translation_and_wrapping(branched, form: str, noise: str, periodic: bool) -> None:
    model = random_model(form, periodic=periodic, noise=noise)
    box = branched.box if periodic else None
    found = mean_and_spread(model, branched.topology, branched.newest, branched.steps, box)
    shift = jnp.asarray([3.0, -1.0, 0.5], jnp.float32)
    same(found, mean_and_spread(model, branched.topology, branched.newest + shift, branched.steps, box))
    if periodic:
        images = branched.box * jnp.asarray(np.random.default_rng(0).integers(-2, 3, (5, 3)), jnp.float32)
        same(found, mean_and_spread(model, branched.topology, branched.newest + images, branched.steps, box))


@pytest.mark.parametrize("form", FORMS)
def test_rotation(branched, form: str) -> None:
    model = random_model(form, noise=NOISE[form])
    found = mean_and_spread(model, branched.topology, branched.newest, branched.steps, None)
    turn = jnp.asarray(-rotation(np.random.default_rng(1)), jnp.float32)  # with a reflection
    turned = mean_and_spread(model, branched.topology, branched.newest @ turn.T, branched.steps @ turn.T, None)
    off = float(jnp.abs(turned.mean - found.mean @ turn.T).max())
    if form == "equivariant":
        assert off < 2e-4
        np.testing.assert_allclose(turned.spread, found.spread, atol=2e-4)
    else:
        assert off > 0.05  # which the docs say


@pytest.mark.parametrize("form", FORMS)
def test_permutation_of_beads_and_groups(branched, form: str) -> None:
    model, rng = random_model(form, noise=NOISE[form]), np.random.default_rng(2)
    beads, order = rng.permutation(17), rng.permutation(5)  # new place of each old one
    old, groups = branched.system, branched.groups
    types, masses, members = np.empty(17, int), np.empty(17), np.empty(17, int)
    types[beads], masses[beads], members[beads] = old.types, old.masses, order[groups.members]
    system = fine_system(types, masses, beads[old.bonds])
    new = groups_of(system, members)
    moved = jax.tree.map(jnp.asarray, topology(system, new, sizes_of([(system, new)])))
    back = np.argsort(order)
    found = mean_and_spread(model, branched.topology, branched.newest, branched.steps, None)
    permuted = mean_and_spread(model, moved, branched.newest[back], branched.steps[:, back], None)
    np.testing.assert_allclose(permuted.mean[order], found.mean, atol=2e-4)
    np.testing.assert_allclose(permuted.spread[order], found.spread, atol=2e-4)


@pytest.mark.parametrize(
    ("form", "periodic"), [pytest.param("published", True, marks=pytest.mark.slow), ("equivariant", False)]
)
def test_padding_changes_nothing(branched, form: str, periodic: bool) -> None:
    model = random_model(form, periodic=periodic, refined=True)
    box = branched.box if periodic else None
    wide = topology(branched.system, branched.groups, Sizes(20, 4, 8, 6, 3, 4, 1))
    wide = jax.tree.map(jnp.asarray, wide)
    positions = jnp.pad(branched.newest, ((0, 3), (0, 0)))
    steps = jnp.pad(branched.steps, ((0, 0), (0, 3), (0, 0)))
    key = jax.random.key(0)
    sample = eqx.filter_jit(lambda t, x, v: model.sample(Moment(model.embedding(t), t, x, v, box), key))
    found, padded = sample(branched.topology, branched.newest, branched.steps), sample(wide, positions, steps)
    assert not found.overflow.any() and not padded.overflow.any()
    np.testing.assert_allclose(padded.step[:5], found.step, atol=2e-4)
    assert not np.any(padded.step[5:])


@pytest.mark.parametrize("target", ["acceleration", "displacement"])
def test_step_is_the_inverse_of_the_target(branched, target: str) -> None:
    model = random_model("published", target=target)
    newest, following = branched.steps[0], branched.steps[1]
    found = model.target(newest, following)
    np.testing.assert_allclose(model.step_of(newest, found), following, atol=1e-6)
    change = following - newest if target == "acceleration" else following
    np.testing.assert_allclose(found, change / (1.1 if target == "acceleration" else 0.7), rtol=1e-5)


def test_radii_without_a_head_are_those_of_the_centres(branched) -> None:
    from helio.coarse.groups import radii_of_gyration

    of_groups = fine_system(np.zeros(5), branched.groups.masses, [(0, 1), (1, 2), (3, 4)])
    positions = np.asarray(branched.newest, float)
    found = coarse_gyration(branched.newest, branched.topology)
    np.testing.assert_allclose(found, radii_of_gyration(of_groups, positions[None])[0], rtol=1e-5)


def test_radii_of_the_head_give_the_dynamics_no_gradient(branched) -> None:
    model = random_model("equivariant", noise="independent")

    def radii(model) -> jax.Array:
        features = model.embedding(branched.topology)
        return model.radii(Moment(features, branched.topology, branched.newest, branched.steps, None)).sum()

    gradient = eqx.filter_jit(eqx.filter_grad(radii))(model)
    norms = {name: sum(float(jnp.abs(x).sum()) for x in jax.tree.leaves(getattr(gradient, name)))
             for name in ("embedding", "dynamics", "gyration")}  # fmt: skip
    assert norms["gyration"] > 0 and norms["embedding"] == norms["dynamics"] == 0


@pytest.mark.parametrize("form", FORMS)
def test_centres_of_molecules_rest_on_average_where_asked_for(branched, form: str) -> None:
    free, still = (random_model(form, resting=resting) for resting in (False, True))
    moved, rested = (
        mean_and_spread(model, branched.topology, branched.newest, branched.steps, None).mean for model in (free, still)
    )
    shares = np.asarray(branched.topology.molecules)
    assert np.abs(shares @ moved).max() > 0.05
    np.testing.assert_allclose(shares @ rested, 0, atol=1e-5)
    for molecule in shares > 0:  # what groups do within a molecule stays
        np.testing.assert_allclose(np.ptp((moved - rested)[molecule], axis=0), 0, atol=1e-5)

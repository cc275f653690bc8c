"""Coarse models that come with Helio: whole, small, and right about what is known in closed form."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from helio.coarse.groups import centers, make_groups
from helio.coarse.model_file import PACKAGED, model_path, read_coarse
from helio.coarse.network.moment import Moment
from helio.coarse.reference.rouse import RouseChain
from helio.coarse.topology import sizes_of, topology

pytest.importorskip("pymetis")


@pytest.mark.parametrize("name", PACKAGED)
def test_are_whole(name: str) -> None:
    model, info = read_coarse(name)
    assert info.name.startswith("coarse") and info.step_time >= 5 and model.architecture.type_names
    assert info.weights_sha256 and "trained by Helio" in info.source


def test_are_small() -> None:
    assert sum(model_path(name).stat().st_size for name in PACKAGED) < 3_000_000


def test_rouse_chains_diffuse_as_in_closed_form() -> None:
    """Half the variance of the centre's step over the step is the diffusivity, kT / (N friction)."""
    model, info = read_coarse("coarse-rouse")
    chain, history = RouseChain(64), model.architecture.history
    trajectory = chain.trajectory("chain", frames=40 * history, interval=info.step_time, seed=1)
    groups = make_groups(trajectory.system, beads_per_group=info.beads_per_group)
    positions = np.concatenate([block.positions for block in trajectory.frames()])
    frames = jnp.asarray(centers(trajectory.system, groups, positions), jnp.float32).reshape(40, history, -1, 3)
    parts = [(trajectory.system, groups)]
    system = jax.tree.map(jnp.asarray, topology(*parts[0], sizes_of(parts)))
    weights = jnp.asarray(groups.masses / groups.masses.sum(), jnp.float32)

    @eqx.filter_jit
    def of_centre(frames: jax.Array) -> tuple[jax.Array, jax.Array]:
        moment = Moment(model.embedding(system), system, frames[-1], jnp.diff(frames, axis=0), None)
        forecast, _ = model.forecast(moment)
        assert forecast.mixing is not None
        shared = forecast.spread * (jnp.eye(len(weights), dtype=weights.dtype) + forecast.mixing)
        return weights @ forecast.mean, jnp.sum((weights @ shared) ** 2)

    means, variances = jax.vmap(of_centre)(frames)
    unit = model.scales.target("displacement")
    diffusivity = unit**2 * float(jnp.mean(variances)) / (2 * info.step_time)
    assert diffusivity == pytest.approx(chain.diffusivity, rel=0.03)
    assert float(jnp.mean(means**2)) < 0.02 * float(jnp.mean(variances))

"""A coarse model: embedding, dynamics, heads, and the refinement of what they sample."""

from __future__ import annotations

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float

from helio.coarse.network.architecture import Architecture
from helio.coarse.network.dynamics import Dynamics
from helio.coarse.network.embedding import Embedding
from helio.coarse.network.equivariant import EquivariantDynamics
from helio.coarse.network.forecast import Forecast, draw
from helio.coarse.network.geometry import PairGeometry, pair_geometry
from helio.coarse.network.moment import Moment
from helio.coarse.network.properties import GyrationHead, coarse_gyration
from helio.coarse.network.published import PublishedDynamics
from helio.coarse.network.refinement import Score, eta_of, langevin_step
from helio.coarse.network.standardise import Scales
from helio.coarse.topology import Topology


class Drawn(NamedTuple):
    """A sampled step."""

    step: Float[Array, "G 3"]
    overflow: Bool[Array, " G"]  # of a list of pairs: the step must not be used


class CoarseModel(eqx.Module):
    """All weights; the settings of its architecture and its scales are static."""

    embedding: Embedding
    dynamics: Dynamics
    gyration: GyrationHead | None
    score: Score | None
    architecture: Architecture = eqx.field(static=True)
    scales: Scales = eqx.field(static=True)

    def __init__(self, architecture: Architecture, scales: Scales, *, seed: int | np.random.Generator) -> None:
        """Draw the weights."""
        rng = np.random.default_rng(seed)
        self.architecture, self.scales = architecture, scales
        self.embedding = Embedding(architecture, mean_mass=scales.bead_mass, rng=rng)
        form = PublishedDynamics if architecture.form == "published" else EquivariantDynamics
        self.dynamics = form(architecture, scales, rng=rng)
        width = architecture.gyration_width
        self.gyration = (
            None if width is None else GyrationHead(architecture.width, width, scale=scales.gyration, rng=rng)
        )
        self.score = None if architecture.refinement is None else Score(architecture, scales, rng=rng)

    def geometry(self, positions: Float[Array, "G 3"], topology: Topology, box: Array | None) -> PairGeometry:
        """Who sees whom at these positions."""
        return pair_geometry(
            positions, topology, box, radius=self.architecture.radius, columns=self.architecture.columns
        )

    def forecast(self, moment: Moment) -> tuple[Forecast, PairGeometry]:
        """The distribution of the target, standardised, and the pairs that it was made with."""
        geometry = self.geometry(moment.positions, moment.topology, moment.box)
        forecast = self.dynamics(moment, geometry)
        if self.architecture.resting:
            centres = moment.topology.molecules @ forecast.mean
            still = forecast.mean - (moment.topology.molecules > 0).astype(centres.dtype).T @ centres
            forecast = eqx.tree_at(lambda f: f.mean, forecast, still)
        return forecast, geometry

    def target(self, newest: Float[Array, "G 3"], following: Float[Array, "G 3"]) -> Float[Array, "G 3"]:
        """What is predicted, standardised, from the newest step and the step after it."""
        change = following if self.architecture.target == "displacement" else following - newest
        return change / self.scales.target(self.architecture.target)

    def step_of(self, newest: Float[Array, "G 3"], target: Float[Array, "G 3"]) -> Float[Array, "G 3"]:
        """The step that a target stands for: the inverse of `target`."""
        change = target * self.scales.target(self.architecture.target)
        return change if self.architecture.target == "displacement" else newest + change

    def sample(self, moment: Moment, key: Array) -> Drawn:
        """One step of a simulation."""
        forecast, geometry = self.forecast(moment)
        own, rest = jax.random.split(key)
        target = draw(forecast, geometry, own, least_spread=self.architecture.least_spread)
        step = jnp.where(moment.topology.group_masses[:, None] > 0, self.step_of(moment.steps[-1], target), 0)
        overflow = geometry.overflow
        if self.score is not None:
            step, crowded = self._refined(moment, forecast.nodes, step, rest)
            overflow = overflow | crowded
        return Drawn(step, overflow)

    def radii(self, moment: Moment) -> Float[Array, " M"]:
        """Radii of gyration of the molecules, by the head where there is one, else of the groups' centres."""
        if self.gyration is None:
            return coarse_gyration(moment.positions, moment.topology)
        return self.gyration(self.forecast(moment)[0].nodes, moment.positions, moment.topology)

    def _refined(
        self, moment: Moment, nodes: Float[Array, "G F"], step: Float[Array, "G 3"], key: Array
    ) -> tuple[Float[Array, "G 3"], Bool[Array, " G"]]:
        """The step after all levels of the refinement."""
        choice, score, topology = self.architecture.refinement, self.score, moment.topology
        assert choice is not None and score is not None
        real = topology.group_masses[:, None] > 0

        def once(carry: tuple[Array, Array], level: tuple[Array, Array, Array]) -> tuple[tuple[Array, Array], None]:
            (offset, crowded), (sigma, eta, number) = carry, level
            geometry = self.geometry(moment.positions + offset * self.scales.step, topology, moment.box)
            net = score(nodes, topology, geometry)
            moved = langevin_step(offset, net, sigma=sigma, eta=eta, key=jax.random.fold_in(key, number))
            return (jnp.where(real, moved, 0), crowded | geometry.overflow), None

        inner = choice.inner_steps
        sigmas = jnp.repeat(jnp.asarray(choice.sigmas, jnp.float32), inner)
        etas = jnp.repeat(jnp.asarray(eta_of(choice), jnp.float32), inner)
        numbers = jnp.arange(len(sigmas), dtype=jnp.uint32)
        start = (step / self.scales.step, jnp.zeros(len(step), bool))
        (offset, crowded), _ = lax.scan(once, start, (sigmas, etas, numbers))
        return offset * self.scales.step, crowded

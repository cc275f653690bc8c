"""The dynamics network in its published form: it sees components of vectors, and is not equivariant under rotation."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np

from helio.coarse.network.architecture import Architecture
from helio.coarse.network.dynamics import Dynamics, mixing_network
from helio.coarse.network.forecast import Forecast
from helio.coarse.network.geometry import PairGeometry, lengths
from helio.coarse.network.graph_network import MLP
from helio.coarse.network.moment import Moment
from helio.coarse.network.standardise import Scales


class PublishedDynamics(Dynamics):
    """Steps, features and masses on nodes; displacement, distance and kind on edges; mean and spread by axis."""

    decode: MLP
    mix: MLP | None

    def __init__(self, architecture: Architecture, scales: Scales, *, rng: np.random.Generator) -> None:
        a = architecture
        super().__init__(3 * (a.history - 1), 4, architecture, scales, rng=rng)
        self.decode = MLP(a.width, a.width, 6, hidden_layers=a.hidden_layers, rng=rng, zero=True)
        self.mix = mixing_network(architecture, rng)

    def __call__(self, moment: Moment, geometry: PairGeometry) -> Forecast:
        """The forecast at a moment, with the pairs at its positions."""
        away = geometry.vectors / self.scales.bond
        moved = jnp.moveaxis(moment.steps, 0, 1).reshape(len(moment.features), -1) / self.scales.step
        edges = [away, lengths(away)[:, :, None]]
        nodes, latents = self.latents([moved, moment.features], edges, moment.topology, geometry)
        mean, raw = jnp.split(self.decode(nodes), 2, axis=-1)
        return Forecast(mean, self.spread(raw), self.mixing(latents, geometry), nodes)

"""The integrators: one composition of short steps for each ensemble.

Read each from left to right; the fractions say for how much of the time step a piece acts.
"""

from __future__ import annotations

from jaxtyping import Array, Float

from helio.simulate.barostats import CellDrift, CellKick, CellMotion, ChainsOfBoth, MomentumKick, StochasticCell
from helio.simulate.freedom import Freedom
from helio.simulate.steps import Bath, Composition, Drift, Evaluate, Kick
from helio.simulate.thermostats import NoseHooverChain

Timestep = Float[Array, ""]


def constant_energy(timestep: Timestep, freedom: Freedom) -> Composition:
    """Velocity Verlet (Swope et al., J. Chem. Phys. 76, 637 (1982)): symplectic, reversible, error O(dt^2)."""
    return Composition(timestep, freedom, (Kick(0.5), Drift(1.0), Evaluate(), Kick(0.5)))


def with_bath_in_the_middle(timestep: Timestep, freedom: Freedom, thermostat: Bath) -> Composition:
    """B A O A B: constant temperature by Langevin's friction and noise or by stochastic velocity rescaling."""
    return Composition(timestep, freedom, (Kick(0.5), Drift(0.5), thermostat, Drift(0.5), Evaluate(), Kick(0.5)))


def with_chain(timestep: Timestep, freedom: Freedom, chain: NoseHooverChain) -> Composition:
    """Constant temperature by a Nose-Hoover chain around velocity Verlet."""
    return Composition(timestep, freedom, (chain, Kick(0.5), Drift(1.0), Evaluate(), Kick(0.5), chain))


def with_stochastic_cell(
    timestep: Timestep, freedom: Freedom, thermostat: Bath, barostat: StochasticCell
) -> Composition:
    """Constant pressure by stochastic cell rescaling, before B A O A B."""
    return Composition(
        timestep, freedom, (barostat, Kick(0.5), Drift(0.5), thermostat, Drift(0.5), Evaluate(), Kick(0.5))
    )


def with_moving_cell(timestep: Timestep, freedom: Freedom, motion: CellMotion) -> Composition:
    """Constant pressure by the moving cell of Martyna, Tobias and Klein with chains."""
    chains, cell, kick, drift = ChainsOfBoth(motion), CellKick(motion), MomentumKick(motion), CellDrift(motion)
    return Composition(timestep, freedom, (chains, cell, kick, drift, Evaluate(), kick, cell, chains))

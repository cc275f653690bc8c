"""Simulations: states, integrators, the engine that runs blocks of steps, minimisers, whole runs on disk.

In: a `System` and anything that offers `neighbors(system, skin=, widths=)` and `(system, neighbors) -> Prediction`,
as `ForceField` does. Out: `State`s, and a run folder.

An integrator is a small module with `init(state)`, `step(state, force_fn)` and `extra_energy(state)`, made of the
named steps of `steps.py`. `step` advances by one time step and evaluates the forces exactly once, at the positions
that it ends with: there the engine checks the neighbour list. Randomness comes from the state's key folded with the
step's number alone, so that a run does not depend on how it is cut into blocks. Time is in sqrt(amu A^2/eV)
(`units.FS`), temperature is k_B T in eV. May import `force_field`, `neighbors`, `files` and what lies below.
"""

from helio.simulate.engine import ActiveLists, advance, make_lists, start
from helio.simulate.langevin import Langevin
from helio.simulate.nose_hoover import NoseHoover
from helio.simulate.nve import VelocityVerlet
from helio.simulate.state import State

__all__ = [
    "ActiveLists",
    "Langevin",
    "NoseHoover",
    "State",
    "VelocityVerlet",
    "advance",
    "make_lists",
    "start",
]

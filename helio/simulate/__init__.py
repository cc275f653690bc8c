"""Simulations: states, integrators, the engine that runs blocks of steps, minimisers, whole runs on disk.

In: a `System` and a potential: anything with the methods of `potential.Potential`, as `ForceField` and `Sharded` are.
Out: `State`s, and a run folder.

An integrator is a `Composition` of short steps (`steps.py`): kicks, drifts, the evaluation of the forces, and baths
(`thermostats/`, `barostats/`); `ensembles.py` has one line for each ensemble. A step evaluates the forces exactly once,
and the engine checks the neighbour list at the positions where it did. Randomness comes from the state's key folded
with the step's number alone, so that a run does not depend on how it is cut into blocks. Time is in
sqrt(amu A^2/eV) (`units.FS`), temperature is k_B T in eV, pressure in eV/A^3. May import `force_field`, `neighbors`,
`files` and what lies below.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from helio.simulate.bias import add_bias
    from helio.simulate.engine import advance, make_lists, start
    from helio.simulate.freedom import Freedom
    from helio.simulate.lists import ActiveLists
    from helio.simulate.schedule import Schedule
    from helio.simulate.state import State
    from helio.simulate.steps import Composition

__all__ = [
    "ActiveLists",
    "Composition",
    "Freedom",
    "Schedule",
    "State",
    "add_bias",
    "advance",
    "make_lists",
    "start",
]

# Loaded when first used: settings are checked, and `helio md --help` is shown, without JAX.
_HOME = {
    "ActiveLists": "lists",
    "Composition": "steps",
    "Freedom": "freedom",
    "Schedule": "schedule",
    "State": "state",
    "add_bias": "bias",
    "advance": "engine",
    "make_lists": "engine",
    "start": "engine",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'helio.simulate' has no attribute {name!r}")
    return getattr(import_module(f"helio.simulate.{_HOME[name]}"), name)

"""Barostats, one per file: baths (`helio.simulate.steps.Bath`) that exchange volume with the system.

In: a state whose potential gives the stress, the modes in which the cell may change (`coupling.py`), the outer
pressure in eV/A^3 and k_B T in eV, both as schedules. The cell strains with the atoms, so the shifts of a neighbour
list stay true. Both sample exp(-(H + P V) / k_B T) V^(N-1) dV with the centre of mass at rest.
"""

from helio.simulate.barostats.coupling import Coupling, OuterPressure
from helio.simulate.barostats.martyna_tobias_klein import (
    CellDrift,
    CellKick,
    CellMotion,
    ChainsOfBoth,
    MomentumKick,
)
from helio.simulate.barostats.stochastic import StochasticCell

__all__ = [
    "CellDrift",
    "CellKick",
    "CellMotion",
    "ChainsOfBoth",
    "Coupling",
    "MomentumKick",
    "OuterPressure",
    "StochasticCell",
]

"""Thermostats, one per file: baths (`helio.simulate.steps.Bath`) that exchange heat with the atoms.

Each acts on the momenta alone, keeps the canonical distribution of the allowed ones, and accounts for the heat that
it took, so that a conserved quantity remains. k_B T is in eV and may follow a schedule; times are in
sqrt(amu A^2/eV).
"""

from helio.simulate.thermostats.langevin import Langevin
from helio.simulate.thermostats.nose_hoover import NoseHooverChain
from helio.simulate.thermostats.rescaling import StochasticRescaling

__all__ = ["Langevin", "NoseHooverChain", "StochasticRescaling"]

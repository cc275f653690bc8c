"""Thin adapters through which other programs call a `ForceField`.

In: the other program's atoms. Out: energies and derivatives in its units and signs. An adapter holds no physics: it
turns atoms into a `System`, asks the force field, and hands the `Prediction` back.
"""

from helio.interfaces.ase import HelioCalculator

__all__ = ["HelioCalculator"]

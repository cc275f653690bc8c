"""How well a force field agrees with reference numbers.

In: a `ForceField` and labelled structures of `helio.datasets`, one after another, so that sets of any size pass
through. Out: plain records of numbers (counts, mean absolute and root-mean-square errors) in eV, A and e; what prints
or plots them is in `report` and `cli`. One file per benchmark. Imports `datasets`, `force_field` and below, never
plotting.
"""

from helio.evaluate.dimers import DimerEvaluation, evaluate_dimers
from helio.evaluate.lattice_energies import CrystalEvaluation, evaluate_crystals, lattice_energy
from helio.evaluate.structures import Evaluation, evaluate_structures

__all__ = [
    "CrystalEvaluation",
    "DimerEvaluation",
    "Evaluation",
    "evaluate_crystals",
    "evaluate_dimers",
    "evaluate_structures",
    "lattice_energy",
]

"""How well a force field agrees with reference numbers.

In: a `ForceField` and labelled structures, one after another, so that sets of any size pass through. Out: plain
records of numbers (counts, mean absolute and root-mean-square errors) in eV, A and e; what prints or plots them is in
`report` and `cli`. One file per benchmark. Imports `force_field`, `files` and below, never plotting.
"""

from helio.evaluate.dimers import DimerEvaluation, evaluate_dimers
from helio.evaluate.labels import LabelOptions, Labels, read_labels
from helio.evaluate.structures import Evaluation, evaluate_structures

__all__ = [
    "DimerEvaluation",
    "Evaluation",
    "LabelOptions",
    "Labels",
    "evaluate_dimers",
    "evaluate_structures",
    "read_labels",
]

"""Distillation: structures are generated, labelled by a teacher model, and a smaller student is trained on them.

In: a recipe (`Recipe`, YAML), a teacher. Out: a store of training data with all labels that the teacher can give,
energies, forces and properties of every atom included, and models trained on it with a comparison to the teacher.
Everything random follows from the recipe's seed; a block of structures does not depend on the blocks before it.

May import `build`, `evaluate`, `train`, `simulate`, `force_field` and what lies below.
"""

from helio.distillation.generation import generate, held_out_store
from helio.distillation.recipe import Recipe, read_recipe

__all__ = ["Recipe", "generate", "held_out_store", "read_recipe"]

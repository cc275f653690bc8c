"""What a user wants of generated frameworks."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from helio.errors import HelioError
from helio.frameworks.model.heads import MOST_BLOCKS
from helio.frameworks.model.scaling import Scales
from helio.frameworks.model.torus import cell_matrix

_MOST = (500.0, 500.0, 500.0, 180.0, 180.0, 180.0)  # edges in A, angles in degrees


@dataclass(frozen=True)
class Wishes:
    """All may be left open."""

    targets: Mapping[str, float] = field(default_factory=dict)  # labels in their own units
    most: tuple[str, ...] = ()  # labels of which the most is wanted
    least: tuple[str, ...] = ()
    cell: tuple[float, ...] | None = None  # a, b, c in A and alpha, beta, gamma in degrees
    blocks: int | None = None  # in a cell

    @property
    def any_label(self) -> bool:
        """Whether a label is wished for."""
        return bool(self.targets or self.most or self.least)

    @property
    def any(self) -> bool:
        """Whether anything is."""
        return self.any_label or self.cell is not None or self.blocks is not None


def check_wishes(wishes: Wishes, scales: Scales) -> None:
    """Raise `HelioError` for labels that the model does not know, and for cells and numbers that cannot be."""
    for name, value in wishes.targets.items():
        if not math.isfinite(value):
            raise HelioError(f"the target of {name} must be a number that is finite, not {value}")
    named = [*wishes.targets, *wishes.most, *wishes.least]
    for name in named:
        if name not in scales.names:
            raise HelioError(
                f"the model does not know the label {name!r}; it knows {', '.join(scales.names) or 'none'}"
            )
        if named.count(name) > 1:
            raise HelioError(f"{name} is wished for twice: give a target, the most or the least of it")
    if wishes.blocks is not None and not 1 <= wishes.blocks <= MOST_BLOCKS:
        raise HelioError(f"a cell holds 1 to {MOST_BLOCKS} building blocks, not {wishes.blocks}")
    if wishes.cell is not None:
        if len(wishes.cell) != 6:
            raise HelioError(f"a cell is given by six numbers, a b c alpha beta gamma, not {len(wishes.cell)}")
        if not all(0 < value <= limit for value, limit in zip(wishes.cell, _MOST, strict=True)):
            raise HelioError(
                f"a cell has edges of up to {_MOST[0]:g} A and angles below 180 degrees, not "
                f"{', '.join(f'{value:g}' for value in wishes.cell)}"
            )
        try:
            cell_matrix(wishes.cell)
        except ValueError as error:
            raise HelioError(str(error)) from None


def label_arrays(wishes: Wishes, scales: Scales) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Standardised targets, which labels have one, and directions (1, -1 or 0), (L,) each."""
    names = scales.names
    values = np.array([wishes.targets.get(name, 0.0) for name in names])
    weight = np.array([float(name in wishes.targets) for name in names])
    direction = np.array([float(name in wishes.most) - float(name in wishes.least) for name in names])
    return scales.labels_in(values).astype(np.float32), weight.astype(np.float32), direction.astype(np.float32)

"""What a user may choose about the reading of a set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from helio.datasets.labels import LABELS
from helio.errors import HelioError


@dataclass(frozen=True)
class ImportChoices:
    """Answers to what a file does not say, or says wrongly."""

    # Names of quantities and their units, instead of those of the layout: length, energy, forces, dipole, stress.
    units: Mapping[str, str | None] = field(default_factory=dict)
    keys: Mapping[str, str] = field(default_factory=dict)  # label -> its one name in the file; "" leaves it out
    method: str | None = None  # which of several levels of theory in a file
    gradients: bool = False  # whether what stands for forces are gradients of the energy

    def __post_init__(self) -> None:
        """Check the names of labels."""
        for name in self.keys:
            if name not in LABELS:
                raise HelioError(f"unknown label {name!r}; choose among {', '.join(LABELS)}")

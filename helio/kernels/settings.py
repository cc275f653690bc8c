"""What is fixed in a compiled attention: its sizes and constants, without the tables."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from helio.kernels.tables import TabulatedFilters


class AttentionSettings(NamedTuple):
    """Of one layer."""

    heads: int
    degrees: tuple[int, ...]
    cutoff: float  # A
    decay: float  # 1/A
    average_neighbors: float

    @classmethod
    def of(cls, filters: TabulatedFilters) -> AttentionSettings:
        """Those that belong to these tables."""
        return cls(filters.num_heads, filters.degrees, filters.cutoff, filters.decay, filters.average_neighbors)

    @property
    def components(self) -> int:
        """M, of all degrees."""
        return sum(2 * degree + 1 for degree in self.degrees)

    def attributes(self) -> dict[str, Any]:
        """As the compiled library takes them."""
        return {
            "heads": np.int64(self.heads),
            "degrees": np.array(self.degrees, np.int64),
            "cutoff": np.float64(self.cutoff),
            "decay": np.float64(self.decay),
            "average_neighbors": np.float64(self.average_neighbors),
        }

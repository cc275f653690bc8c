"""What a relaxation gives."""

from __future__ import annotations

from dataclasses import dataclass

from helio.frameworks.crystal import Crystal


@dataclass(frozen=True)
class Relaxed:
    """A crystal after a relaxation, and how it went."""

    crystal: Crystal
    energy_before: float  # eV per cell
    energy_after: float  # eV per cell
    volume_change: float  # share of the volume before
    steps: int
    converged: bool

    def figures(self) -> dict[str, float]:
        """As plain numbers."""
        return {
            "energy_before_ev": self.energy_before,
            "energy_after_ev": self.energy_after,
            "volume_change": self.volume_change,
            "steps": float(self.steps),
            "converged": float(self.converged),
        }

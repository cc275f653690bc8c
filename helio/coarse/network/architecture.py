"""What a coarse model is made of: sizes and choices that its weights belong to."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from helio.errors import HelioError, excerpt
from helio.settings.checking import checked_record

Form = Literal["published", "equivariant"]
Target = Literal["acceleration", "displacement"]
Noise = Literal["independent", "paired"]
EtaRule = Literal["constant", "scaled"]


def spaced_levels(count: int, *, largest: float, smallest: float) -> tuple[float, ...]:
    """`count` levels of noise, spaced evenly in the logarithm, the largest first; of one level, the largest."""
    return tuple(float(level) for level in np.geomspace(largest, smallest, count))


@dataclass(frozen=True)
class RefinementChoice:
    """Levels of noise and steps of the refinement; lengths in units of the rms step per coordinate."""

    levels: int = 20
    largest: float = 1.0
    smallest: float = 0.01
    inner_steps: int = 10
    eta: float = 5e-5
    rule: EtaRule = "constant"

    def __post_init__(self) -> None:
        """Check that the numbers can be."""
        _check(self, {"levels": (1, 1000), "inner_steps": (0, 10_000)})
        _check(self, {"largest": (1e-9, 1e9), "smallest": (1e-9, 1e9), "eta": (0, 1e9)})

    @property
    def sigmas(self) -> tuple[float, ...]:
        """The levels."""
        return spaced_levels(self.levels, largest=self.largest, smallest=self.smallest)


@dataclass(frozen=True)
class Architecture:
    """Sizes and choices; static in compiled code, kept in the model file."""

    type_names: tuple[str, ...]  # of beads
    bond_types: int  # 0: bonds are all alike
    periodic: bool  # whether systems have a box
    history: int  # H
    form: Form = "equivariant"
    target: Target = "displacement"
    noise: Noise = "paired"
    width: int = 64  # of hidden layers and latents of the dynamics
    layers: int = 2  # of message passing
    hidden_layers: int = 2  # of each small network
    embedding_width: int = 32
    embedding_layers: int = 2
    embedding_size: int = 32
    type_size: int = 32  # of the vectors of types of beads, bonds and pairs
    masses: bool = True  # whether networks see masses
    resting: bool = False  # the mean displacement of a molecule's centre of mass is zero
    radius: float | None = None  # of pairs, in the unit of the data; None: all pairs
    columns: int = 0  # groups within the radius of one, partners apart; 0: no list, all pairs
    separation: int = 1  # partners are up to so many bonds apart, which networks tell from each other
    least_spread: float = 0.01  # of the noise, in units of the rms target
    gyration_width: int | None = None  # of the head of radii of gyration; None: there is none
    refinement: RefinementChoice | None = None

    def __post_init__(self) -> None:
        """Check that the sizes can be."""
        _check(self, _LIMITS)
        if not 1 <= len(self.type_names) <= _MAX_WIDTH:
            raise HelioError(f"a coarse model needs from 1 to {_MAX_WIDTH} types of beads, not {len(self.type_names)}")
        if self.radius is not None:
            _check(self, {"radius": (1e-9, 1e9)})
        if self.gyration_width is not None:
            _check(self, {"gyration_width": (1, _MAX_WIDTH)})

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Any) -> Architecture:
        """From plain values; raises `HelioError` for names that there are not, and values that cannot be."""
        return checked_record(cls, values, "the architecture of the model")


_MAX_WIDTH = 16_384
# Least and most of each; far beyond what networks of this kind have.
_LIMITS: dict[str, tuple[float, float]] = {
    "bond_types": (0, 1000),
    "history": (1, 100),
    "layers": (1, 64),
    "hidden_layers": (1, 16),
    "embedding_layers": (1, 64),
    "columns": (0, 10_000),
    "separation": (1, 100),
    "least_spread": (0, 1e9),
    "width": (1, _MAX_WIDTH),
    "embedding_width": (1, _MAX_WIDTH),
    "embedding_size": (1, _MAX_WIDTH),
    "type_size": (1, _MAX_WIDTH),
}


def _check(record: object, limits: dict[str, tuple[float, float]]) -> None:
    for name, (least, most) in limits.items():
        if not least <= getattr(record, name) <= most:
            raise HelioError(f"{name} must be from {least:g} to {most:g}, not {excerpt(getattr(record, name))}")

"""The settings that fix a model's functional form; stored in the header of its file."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Self

from helio.errors import HelioError, excerpt
from helio.settings.checking import checked_record

# Least and most of each; far beyond what a network of this kind has been found to gain from.
_LIMITS: dict[str, tuple[float, float]] = {
    "num_layers": (1, 64),
    "features": (1, 16_384),
    "num_heads": (1, 1024),
    "num_radial": (2, 1024),
    "spherical_hidden": (1, 16_384),
    "hirshfeld_width": (1, 16_384),
    "cutoff": (0.1, 50),  # A
    "radial_gamma": (1e-6, 100),  # 1/A
    "average_neighbors": (1e-6, 1e6),
    "zbl_reach": (0, 50),  # A
    "electrostatics_sigma": (1e-6, 1000),  # A
    "dispersion_scale": (0, 1000),
    "dispersion_switch_width": (0, 1000),  # A
}
# Settings that model files of all versions have.
_ALWAYS_WRITTEN = (
    *_LIMITS,
    "degrees",
    "zbl",
    "electrostatics",
    "dispersion",
    "supported_elements",
)
_MAX_DEGREE = 12
_HEAVIEST = 118  # atomic number


@dataclass(frozen=True)
class ForceFieldSettings:
    """Sizes of the network and constants of the physical terms. The defaults are the published SO3LR model's.

    A setting that is added must have the default that older models imply: their files lack it.
    """

    num_layers: int = 3
    features: int = 128  # F
    num_heads: int = 4  # H, of the features; the Euclidean variables have one per degree
    degrees: tuple[int, ...] = (1, 2, 3, 4)
    num_radial: int = 32  # functions of the radial basis
    spherical_hidden: int = 32  # hidden width of the spherical filters
    hirshfeld_width: int = 64
    cutoff: float = 4.5  # A
    radial_gamma: float = 0.9448630809783936  # 1/A, decay of the radial basis
    average_neighbors: float = 13.168995780096482
    zbl: bool = True
    zbl_reach: float = 1.5  # A
    electrostatics: bool = True
    electrostatics_sigma: float = 4.0  # A
    dispersion: bool = True
    dispersion_scale: float = 1.2
    dispersion_switch_width: float = 2.0  # A
    supported_elements: tuple[int, ...] = (1, 6, 7, 8, 9, 15, 16, 17)

    def __post_init__(self) -> None:
        """Check that the sizes can be, and fit together."""
        for name, (least, most) in _LIMITS.items():
            if not least <= getattr(self, name) <= most:
                raise HelioError(f"{name} must be from {least:g} to {most:g}, not {excerpt(getattr(self, name))}")
        if not all(1 <= number <= _HEAVIEST for number in self.supported_elements) or not self.supported_elements:
            raise HelioError(
                f"supported_elements are atomic numbers from 1 to {_HEAVIEST}, not {excerpt(self.supported_elements)}"
            )
        for heads, name in ((self.num_heads, "num_heads"), (len(self.degrees), "the number of degrees")):
            if heads < 1 or self.features % heads:
                raise HelioError(f"features ({self.features}) must be a multiple of {name} ({heads})")
        if min(self.degrees) < 1 or max(self.degrees) > _MAX_DEGREE or len(set(self.degrees)) != len(self.degrees):
            raise HelioError(f"degrees must be different and from 1 to {_MAX_DEGREE}, not {excerpt(self.degrees)}")

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as for JSON."""
        return {name: list(v) if isinstance(v, tuple) else v for name, v in asdict(self).items()}

    @classmethod
    def from_dict(cls, values: Any) -> Self:
        """The inverse of `to_dict`, for what any version has written.

        Raises:
            HelioError: a name is unknown, a value that all versions write is missing, or a value cannot be.
        """
        return checked_record(cls, values, "the settings of the model", required=_ALWAYS_WRITTEN)

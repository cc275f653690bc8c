"""The settings that fix a model's functional form; stored in the header of its file."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any

from helio.errors import HelioError


@dataclass(frozen=True)
class ForceFieldSettings:
    """Sizes of the network and constants of the physical terms. The defaults are the published SO3LR model's."""

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
        """Check that the sizes fit together."""
        for heads, name in ((self.num_heads, "num_heads"), (len(self.degrees), "the number of degrees")):
            if heads < 1 or self.features % heads:
                raise HelioError(f"features ({self.features}) must be a multiple of {name} ({heads})")
        if min(self.degrees) < 1 or len(set(self.degrees)) != len(self.degrees):
            raise HelioError(f"degrees must be different and at least 1, not {self.degrees}")
        if self.num_layers < 1 or self.num_radial < 2 or self.cutoff <= 0:
            raise HelioError("a model needs at least one layer, two radial functions and a positive cutoff")

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as for JSON."""
        return {name: list(v) if isinstance(v, tuple) else v for name, v in asdict(self).items()}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> ForceFieldSettings:
        """The inverse of `to_dict`. Raises `HelioError` for names that are unknown or missing."""
        known = {field.name for field in fields(cls)}
        if set(values) != known:
            raise HelioError(
                f"model settings do not fit this version of Helio: unknown {sorted(set(values) - known)}, "
                f"missing {sorted(known - set(values))}"
            )
        converted: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in values.items()}
        return cls(**converted)

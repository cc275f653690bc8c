"""What a user can choose for a molecular dynamics run."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from helio.errors import HelioError

Output = Literal["velocities", "forces", "charges"]


class MDSettings(BaseModel):
    """One molecular dynamics run; stored as `settings.yaml` in its folder."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str = Field("so3lr", description="name of a model or path of a model file")
    precision: Literal["float32", "float64"] = "float32"
    long_range_cutoff: float | None = Field(
        None, gt=0, description="A; by default 12 with periodicity and 1000 (all pairs of a molecule) without"
    )
    electrostatics: Literal["shifted", "ewald"] = "shifted"
    charge: int | None = Field(None, description="total charge in e; by default from the file, else 0")
    spin: int | None = Field(None, ge=0, description="number of unpaired electrons; by default from the file, else 0")

    ensemble: Literal["nve", "nvt"] = "nvt"
    thermostat: Literal["langevin", "nose-hoover"] = "langevin"
    temperature: float = Field(300.0, ge=0, description="K, of the thermostat and of the start velocities")
    friction: float = Field(1.0, gt=0, description="1/ps, of the Langevin thermostat")
    relaxation_time: float = Field(100.0, gt=0, description="fs, of the Nose-Hoover thermostat")
    velocities: Literal["thermal", "file"] = Field("thermal", description="drawn at the temperature, or from the file")

    steps: int = Field(1000, ge=0)
    timestep: float = Field(0.5, gt=0, description="fs")
    seed: int = Field(0, ge=0, lt=2**32)
    skin: float = Field(0.5, gt=0, description="A by which neighbour lists reach beyond the cutoffs")
    hottest: float = Field(20_000.0, gt=0, description="K at which the run stops as unstable")

    save: tuple[Output, ...] = Field(("velocities",), description="what frames hold besides positions")
    save_every: int = Field(100, ge=1, description="steps between frames")
    log_every: int = Field(100, ge=1, description="steps between rows of the log")
    checkpoint_every: int = Field(1000, ge=1, description="steps between checkpoints")


def checked_settings(values: dict[str, Any]) -> MDSettings:
    """Settings from plain values; `HelioError` that names what is wrong."""
    try:
        return MDSettings(**values)
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(map(str, problem['loc']))}: {problem['msg']} (got {problem['input']!r})"
            for problem in error.errors()
        )
        raise HelioError(f"settings are wrong: {problems}") from None

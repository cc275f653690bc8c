"""Settings of a coarse training and of a roll-out."""

from __future__ import annotations

from typing import Literal

from pydantic import (
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    model_validator,
)

from helio.coarse.network.architecture import (
    Architecture,
    EtaRule,
    Form,
    Noise,
    RefinementChoice,
    Target,
    spaced_levels,
)
from helio.errors import HelioError
from helio.settings.checking import Settings


class RefinementSettings(Settings):
    """Predict, then refine; lengths in units of the rms step of a group per coordinate."""

    levels: PositiveInt = Field(20, description="of noise, spaced evenly in the logarithm")
    largest: PositiveFloat = Field(1.0, description="level")
    smallest: PositiveFloat = Field(0.01, description="level")
    inner_steps: PositiveInt = Field(10, description="of Langevin dynamics at each level")
    eta: PositiveFloat = Field(5e-5, description="length of these steps at the smallest level, squared rms steps")
    rule: EtaRule = Field("constant", description="for eta: constant as published, or scaled by (level / smallest)^2")

    @model_validator(mode="after")
    def _ordered(self) -> RefinementSettings:
        if self.smallest > self.largest:
            raise ValueError("smallest must not be above largest")
        return self


class NetworkSettings(Settings):
    """Size and form of the networks."""

    form: Form = Field(
        "equivariant", description="equivariant under rotation by construction, or published: sees components"
    )
    target: Target = Field("displacement", description="what is predicted: the next displacement, or the acceleration")
    noise: Noise = Field("paired", description="of a step: shared between groups that see each other, or independent")
    history: int = Field(8, ge=2, description="frames that a step is predicted from; published 30, in boxes 20")
    width: PositiveInt = Field(64, description="of hidden layers and latents of the dynamics; published 128")
    layers: PositiveInt = Field(2, description="rounds of messages; published 7")
    hidden_layers: PositiveInt = Field(2, description="of every small network")
    embedding_width: PositiveInt = Field(32, description="of the embedding of beads; published 64")
    embedding_layers: PositiveInt = Field(2, description="rounds of messages along bonds; published 7")
    embedding_size: PositiveInt = Field(32, description="numbers that stand for a group; published 128")
    type_size: PositiveInt = Field(16, description="numbers that stand for a type of beads, bonds or pairs; 32")
    masses: bool = Field(False, description="networks see masses; published for boxes only")
    resting: bool = Field(
        False,
        description="the mean displacement of a molecule's centre is zero, as in large steps in implicit solvent "
        "(forces within a molecule cancel, inertia is forgotten); for target displacement",
    )
    radius: PositiveFloat | None = Field(
        None, description="within which groups see each other, in the data's unit; by default all do; needed in boxes"
    )
    separation: PositiveInt = Field(
        1, description="up to so many bonds between two groups are told apart; published 1: whether they are bonded"
    )
    least_spread: PositiveFloat = Field(0.01, description="of noise, in units of the rms target")
    gyration: PositiveInt | None = Field(
        None, description="width of a head that predicts radii of gyration, published 256; by default groups give them"
    )
    refinement: RefinementSettings | None = Field(None, description="a score network that refines each step, or null")

    @model_validator(mode="after")
    def _consistent(self) -> NetworkSettings:
        if self.resting and self.target != "displacement":
            raise ValueError("resting is for the target displacement")
        return self

    def architecture(
        self, *, type_names: tuple[str, ...], bond_types: int, periodic: bool, columns: int
    ) -> Architecture:
        """With what comes from the data; raises `HelioError` for a box without a radius."""
        if periodic and self.radius is None:
            raise HelioError("systems in a box need network.radius, below half of its edges")
        values = self.model_dump() | {"type_names": type_names, "bond_types": bond_types, "periodic": periodic}
        refinement = None if self.refinement is None else RefinementChoice(**self.refinement.model_dump())
        del values["gyration"]
        return Architecture(**values | {"columns": columns, "gyration_width": self.gyration, "refinement": refinement})


class HistoryNoise(Settings):
    """Noise on histories in training, which teaches a model to mend its own errors; in units of the rms step."""

    largest: NonNegativeFloat = Field(0.05, description="level; 0: no noise")
    smallest: NonNegativeFloat = Field(0.005, description="level")
    levels: PositiveInt = Field(10, description="spaced evenly in the logarithm")

    @property
    def sigmas(self) -> tuple[float, ...]:
        """All levels; none where there is no noise."""
        if self.largest == 0:
            return ()
        return spaced_levels(self.levels, largest=self.largest, smallest=self.smallest)

    @model_validator(mode="after")
    def _ordered(self) -> HistoryNoise:
        if self.largest > 0 and not 0 < self.smallest <= self.largest:
            raise ValueError("smallest must be above zero and not above largest")
        return self


class LossSettings(Settings):
    """Weights of the terms of the loss, where the model has what they are about."""

    motion: PositiveFloat = Field(1.0, description="weight of the negative log likelihood of steps")
    gyration: NonNegativeFloat = Field(1.0, description="weight of radii of gyration")
    score: NonNegativeFloat = Field(1.0, description="weight of the refinement's score")


class CoarseTrainSettings(Settings):
    """One training; stored as `settings.yaml` in its folder."""

    task: Literal["coarse-train"] = Field("coarse-train", description="what these settings are for")

    # Data
    data: str = Field(description="store of `helio coarse prepare` or `helio coarse reference`", examples=["store.h5"])
    step_time: PositiveFloat | None = Field(
        None, description="of the model, in the store's unit; by default the time between frames"
    )
    systems_per_batch: PositiveInt = Field(8, description="different systems in a batch")
    windows_per_system: PositiveInt = Field(8, description="windows of each of them in a batch")
    validation_windows: PositiveInt = Field(64, description="of each system that validates")

    # Model
    network: NetworkSettings = Field(NetworkSettings.model_validate({}), description="size and form of the networks")
    seed: int = Field(0, ge=0, lt=2**32, description="of the first weights and of all draws")

    # Disturbance
    history_noise: HistoryNoise = Field(HistoryNoise.model_validate({}), description="on histories, in rms steps")
    rotate: bool = Field(
        False, description="turn windows at random, in boxes by the symmetries of a cube; for the published form"
    )

    # Loss
    loss: LossSettings = Field(LossSettings.model_validate({}), description="weights of its terms")

    # Optimiser
    learning_rate: PositiveFloat = Field(1e-3, description="at its highest")
    decay: Literal["constant", "exponential", "cosine"] = Field("cosine", description="of the learning rate")
    decay_rate: float = Field(0.1, gt=0, le=1, description="factor of an exponential decay per decay_updates")
    decay_updates: PositiveInt | None = Field(None, description="updates of the decay; by default all steps")
    final_learning_rate: NonNegativeFloat = Field(1e-5, description="lowest")
    warmup_updates: NonNegativeInt = Field(100, description="over which the learning rate rises")
    clip_norm: PositiveFloat | None = Field(20.0, description="of gradients")
    averaging: float = Field(0.999, ge=0, lt=1, description="of the weights that are validated and kept")

    # Length
    steps: PositiveInt = Field(10_000, description="batches to take in all")
    hours: PositiveFloat | None = Field(None, description="after which the run ends in any case")
    patience: PositiveInt | None = Field(None, description="validations without a better one before the run ends")

    # Output
    log_every: PositiveInt = Field(100, description="steps between rows of the log")
    validate_every: PositiveInt = Field(500, description="steps between validations")
    checkpoint_every: PositiveInt = Field(500, description="steps between checkpoints")
    name: str = Field("coarse", min_length=1, description="of the model")

    @model_validator(mode="after")
    def _consistent(self) -> CoarseTrainSettings:
        if self.final_learning_rate > self.learning_rate:
            raise ValueError("final_learning_rate must not be above learning_rate")
        return self


class SimulateSettings(Settings):
    """One roll-out; stored as `settings.yaml` in its folder."""

    task: Literal["coarse-simulate"] = Field("coarse-simulate", description="what these settings are for")
    model: str = Field(description="file of a coarse model")
    data: str = Field(description="store that the systems and their first frames come from")
    systems: tuple[str, ...] = Field((), description="by name; by default those of `part`")
    part: Literal["train", "validation", "test"] = Field("test", description="of the store")
    begin: NonNegativeInt = Field(0, description="frame of the store that the first history begins with")
    steps: PositiveInt = Field(10_000, description="model steps")
    save_every: PositiveInt = Field(1, description="steps between frames that are written")
    checkpoint_every: PositiveInt = Field(1000, description="steps between checkpoints")
    bond_limit: PositiveFloat = Field(
        3.0, allow_inf_nan=True, description="longest bond allowed, in units of the longest in training"
    )
    size_limit: PositiveFloat = Field(
        3.0, allow_inf_nan=True, description="largest radius of gyration allowed, likewise"
    )
    seed: int = Field(0, ge=0, lt=2**32, description="of the noise")

    @model_validator(mode="after")
    def _consistent(self) -> SimulateSettings:
        for name in ("steps", "checkpoint_every"):
            if getattr(self, name) % self.save_every:
                raise ValueError(f"{name} must be a multiple of save_every, {self.save_every}")
        return self


# What may change when a run goes on.
MAY_CHANGE = ("steps", "hours", "patience", "log_every", "checkpoint_every", "name")

"""What a user can choose for the training of a generative model of frameworks."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, NonNegativeFloat, PositiveInt, model_validator

from helio.frameworks.model.schedules import Schedule
from helio.settings.checking import Settings


class EncoderSettings(Settings):
    """The network that turns building blocks into embeddings, and its training."""

    channels: PositiveInt = Field(32, le=4096, description="numbers of an embedding")
    features: PositiveInt = Field(48, le=4096, description="width of the network")
    layers: PositiveInt = Field(3, le=64, description="rounds of messages along bonds")
    blocks_per_batch: int = Field(48, ge=2, description="different blocks, each seen twice")
    jitter: NonNegativeFloat = Field(0.05, description="A; how far atoms are moved, so that a block is seen anew")
    steps: PositiveInt = Field(1500, description="batches to take")
    learning_rate: float = Field(1e-3, gt=0, description="the highest; it falls to zero along a cosine")


class NetworkSettings(Settings):
    """The networks of the autoencoder and of the diffusion."""

    latent: PositiveInt = Field(32, le=4096, description="numbers of a latent")
    features: PositiveInt = Field(64, le=4096, description="numbers of a block; a multiple of 4")
    pair: PositiveInt = Field(64, le=4096, description="numbers of a pair of blocks")
    reach: PositiveInt = Field(
        4, le=16, description="most waves along a cell vector, of those that pairs are seen with"
    )
    layers: PositiveInt = Field(3, le=64, description="of exchange between blocks, in the denoiser")
    encoder_layers: PositiveInt = Field(2, le=64, description="likewise in the encoder")

    @model_validator(mode="after")
    def _consistent(self) -> NetworkSettings:
        if self.features % 4:
            raise ValueError("features must be a multiple of 4, the number of heads of the attention")
        return self


class ScheduleSettings(Settings):
    """The noise of the diffusion; lengths in units of the cube root of the cell's volume."""

    steps: PositiveInt = Field(300, le=100_000, description="from noise to a framework")
    sigma_min: float = Field(0.01, gt=0, description="least noise of places")
    sigma_max: float = Field(0.7, gt=0, description="most noise of places, which leaves nothing of them")

    @model_validator(mode="after")
    def _consistent(self) -> ScheduleSettings:
        if self.sigma_min >= self.sigma_max:
            raise ValueError("sigma_min must be below sigma_max")
        return self

    @property
    def schedule(self) -> Schedule:
        """As the diffusion takes it."""
        return Schedule(self.steps, self.sigma_min, self.sigma_max)


_ENCODER = EncoderSettings.model_validate({})
_NETWORK = NetworkSettings.model_validate({})
_SCHEDULE = ScheduleSettings.model_validate({})


class FrameworkTrainSettings(Settings):
    """One training; stored as `settings.yaml` in its folder."""

    task: Literal["frameworks-train"] = Field("frameworks-train", description="what these settings are for")
    data: str = Field(description="store of `helio frameworks build` or `import`", examples=["frameworks.h5"])
    labels: tuple[str, ...] = Field(
        (), description="of the store, that latents are to tell; by default all that most frameworks have"
    )
    frameworks_per_batch: PositiveInt = Field(32, description="all of about the same number of blocks")
    draws: PositiveInt = Field(3, description="of noise, for each framework of a batch")
    most_shapes: PositiveInt = Field(2, description="of batches; fewer compile sooner, and pad more")
    seed: int = Field(0, ge=0, lt=2**32, description="of weights, order of the data and noise")
    encoder: EncoderSettings = Field(_ENCODER, description="of building blocks")
    network: NetworkSettings = Field(_NETWORK, description="of frameworks")
    schedule: ScheduleSettings = Field(_SCHEDULE, description="of the noise")
    places_weight: NonNegativeFloat = Field(5.0, description="of the error of places, in units of that of embeddings")
    kl_weight: NonNegativeFloat = Field(0.01, description="of the latents' divergence from a standard normal")
    learning_rate: float = Field(1e-3, gt=0, description="the highest; it falls to zero along a cosine")
    warmup_updates: int = Field(200, ge=0, description="updates over which the learning rate rises from zero")
    clip_norm: float | None = Field(10.0, gt=0, description="longest gradient, as a vector of all weights")
    averaging: float = Field(0.999, ge=0, lt=1, description="decay of the moving average of weights, per update")
    steps: PositiveInt = Field(20_000, description="batches to take")
    hours: float | None = Field(None, gt=0, description="after which the run ends in any case")
    log_every: PositiveInt = Field(100, description="steps between rows of the log")
    validate_every: PositiveInt = Field(1000, description="steps between validations")
    checkpoint_every: PositiveInt = Field(1000, description="steps between checkpoints")
    name: str = Field("frameworks", min_length=1, description="of the model")
    licence: str = Field("not stated", description="of the model")
    citation: str = Field("not stated", description="of the model")


# What may change when a run goes on: it alters when the run ends and what is shown, not what is computed.
MAY_CHANGE = ("hours", "log_every", "checkpoint_every", "name", "licence", "citation")

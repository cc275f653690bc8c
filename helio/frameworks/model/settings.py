"""What a user can choose for the training of a generative model of frameworks."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, NonNegativeFloat, PositiveInt, ValidationError, model_validator

from helio.errors import HelioError
from helio.files.yaml_file import read_yaml
from helio.frameworks.model.schedules import Schedule


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class EncoderSettings(_Settings):
    """The network that turns building blocks into embeddings, and its training."""

    channels: PositiveInt = Field(32, description="numbers of an embedding")
    features: PositiveInt = Field(48, description="width of the network")
    layers: PositiveInt = Field(3, description="rounds of messages along bonds")
    blocks_per_batch: int = Field(48, ge=2, description="different blocks, each seen twice")
    jitter: NonNegativeFloat = Field(0.05, description="A; how far atoms are moved, so that a block is seen anew")
    steps: PositiveInt = Field(1500, description="batches to take")
    learning_rate: float = Field(1e-3, gt=0, description="the highest; it falls to zero along a cosine")


class NetworkSettings(_Settings):
    """The networks of the autoencoder and of the diffusion."""

    latent: PositiveInt = Field(32, description="numbers of a latent")
    features: PositiveInt = Field(48, description="scalars of a block; a multiple of 4")
    vectors: PositiveInt = Field(12, description="vectors of a block")
    functions: PositiveInt = Field(16, description="radial functions of a pair")
    layers: PositiveInt = Field(3, description="of exchange between blocks, in the denoiser")
    encoder_layers: PositiveInt = Field(2, description="likewise in the encoder")

    @model_validator(mode="after")
    def _consistent(self) -> NetworkSettings:
        if self.features % 4:
            raise ValueError("features must be a multiple of 4, the number of heads of the attention")
        return self


class ScheduleSettings(_Settings):
    """The noise of the diffusion; lengths in units of the cube root of the cell's volume."""

    steps: PositiveInt = Field(300, description="from noise to a framework")
    sigma_min: float = Field(0.002, gt=0, description="least noise of places")
    sigma_max: float = Field(1.5, gt=0, description="most noise of places, which leaves nothing of them")

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


class FrameworkTrainSettings(_Settings):
    """One training; stored as `settings.yaml` in its folder."""

    task: Literal["frameworks-train"] = Field("frameworks-train", description="what these settings are for")
    data: str = Field(description="store of `helio frameworks build` or `import`")
    labels: tuple[str, ...] = Field(
        (), description="of the store, that latents are to tell; by default all that most frameworks have"
    )
    frameworks_per_batch: PositiveInt = Field(32, description="all of about the same number of blocks")
    most_shapes: PositiveInt = Field(2, description="of batches; fewer compile sooner, and pad more")
    seed: int = Field(0, ge=0, lt=2**32, description="of weights, order of the data and noise")
    encoder: EncoderSettings = Field(_ENCODER, description="of building blocks")
    network: NetworkSettings = Field(_NETWORK, description="of frameworks")
    schedule: ScheduleSettings = Field(_SCHEDULE, description="of the noise")
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


def checked_settings(values: dict[str, Any]) -> FrameworkTrainSettings:
    """Settings from plain values; `HelioError` that names what is wrong."""
    try:
        return FrameworkTrainSettings(**values)
    except ValidationError as error:
        found = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}".strip(": ") for each in error.errors())
        raise HelioError(f"settings are wrong: {found}") from None


def read_settings(path: str | Path) -> tuple[Path | None, FrameworkTrainSettings]:
    """The run folder (None if not named) and the settings in a file; paths in it are relative to it.

    Raises:
        HelioError: it cannot be read, names no store, or a setting is wrong.
    """
    path = Path(path)
    values = read_yaml(path)
    if not isinstance(values, dict) or not isinstance(values.get("data"), str):
        raise HelioError(f"{path} needs a line `data: STORE`; `helio frameworks template` prints a whole settings file")
    for name in ("data", "out"):
        if isinstance(values.get(name), str):
            values[name] = str((path.parent / Path(values[name]).expanduser()).resolve())
    out = values.pop("out", None)
    return None if out is None else Path(out), checked_settings(values)


def check_unchanged(before: dict[str, Any], now: FrameworkTrainSettings, where: str) -> None:
    """Raise `HelioError` where settings differ from those that a run began with in what it computes."""
    values = now.model_dump(mode="json")
    changed = [name for name in values if name not in MAY_CHANGE and values[name] != before.get(name)]
    if changed:
        listed = ", ".join(f"{name} was {before.get(name)!r} and is {values[name]!r}" for name in changed)
        raise HelioError(
            f"the run in {where} began with other settings: {listed}. Put them back to go on, or start anew"
        )


def template() -> str:
    """A settings file with every setting at its default and a word on each."""
    lines = [
        "# Settings of `helio frameworks train`. Name the data, change what you like; the rest may be left out.",
        "out: frameworks-training  # run folder to make; relative to this file",
    ]
    for name, field in FrameworkTrainSettings.model_fields.items():
        if name == "data":
            lines.append(f"data: frameworks.h5  # {field.description}; relative to this file")
        elif isinstance(field.default, BaseModel):
            lines.append(f"{name}:  # {field.description}")
            for part, inner in type(field.default).model_fields.items():
                lines.append(f"  {part}: {_as_yaml(inner.default)}  # {inner.description}")
        else:
            lines.append(f"{name}: {_as_yaml(field.default)}  # {field.description}")
    return "\n".join(lines) + "\n"


def _as_yaml(value: Any) -> str:
    plain = list(value) if isinstance(value, tuple) else value
    text = yaml.safe_dump(plain, default_flow_style=True, width=1000)
    return text.removesuffix("\n").removesuffix("\n...").strip()

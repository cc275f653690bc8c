"""What a user can choose for a training."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, NonNegativeFloat, PositiveInt, model_validator

from helio.force_field import ForceFieldSettings
from helio.force_field.long_range_cutoff import PERIODIC
from helio.settings.checking import Settings
from helio.train.loss import LABELS
from helio.train.shapes import MOST_SHAPES

_PUBLISHED = ForceFieldSettings()


class NetworkSettings(Settings):
    """Size and physical terms of a model that is trained from scratch; defaults are those of the published SO3LR."""

    num_layers: PositiveInt = Field(_PUBLISHED.num_layers, description="layers of attention")
    features: PositiveInt = Field(_PUBLISHED.features, description="numbers per atom")
    num_heads: PositiveInt = Field(_PUBLISHED.num_heads, description="heads of the attention on features")
    degrees: tuple[int, ...] = Field(_PUBLISHED.degrees, description="degrees l of the Euclidean variables")
    num_radial: PositiveInt = Field(_PUBLISHED.num_radial, description="functions of the radial basis")
    spherical_hidden: PositiveInt = Field(_PUBLISHED.spherical_hidden, description="hidden width of spherical filters")
    hirshfeld_width: PositiveInt = Field(
        _PUBLISHED.hirshfeld_width, description="width of the head of Hirshfeld ratios"
    )
    cutoff: float = Field(_PUBLISHED.cutoff, gt=0, description="in A, of the network")
    average_neighbors: float | None = Field(
        None, gt=0, description="by which sums over neighbours are divided; by default their mean in the training data"
    )
    zbl: bool = Field(_PUBLISHED.zbl, description="repulsion of nuclei at short distance")
    electrostatics: bool = Field(_PUBLISHED.electrostatics, description="between the predicted charges")
    electrostatics_sigma: float = Field(_PUBLISHED.electrostatics_sigma, gt=0, description="in A, smearing of charges")
    dispersion: bool = Field(_PUBLISHED.dispersion, description="from the predicted Hirshfeld ratios")
    dispersion_scale: float = Field(_PUBLISHED.dispersion_scale, gt=0, description="of the damping radius")

    def force_field(self, *, elements: tuple[int, ...], average_neighbors: float) -> ForceFieldSettings:
        """The settings of the model, with what comes from the data where it is not given here."""
        values: dict[str, Any] = self.model_dump() | {"supported_elements": elements}
        values["average_neighbors"] = self.average_neighbors or average_neighbors
        return ForceFieldSettings(**values)


class LossSettings(Settings):
    """Weights of the labels in the loss, and its shape."""

    energy: NonNegativeFloat = Field(0.0, description="weight of energies, in eV per atom")
    forces: NonNegativeFloat = Field(10.0, description="weight of forces, in eV/A")
    stress: NonNegativeFloat = Field(0.0, description="weight of the stress, in eV/A^3")
    dipole: NonNegativeFloat = Field(1.0, description="weight of dipoles, in e A")
    charges: NonNegativeFloat = Field(0.0, description="weight of charges, in e")
    hirshfeld_ratios: NonNegativeFloat = Field(1.0, description="weight of Hirshfeld ratios")
    atomic_energies: NonNegativeFloat = Field(0.0, description="weight of energies of atoms, in eV")
    alpha: float = Field(
        2.0, le=2, description="of the robust loss: 2 is the square, 1 grows linearly, less is bounded"
    )
    scales: dict[str, float] = Field(
        {}, description="by label, in its unit: where the robust loss leaves the square; by default 1"
    )

    @property
    def weights(self) -> dict[str, float]:
        """Those above zero."""
        return {name: getattr(self, name) for name in LABELS if getattr(self, name) > 0}

    @model_validator(mode="after")
    def _consistent(self) -> LossSettings:
        if not self.weights:
            raise ValueError("at least one label needs a weight above zero")
        for name, scale in self.scales.items():
            if name not in LABELS:
                raise ValueError(f"scales name {name!r}; the labels are {', '.join(LABELS)}")
            if scale <= 0:
                raise ValueError(f"the scale of {name} must be above zero")
        return self


_NETWORK = NetworkSettings.model_validate({})
_LOSS = LossSettings.model_validate({})


class TrainSettings(Settings):
    """One training; stored as `settings.yaml` in its folder."""

    task: Literal["train"] = Field("train", description="what these settings are for")

    # Data
    data: str = Field(description="store of `helio data import`", examples=["store.h5"])
    validation_data: str | None = Field(None, description="store to validate on; by default structures of `data`")
    train: PositiveInt | None = Field(None, description="structures to train on, drawn at random; by default the rest")
    validation: int | float = Field(0.05, ge=0, description="structures to validate on: a number, or a share below 1")
    split_seed: int = Field(0, ge=0, lt=2**32, description="of the draw of both")
    group_by: str | None = Field(
        None,
        description="what stays together when structures are divided: group (of the import, the default where the "
        "data have groups), source, formula, block:100 (neighbours) or none",
    )
    structures_per_batch: PositiveInt = Field(16, description="most structures of a batch")
    atoms_per_batch: PositiveInt | None = Field(None, description="most atoms of a batch, padding included")
    most_shapes: PositiveInt = Field(MOST_SHAPES, description="of batches; fewer compile sooner, and pad more")
    level_weights: dict[str, NonNegativeFloat] = Field({}, description="in the loss, by level of theory; by default 1")
    source_weights: dict[str, NonNegativeFloat] = Field({}, description="in the loss, by source; by default 1")
    reference_energies: Literal["fitted", "atoms", "none"] = Field(
        "fitted", description="taken off energies: a fit per element, energies of single atoms in the data, or nothing"
    )
    workers: int = Field(0, ge=0, description="processes that make batches; 0 makes them in a thread")

    # Model
    heads: Literal["one", "per-level"] = Field(
        "one", description="one set of heads for all data, or one for each level of theory in the data"
    )
    default_level: str | None = Field(
        None, description="level whose heads the model has where none is asked for; by default the first of the data"
    )
    start: str | None = Field(None, description="model whose weights training starts from; by default random ones")
    start_level: str | None = Field(
        None, description="level of theory of this model, where it has several; by default the one that it names first"
    )
    parts: dict[str, NonNegativeFloat] = Field(
        {}, description="factors of the learning rate by part of the model, those not named are kept; by default all 1"
    )
    lora_rank: PositiveInt | None = Field(
        None, description="of low-rank changes to the matrices of these parts, instead of changes to all their weights"
    )
    network: NetworkSettings = Field(_NETWORK, description="size of a model with random weights")
    long_range_cutoff: float = Field(
        PERIODIC, gt=0, description="in A, for periodic structures; molecules have all pairs"
    )
    precision: Literal["float32", "float64"] = Field("float32", description="of all arithmetic")
    seed: int = Field(0, ge=0, lt=2**32, description="of the first weights and the order of the data")

    # Replay
    replay: str | None = Field(None, description="store of other structures, on which a start is to stay as it is")
    replay_share: float = Field(0.3, ge=0, lt=1, description="of all batches; 0 only measures what is forgotten")
    replay_labels: Literal["start", "own"] = Field(
        "start", description="what these structures are trained on: predictions of the start, or labels of the store"
    )
    replay_validation: int | float = Field(
        0.1, gt=0, description="of these structures, kept to measure on: a number, or a share below 1"
    )

    # Loss
    loss: LossSettings = Field(_LOSS, description="weights of the labels, and shape")

    # Optimiser
    optimiser: Literal["amsgrad", "adam", "adamw"] = Field("amsgrad", description="rule of the updates")
    learning_rate: float = Field(1e-3, gt=0, description="the highest")
    decay: Literal["constant", "exponential", "cosine"] = Field("exponential", description="of the learning rate")
    decay_rate: float = Field(0.85, gt=0, le=1, description="factor of the exponential decay")
    decay_updates: PositiveInt | None = Field(
        None, description="updates for one factor of the exponential decay (by default 500000) or the cosine (all)"
    )
    final_learning_rate: float = Field(0.0, ge=0, description="the lowest")
    warmup_updates: int = Field(0, ge=0, description="updates over which the learning rate rises from zero")
    weight_decay: float = Field(0.0, ge=0, description="of adamw, on matrices alone")
    clip_norm: float | None = Field(10.0, gt=0, description="longest gradient, as a vector of all weights")
    accumulate: PositiveInt = Field(1, description="batches whose gradients make one update")
    averaging: float = Field(0.999, ge=0, lt=1, description="decay of the moving average of weights, per update")

    # Length
    steps: PositiveInt | None = Field(None, description="batches to take; by default as many as epochs need")
    epochs: float | None = Field(None, gt=0, description="passes over the data, instead of steps; by default 100")
    hours: float | None = Field(None, gt=0, description="after which the run ends in any case")
    patience: PositiveInt | None = Field(None, description="validations without a better one before the run ends")
    devices: PositiveInt | None = Field(None, description="over which batches are split; by default all of one host")

    # Output
    log_every: PositiveInt = Field(100, description="steps between rows of the log")
    validate_every: PositiveInt = Field(1000, description="steps between validations")
    checkpoint_every: PositiveInt = Field(1000, description="steps between checkpoints")
    tensorboard: bool = Field(False, description="write curves for TensorBoard, too")
    wandb: str | None = Field(None, description="project of Weights & Biases to send curves to")
    name: str = Field("trained", min_length=1, description="of the model")
    licence: str = Field("not stated", description="of the model")
    citation: str = Field("not stated", description="of the model")

    @model_validator(mode="after")
    def _consistent(self) -> TrainSettings:
        if self.steps is not None and self.epochs is not None:
            raise ValueError("give steps or epochs, not both")
        if self.weight_decay and self.optimiser != "adamw":
            raise ValueError("weight_decay needs optimiser: adamw")
        if self.final_learning_rate > self.learning_rate:
            raise ValueError("final_learning_rate must not be above learning_rate")
        if self.start is not None and self.network != _NETWORK:
            raise ValueError("start takes the size of that model: leave out network")
        for name in ("lora_rank", "replay", "start_level"):
            if getattr(self, name) is not None and self.start is None:
                raise ValueError(f"{name} needs a start: the model that is fine-tuned")
        if self.default_level is not None and self.heads == "one":
            raise ValueError("default_level needs heads: per-level")
        if self.patience is not None and self.validation == 0 and self.validation_data is None:
            raise ValueError("patience needs structures to validate on")
        return self


# What may change when a run goes on: it alters when the run ends and what is shown, not what is computed.
MAY_CHANGE = (
    "steps", "epochs", "hours", "patience", "workers", "log_every", "tensorboard", "wandb", "name", "licence",
    "citation", "checkpoint_every", "default_level",
)  # fmt: skip

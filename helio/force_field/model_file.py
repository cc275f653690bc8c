"""Model files: safetensors, with everything else that a model needs as JSON in the header.

The header's metadata has one entry, `helio`: the format's number, the settings, name, licence, citation and source,
and the SHA-256 of the weights (names, types, shapes and bytes of all tensors). Tensors are named by their path in the
`ForceField`, like `network.layers.0.query.1.blocks`. Where the header names several levels of theory, the tensors of
the heads have a leading axis: a column for each. An uncertainty has tensors `uncertainty.*` and a checksum of its own,
so that weights are known again with and without it. Writing the same model twice gives the same bytes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from ase.data import chemical_symbols
from safetensors.numpy import save

from helio.devices import check_platforms
from helio.errors import HelioError, excerpt
from helio.files.atomic import write_bytes
from helio.files.safetensors_file import open_tensors
from helio.force_field.force_field import ForceField
from helio.force_field.levels import ManyLevels
from helio.force_field.settings import ForceFieldSettings
from helio.force_field.uncertainty import Uncertainty, WeakSpots
from helio.network.template import TooManyParameters, template
from helio.settings.checking import checked_record

FORMAT = 1
_FLOATS = ("float32", "float64")
_UNCERTAINTY = "uncertainty."
_DIRECTIONS = "weak_spots.directions"
_HEADS = ("energy_head.", "charge_head.", "hirshfeld_head.")


@dataclass(frozen=True)
class ModelInfo:
    """What a user of the model must know.

    Its energies are those that it was trained on less the energies of their atoms, `reference_energies`, where the
    file has them.
    """

    name: str
    licence: str = "not stated"
    citation: str = "not stated"
    source: str = "not stated"
    licence_text: str = ""  # where the licence asks to be passed on in full
    levels: tuple[str, ...] = ()  # of theory; the first is meant where none is asked for
    reference_energies: Mapping[str, Mapping[str, float]] = field(default_factory=dict)  # eV, by level and element

    def level(self, name: str | None) -> str | None:
        """The level that is meant by `name` or, for None, by default; None where the model has none.

        Raises:
            HelioError: there is no such level.
        """
        if name is None:
            return self.levels[0] if self.levels else None
        if not self.levels:
            raise HelioError(
                f"the model {self.name} names no levels of theory, so {name} cannot be chosen: leave the level out"
            )
        if name not in self.levels:
            raise HelioError(
                f"the model {self.name} has no level of theory called {name}: choose among {', '.join(self.levels)}"
            )
        return name

    def at(self, level: str | None) -> ModelInfo:
        """What holds of one level of theory, chosen as by `level`."""
        chosen = self.level(level)
        if chosen is None:
            return self
        known = {chosen: self.reference_energies[chosen]} if chosen in self.reference_energies else {}
        return replace(self, levels=(chosen,), reference_energies=known)

    def energy_of_atoms(self, atomic_numbers: np.ndarray) -> float:
        """What total energies have besides the model's: the sum of the atoms' reference energies, in eV.

        Raises:
            HelioError: the file has none of one level of theory, or not for all these elements.
        """
        if len(self.reference_energies) != 1:
            raise HelioError(
                f"the model {self.name} has no reference energies of one level of theory, so it gives no total "
                "energies: compare differences of energies"
            )
        ((level, known),) = self.reference_energies.items()
        symbols = [chemical_symbols[int(number)] for number in atomic_numbers]
        missing = sorted(set(symbols) - set(known))
        if missing:
            raise HelioError(f"the model {self.name} has no reference energy of {', '.join(missing)} at {level}")
        return sum(known[symbol] for symbol in symbols)


_OPTIONAL = ("levels", "reference_energies")  # absent where there are none
_INFO = tuple(each.name for each in fields(ModelInfo))


@dataclass(frozen=True)
class ModelHeader:
    """What a model file says about itself."""

    info: ModelInfo
    settings: ForceFieldSettings
    weights_sha256: str
    num_parameters: int
    uncertainty: UncertaintyHeader | None = None


@dataclass(frozen=True)
class UncertaintyHeader:
    """What a model file says about its uncertainty."""

    about: str  # which data it comes from
    limit: float  # eV/A, as in `Uncertainty`
    members: int
    sha256: str
    weak_spots: tuple[str, ...] = ()  # names, as in `WeakSpots`
    weak_thresholds: tuple[float, ...] = ()
    unpaired_electrons: tuple[int, ...] = ()  # as in `Uncertainty`


def save_model(model: ForceField | ManyLevels, path: str | Path, info: ModelInfo) -> None:
    """Write a model to `path` (`*.safetensors` by custom), whole or not at all, its arrays bit by bit.

    The long-range cutoff and the kind of electrostatics are choices of a simulation and are not stored. The levels of
    `info` are those of the model where this has several; a `ForceField` has one, or none by name.
    """
    if isinstance(model, ManyLevels):
        info = replace(info, levels=model.names)
        model = model.stacked() if len(model.names) > 1 else model.at(0)
    tensors = named_tensors(model)
    record = {
        "format": FORMAT,
        **{name: value for name, value in asdict(info).items() if name not in _OPTIONAL or value},
        "settings": model.settings.to_dict(),
        "weights_sha256": weights_sha256(tensors),
        "num_parameters": sum(tensor.size for tensor in tensors.values()),
    }
    if model.uncertainty is not None:
        added, header = _uncertainty_tensors(model.uncertainty)
        tensors, record = tensors | added, record | {"uncertainty": asdict(header)}
    # One entry only: safetensors writes several in a random order.
    write_bytes(path, save(tensors, {"helio": json.dumps(record, sort_keys=True)}))


def read_model(path: str | Path, level: str | None = None) -> tuple[ForceField, ModelHeader]:
    """The model in the file `path`, bit by bit as it was saved, and its header; of several levels of theory, one.

    Raises `HelioError` if there is no such file, if it is damaged, if it is not a model of Helio, or if it does not
    have that level.
    """
    header, tensors, uncertainty = _read_whole(path)
    info = header.info
    chosen = info.level(level)
    if chosen is not None:
        tensors = _column(tensors, info.levels.index(chosen), len(info.levels), path)
    force_field = replace(fill_force_field(header.settings, tensors, path), uncertainty=uncertainty)
    return force_field, replace(header, info=info.at(level))


def read_levels(path: str | Path) -> ManyLevels:
    """The model in the file `path` with all its levels; raises `HelioError` as `read_model`, and if it names none."""
    header, tensors, _ = _read_whole(path)
    names = header.info.levels
    if not names:
        raise HelioError(f"the model in {path} names no levels of theory")
    columns = [_column(tensors, number, len(names), path) for number in range(len(names))]
    made = [fill_force_field(header.settings, column, path) for column in columns]
    with jax.enable_x64(True):
        return ManyLevels.of(dict(zip(names, made, strict=True)))


def read_model_info(path: str | Path) -> ModelHeader:
    """The header of the model file `path`; raises `HelioError` as `read_model`, but does not check the weights."""
    return _read(path, weights=False)[0]


def fill_force_field(settings: ForceFieldSettings, tensors: dict[str, np.ndarray], path: str | Path) -> ForceField:
    """The force field of `settings` with `tensors` as its parameters, bit by bit; `path` is for messages.

    Raises `HelioError` if a tensor is missing, unknown, of the wrong shape or not a floating-point number.
    """
    parameters = sum(tensor.size for tensor in tensors.values())
    try:
        shaped = template(lambda generator: ForceField.initialise(settings, generator), parameters=parameters)
    except TooManyParameters:
        raise HelioError(
            f"the weights in {path} do not fit its settings: these need more than the {parameters:,} parameters that "
            "are there. Fetch or copy the file again"
        ) from None
    leaves, structure = jax.tree_util.tree_flatten_with_path(shaped)
    shapes = {_name(tree_path): leaf.shape for tree_path, leaf in leaves}
    missing, unknown = sorted(set(shapes) - set(tensors)), sorted(set(tensors) - set(shapes))
    if missing or unknown:
        raise HelioError(
            f"the weights in {path} do not fit its settings: missing {_some(missing)}; unknown {_some(unknown)}. "
            "Choose a file written by this version of Helio or convert the original again"
        )
    for name, shape in shapes.items():
        if tensors[name].shape != shape or tensors[name].dtype.name not in _FLOATS:
            raise HelioError(
                f"the weights in {path} do not fit its settings: {name} is {tensors[name].dtype.name} of shape "
                f"{tensors[name].shape}, expected floating-point numbers of shape {shape}"
            )
        if not np.isfinite(tensors[name].astype(np.float64)).all():
            raise HelioError(
                f"the model in {path} holds weights that are not finite ({name}): its training failed or the file is "
                "damaged; choose another model"
            )
    with jax.enable_x64(True):  # else float64 would lose its last digits
        arrays = [jnp.asarray(tensors[name]) for name in shapes]
    return jax.tree.unflatten(structure, arrays)


def named_tensors(force_field: ForceField) -> dict[str, np.ndarray]:
    """All parameters by their path in the tree, as contiguous host arrays; what is made from them is none."""
    parameters = replace(force_field, tables=None, uncertainty=None)
    leaves = jax.tree_util.tree_flatten_with_path(parameters)[0]
    return {_name(path): np.ascontiguousarray(leaf).reshape(np.shape(leaf)) for path, leaf in leaves}


def weights_sha256(tensors: dict[str, np.ndarray]) -> str:
    """SHA-256 over name, type, shape and little-endian bytes of all tensors in the order of their names."""
    digest = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype.name} {tensor.shape}\n".encode())
        digest.update(tensor.astype(tensor.dtype.newbyteorder("<")).tobytes())
    return digest.hexdigest()


def _column(tensors: dict[str, np.ndarray], number: int, count: int, path: str | Path) -> dict[str, np.ndarray]:
    """The tensors of one of `count` levels."""
    if count == 1:
        return tensors
    chosen = dict(tensors)
    for name in (name for name in tensors if name.startswith(_HEADS)):
        if tensors[name].shape[:1] != (count,):
            raise HelioError(f"{path} is damaged: {name} does not have a column for each of {count} levels of theory")
        chosen[name] = np.ascontiguousarray(tensors[name][number]).reshape(tensors[name].shape[1:])
    return chosen


def _read_whole(path: str | Path) -> tuple[ModelHeader, dict[str, np.ndarray], Uncertainty | None]:
    check_platforms()
    header, tensors = _read(path)
    apart = {name: tensors.pop(name) for name in list(tensors) if name.startswith(_UNCERTAINTY)}
    if weights_sha256(tensors) != header.weights_sha256:
        raise HelioError(f"{path} is damaged: its weights do not fit their checksum. Fetch or copy it again")
    return header, tensors, _read_uncertainty(header, apart, path)


def _uncertainty_tensors(uncertainty: Uncertainty) -> tuple[dict[str, np.ndarray], UncertaintyHeader]:
    tensors = {_UNCERTAINTY + name: np.asarray(getattr(uncertainty, name)) for name in ("factor", "members")}
    spots = uncertainty.weak_spots
    if spots is not None:
        tensors[_UNCERTAINTY + _DIRECTIONS] = np.ascontiguousarray(spots.directions)
    return tensors, UncertaintyHeader(
        about=uncertainty.about,
        limit=uncertainty.limit,
        members=len(uncertainty.members),
        sha256=weights_sha256(tensors),
        weak_spots=spots.names if spots else (),
        weak_thresholds=spots.thresholds if spots else (),
        unpaired_electrons=uncertainty.unpaired_electrons,
    )


def _read_uncertainty(header: ModelHeader, tensors: dict[str, np.ndarray], path: str | Path) -> Uncertainty | None:
    known, features = header.uncertainty, header.settings.features
    if known is None and not tensors:
        return None
    shapes = {name.removeprefix(_UNCERTAINTY): tensor.shape for name, tensor in tensors.items()}
    count = len(known.weak_spots) if known else 0
    directions = {_DIRECTIONS: (count, features)} if count else {}
    if (
        known is None
        or shapes != {"factor": (features, features), "members": (known.members, features)} | directions
        or len(known.weak_thresholds) != count
        or weights_sha256(tensors) != known.sha256
    ):
        raise HelioError(
            f"the uncertainty in {path} is damaged or not whole: copy the file again, or make one with helio calibrate"
        )
    with jax.enable_x64(True):
        arrays = {name: jnp.asarray(tensors[_UNCERTAINTY + name]) for name in shapes}
    spots = WeakSpots(arrays.pop(_DIRECTIONS), known.weak_thresholds, known.weak_spots) if count else None
    return Uncertainty(
        **arrays,
        limit=known.limit,
        about=known.about,
        weak_spots=spots,
        unpaired_electrons=known.unpaired_electrons,
    )


def _read(path: str | Path, *, weights: bool = True) -> tuple[ModelHeader, dict[str, np.ndarray]]:
    missing, mend = (
        "check the name, or see `helio model list`",
        "fetch or copy it again, or convert published weights with",
    )
    with open_tensors(path, "helio", missing=missing, mend=f"{mend} `helio model convert`") as file:
        header = _header(file.record, path)
        return header, file.tensors() if weights else {}


def _header(record: dict[str, Any] | None, path: str | Path) -> ModelHeader:
    if record is None:
        raise HelioError(f"{path} is a safetensors file, but not a model of Helio: choose another file")
    if "kind" in record:
        raise HelioError(f"{path} holds a model of {excerpt(record['kind'])}, not a force field: choose another file")
    if record.get("format", FORMAT) != FORMAT:
        raise HelioError(
            f"{path} has format {excerpt(record['format'])}, this Helio reads format {FORMAT}: use another version of "
            "Helio"
        )
    try:
        stated = checked_record(_Record, record, "it")
        return ModelHeader(
            ModelInfo(**{name: getattr(stated, name) for name in _INFO}),
            ForceFieldSettings.from_dict(stated.settings),
            stated.weights_sha256,
            stated.num_parameters,
            stated.uncertainty,
        )
    except HelioError as error:
        raise HelioError(f"{path} is damaged: its header cannot be read ({error}). Fetch or copy it again") from None


@dataclass(frozen=True)
class _Record:
    """All that the header holds."""

    format: int
    name: str
    licence: str
    citation: str
    source: str
    licence_text: str
    settings: dict[str, Any]
    weights_sha256: str
    num_parameters: int
    levels: tuple[str, ...] = ()
    reference_energies: dict[str, dict[str, float]] = field(default_factory=dict)
    uncertainty: UncertaintyHeader | None = None


def _name(path: tuple[Any, ...]) -> str:
    return jax.tree_util.keystr(path, simple=True, separator=".")


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "") or "none"

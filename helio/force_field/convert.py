"""Published SO3LR weights -> `ForceField`.

Two publications of the same weights are read: `params.pkl` with its hyperparameters.json (SO3LR, JAX) and the model
file of So3krates-torch (`so3lr.model`). Both give the same tensors, bit by bit, by these rules:

- The row Z = 0 of every element table is zero: no atom has it, and the torch file lacks it.
- The final bias of the energy head is left out, as in the published model's own code.
- Atomic energy offsets of the torch file that are equal for all elements are left out: they are the mean energy of the
  training data, which only sets the zero of energy and which the JAX file does not contain.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from helio.errors import HelioError, excerpt, reason
from helio.files.json_text import parse_json
from helio.force_field.force_field import ForceField
from helio.force_field.model_file import fill_force_field
from helio.force_field.published_names import ELEMENT_TABLES, LAYER, ONCE, ZBL_PARAMETERS
from helio.force_field.settings import ForceFieldSettings
from helio.force_field.torch_archive import read_torch_model
from helio.force_field.torch_names import published_layout
from helio.force_field.unpickle import load_arrays

# Choices of the published programs that Helio's functional form has built in.
_FIXED = {
    "activation_fn": "silu",
    "cutoff_fn": "phys",
    "dispersion_energy_bool": True,
    "electrostatic_energy_bool": True,
    "energy_activation_fn": "silu",
    "layer_normalization_1": True,
    "layer_normalization_2": True,
    "message_normalization": "avg_num_neighbors",
    "qk_non_linearity": "identity",
    "radial_basis_fn": "bernstein",
    "residual_mlp_1": True,
    "residual_mlp_2": False,
    "use_charge_embed": True,
    "use_spin_embed": True,
    "zbl_repulsion_bool": True,
}
_UNUSED = "observables_0/energy_dense_final/bias"


def read_hyperparameters(content: str, path: str | Path) -> ForceFieldSettings:
    """The settings in a published hyperparameters.json given as text; `path` is for messages.

    Raises `HelioError` if it is damaged or describes a functional form that Helio does not have.
    """
    try:
        values = parse_json(content, "its content")
        values = {**values["model"], "avg_num_neighbors": values["data"]["avg_num_neighbors"]}
    except (HelioError, KeyError, TypeError) as error:
        raise HelioError(
            f"{path} is damaged or is no hyperparameters.json ({reason(error)}): choose another file"
        ) from error
    return _settings(values, path)


def convert_published(params: str | Path, hyperparameters: str | Path) -> ForceField:
    """The force field in the published files params.pkl and hyperparameters.json.

    Raises `HelioError` as `read_hyperparameters` and `convert_params`, or if a file cannot be read.
    """
    settings = read_hyperparameters(_content(hyperparameters).decode(errors="replace"), hyperparameters)
    return convert_params(_content(params), settings, params)


def convert_published_torch(path: str | Path) -> ForceField:
    """The force field in the model file of So3krates-torch; raises `HelioError` as `convert_published`."""
    return convert_torch(_content(path), path)


def convert_params(content: bytes, settings: ForceFieldSettings, path: str | Path) -> ForceField:
    """The force field of a published params.pkl given as bytes; `path` is for messages.

    The hidden widths in `settings`, which the hyperparameters do not state, are taken from the arrays. Raises
    `HelioError` if the file is damaged, asks to run anything, or does not fit the settings.
    """
    published = {name.removeprefix("params/"): array for name, array in load_arrays(content, str(path)).items()}
    return _force_field(settings, published, path)


def convert_torch(content: bytes, path: str | Path) -> ForceField:
    """The force field of So3krates-torch's model file given as bytes; `path` is for messages.

    Raises `HelioError` as `read_hyperparameters` and `convert_params`.
    """
    model = read_torch_model(content, str(path))
    values = model.values | {
        "cutoff": model.values.get("r_max"),
        "cutoff_fn": model.values.get("cutoff_fn_name"),
        "activation_fn": model.values.get("activation_fn_name"),
        "energy_activation_fn": model.values.get("energy_activation_fn_name"),
    }
    settings = _settings(values, path)
    try:
        published = published_layout(model)
    except (AttributeError, KeyError, TypeError, ValueError, IndexError) as error:
        raise HelioError(f"{path} is not a complete SO3LR model ({reason(error)}): choose another file") from error
    return _force_field(settings, published, path)


def _settings(values: dict[str, Any], path: str | Path) -> ForceFieldSettings:
    for name, value in _FIXED.items():
        if values.get(name) != value:
            raise HelioError(
                f"{path} has {name} = {excerpt(values.get(name))}: Helio's models have {value!r}, so it cannot be "
                "converted"
            )
    try:
        stated = {
            "num_layers": values["num_layers"],
            "features": values["num_features"],
            "num_heads": values["num_heads"],
            "degrees": list(values["degrees"]),
            "num_radial": values["num_radial_basis_fn"],
            "cutoff": values["cutoff"],
            "average_neighbors": values["avg_num_neighbors"],
            "electrostatics_sigma": values["electrostatic_energy_scale"],
            "dispersion_scale": values["dispersion_energy_scale"],
        }
        return ForceFieldSettings.from_dict(ForceFieldSettings().to_dict() | stated)
    except (HelioError, KeyError, TypeError, ValueError) as error:
        raise HelioError(
            f"{path} does not state the settings of an SO3LR model ({reason(error)}): choose another"
        ) from error


def _force_field(settings: ForceFieldSettings, published: dict[str, np.ndarray], path: str | Path) -> ForceField:
    try:
        settings = replace(
            settings,
            spherical_hidden=len(published["layers_0/attention_block/spherical_filter1_layer_1/bias"]),
            hirshfeld_width=len(published["observables_2/hirshfeld_ratios_dense_final/bias"]),
        )
        tensors = _tensors(published, settings.num_layers)
    except (AttributeError, KeyError, TypeError, ValueError, IndexError) as error:
        raise HelioError(f"{path} is not a complete SO3LR model ({reason(error)}): choose another file") from error
    return fill_force_field(settings, tensors, path)


def _tensors(published: dict[str, np.ndarray], num_layers: int) -> dict[str, np.ndarray]:
    """Parameters by their path in the `ForceField`."""
    names = {ours.format(t=t): theirs.format(t=t) for t in range(num_layers) for ours, theirs in LAYER.items()} | ONCE
    tensors, used = {}, {_UNUSED}
    for ours, theirs in names.items():
        parts = [theirs] if theirs in published else [f"{theirs}/{part}" for part in ("kernel", "bias", "scale")]
        for part in set(parts) & set(published) - {_UNUSED}:
            tensors[ours + part.removeprefix(theirs).replace("/", ".")] = published[part]
            used.add(part)
    zbl = {name: published[f"observables_0/zbl_repulsion/{name}"] for name in ZBL_PARAMETERS}
    used |= {f"observables_0/zbl_repulsion/{name}" for name in ZBL_PARAMETERS}
    tensors["zbl.weights"] = np.concatenate([zbl[f"c{n}"] for n in (1, 2, 3, 4)])
    tensors["zbl.exponents"] = np.concatenate([zbl[f"a{n}"] for n in (1, 2, 3, 4)])
    tensors["zbl.power"] = zbl["p"].reshape(())
    tensors["zbl.inverse_length"] = zbl["d"].reshape(())
    for name in ("charge_head.offset", "hirshfeld_head.offset"):
        tensors[name] = tensors[name][:, 0]
    for name in ELEMENT_TABLES:
        tensors[name] = np.concatenate([np.zeros_like(tensors[name][:1]), tensors[name][1:]])
    if unknown := sorted(set(published) - used):
        raise ValueError(f"unknown tensor {unknown[0]}")
    return tensors


def _content(path: str | Path) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise HelioError(f"cannot read {path}: {error.strerror}. Check the name") from error

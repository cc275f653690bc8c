"""Published SO3LR weights -> `ForceField`.

Two publications of the same weights are read: `params.pkl` with its hyperparameters.json (SO3LR, JAX) and the model
file of So3krates-torch (`so3lr.model`). Both give the same tensors, bit by bit, by these rules:

- The row Z = 0 of every element table is zero: no atom has it, and the torch file lacks it.
- The final bias of the energy head is left out, as in the published model's own code.
- Atomic energy offsets of the torch file that are equal for all elements are left out: they are the mean energy of the
  training data, which only sets the zero of energy and which the JAX file does not contain.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from helio.errors import HelioError
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


def convert_params(params: bytes, hyperparameters: str, path: str | Path) -> ForceField:
    """The force field of a published params.pkl (`params`) and hyperparameters.json (both as content).

    Raises `HelioError` (about `path`, where the weights come from) if either is damaged, names anything that Helio does
    not run, or describes another functional form.
    """
    published = {name.removeprefix("params/"): array for name, array in load_arrays(params, str(path)).items()}
    try:
        values = json.loads(hyperparameters)
        values = {**values["model"], "avg_num_neighbors": values["data"]["avg_num_neighbors"]}
    except (ValueError, KeyError, TypeError) as error:
        raise HelioError(
            f"the hyperparameters of {path} cannot be read ({error}): give hyperparameters.json"
        ) from error
    return _force_field(values, published, path)


def convert_torch(content: bytes, path: str | Path) -> ForceField:
    """The force field of So3krates-torch's model file given as bytes; `path` is for messages.

    Raises `HelioError` as `convert_params`.
    """
    model = read_torch_model(content, str(path))
    values = {
        **model.values,
        "cutoff": model.values.get("r_max"),
        "cutoff_fn": model.values.get("cutoff_fn_name"),
        "activation_fn": model.values.get("activation_fn_name"),
        "energy_activation_fn": model.values.get("energy_activation_fn_name"),
    }
    try:
        published = published_layout(model)
    except (KeyError, ValueError, TypeError) as error:
        raise HelioError(f"{path} is no SO3LR model of So3krates-torch ({error}): choose another file") from error
    return _force_field(values, published, path)


def _force_field(values: dict[str, Any], published: dict[str, np.ndarray], path: str | Path) -> ForceField:
    for name, value in _FIXED.items():
        if values.get(name) != value:
            raise HelioError(
                f"{path} has {name} = {values.get(name)!r}: Helio's models have {value!r}, so it cannot be converted"
            )
    try:
        settings = ForceFieldSettings(
            num_layers=values["num_layers"],
            features=values["num_features"],
            num_heads=values["num_heads"],
            degrees=tuple(values["degrees"]),
            num_radial=values["num_radial_basis_fn"],
            cutoff=values["cutoff"],
            average_neighbors=values["avg_num_neighbors"],
            electrostatics_sigma=values["electrostatic_energy_scale"],
            dispersion_scale=values["dispersion_energy_scale"],
            spherical_hidden=published["layers_0/attention_block/spherical_filter1_layer_1/bias"].shape[0],
            hirshfeld_width=published["observables_2/hirshfeld_ratios_dense_final/bias"].shape[0],
        )
        tensors = _tensors(published, settings.num_layers)
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise HelioError(f"{path} is not a complete SO3LR model ({error}): choose another file") from error
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

"""So3krates-torch's model -> names and layout of the published params.pkl.

Kernels are (out, in) there and blocks per head transposed; tables over elements have the elements last and no row for
Z = 0, which is filled with zeros here.
"""

from __future__ import annotations

import numpy as np

from helio.force_field.published_names import CHARGES, ZBL_PARAMETERS
from helio.force_field.torch_archive import TorchModel

# Name in params.pkl -> name in the torch file, for layers with a kernel (transposed there) and often a bias.
_DENSE = {
    "feature_embeddings_1/ChargeSpinEmbedSparse_0/Residual_0/layers_0": "charge_embedding.mlp.1",
    "feature_embeddings_1/ChargeSpinEmbedSparse_0/Residual_0/layers_1": "charge_embedding.mlp.3",
    "feature_embeddings_2/ChargeSpinEmbedSparse_0/Residual_0/layers_0": "spin_embedding.mlp.1",
    "feature_embeddings_2/ChargeSpinEmbedSparse_0/Residual_0/layers_1": "spin_embedding.mlp.3",
    "observables_0/energy_dense_regression": "atomic_energy_output_block.layers.0",
    "observables_0/energy_dense_final": "atomic_energy_output_block.final_layer",
    f"{CHARGES}/charge_dense_regression_vec": "partial_charges_output_block.transform_inv_features.0",
    f"{CHARGES}/charge_dense_final_vec": "partial_charges_output_block.transform_inv_features.2",
    "observables_2/hirshfeld_ratios_dense_regression": "hirshfeld_output_block.transform_features.0",
    "observables_2/hirshfeld_ratios_dense_final": "hirshfeld_output_block.transform_features.2",
}
_LAYER_DENSE = {
    "attention_block/radial_filter1_layer_1": "filter_net_inv.mlp_rbf.0",
    "attention_block/radial_filter1_layer_2": "filter_net_inv.mlp_rbf.mlp_rbf_layer_1.0",
    "attention_block/radial_filter2_layer_1": "filter_net_ev.mlp_rbf.0",
    "attention_block/radial_filter2_layer_2": "filter_net_ev.mlp_rbf.mlp_rbf_layer_1.0",
    "attention_block/spherical_filter1_layer_1": "filter_net_inv.mlp_ev.0",
    "attention_block/spherical_filter1_layer_2": "filter_net_inv.mlp_ev.mlp_ev_layer_1.0",
    "attention_block/spherical_filter2_layer_1": "filter_net_ev.mlp_ev.0",
    "attention_block/spherical_filter2_layer_2": "filter_net_ev.mlp_ev.mlp_ev_layer_1.0",
    "res_mlp_1_layer_1": "mlp_1.1",
    "res_mlp_1_layer_2": "mlp_1.3",
    "exchange_block/mlp_layer_2": "interaction_block.linear_layer",
}
_BLOCKS = {"Wq1": "W_q_inv", "Wk1": "W_k_inv", "Wv1": "W_v_inv", "Wq2": "W_q_ev", "Wk2": "W_k_ev"}
_NORMS = {"layer_normalization_1": "layer_norm_inv_1", "layer_normalization_2": "layer_norm_inv_2"}
_ELEMENT_COLUMNS = {
    "feature_embeddings_0/Embed_0/embedding": "inv_feature_embedding.embedding.weight",
    "feature_embeddings_1/ChargeSpinEmbedSparse_0/Embed_0/embedding": "charge_embedding.Wq.weight",
    "feature_embeddings_2/ChargeSpinEmbedSparse_0/Embed_0/embedding": "spin_embedding.Wq.weight",
}
_SAME = {
    "feature_embeddings_1/ChargeSpinEmbedSparse_0/Embed_1/embedding": "charge_embedding.Wk",
    "feature_embeddings_1/ChargeSpinEmbedSparse_0/Embed_2/embedding": "charge_embedding.Wv",
    "feature_embeddings_2/ChargeSpinEmbedSparse_0/Embed_1/embedding": "spin_embedding.Wk",
    "feature_embeddings_2/ChargeSpinEmbedSparse_0/Embed_2/embedding": "spin_embedding.Wv",
    f"{CHARGES}/Embed_0/embedding": "partial_charges_output_block.atomic_embedding.weight",
    "observables_2/Embed_0/embedding": "hirshfeld_output_block.v_shift_embedding.weight",
    "observables_2/Embed_1/embedding": "hirshfeld_output_block.q_embedding.weight",
    **{f"observables_0/zbl_repulsion/{name}": f"zbl_repulsion.{name}_raw" for name in ZBL_PARAMETERS},
}


def published_layout(model: TorchModel) -> dict[str, np.ndarray]:
    """The tensors of `model` as params.pkl holds them; raises `KeyError` or `ValueError` where they do not fit."""
    tensors, num_layers = model.tensors, int(model.values["num_layers"])
    found = {theirs: tensors[torch] for theirs, torch in _SAME.items()}
    found |= {theirs: _with_row_zero(tensors[torch].T) for theirs, torch in _ELEMENT_COLUMNS.items()}
    found["observables_0/atomic_scales"] = _with_row_zero(tensors["atomic_energy_output_block.energy_scales.weight"][0])
    found["observables_0/energy_offset"] = _with_row_zero(
        _without_common_offset(tensors["atomic_energy_output_block.energy_shifts"])
    )
    dense = dict(_DENSE)
    for t in range(num_layers):
        block = f"euclidean_transformers.{t}"
        dense |= {f"layers_{t}/{theirs}": f"{block}.{torch}" for theirs, torch in _LAYER_DENSE.items()}
        for theirs, torch in _BLOCKS.items():
            blocks = tensors[f"{block}.euclidean_attention_block.{torch}"]
            found[f"layers_{t}/attention_block/{theirs}"] = blocks.swapaxes(1, 2)
        for theirs, torch in _NORMS.items():
            found[f"layers_{t}/{theirs}/scale"] = tensors[f"{block}.{torch}.weight"]
            found[f"layers_{t}/{theirs}/bias"] = tensors[f"{block}.{torch}.bias"]
    for theirs, torch in dense.items():
        found[f"{theirs}/kernel"] = tensors[f"{torch}.weight"].T
        if f"{torch}.bias" in tensors:
            found[f"{theirs}/bias"] = tensors[f"{torch}.bias"]
    return found


def _with_row_zero(table: np.ndarray) -> np.ndarray:
    return np.concatenate([np.zeros_like(table[:1]), table])


def _without_common_offset(offsets: np.ndarray) -> np.ndarray:
    """Zeros where all offsets are equal: they only set the zero of energy, and params.pkl does not hold them."""
    return np.zeros_like(offsets) if np.ptp(offsets) == 0 else offsets

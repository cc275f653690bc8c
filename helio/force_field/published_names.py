"""Names of parameters: in Helio's `ForceField` and in the published params.pkl (specified by SO3LR's JAX program).

A name may stand for a whole layer; its "kernel", "bias" or "scale" follows then, after "." here and "/" there.
"""

# Path in the ForceField -> name in params.pkl, without the "kernel", "bias", ... of a layer; {t} is the layer.
LAYER = {
    "network.layers.{t}.filters.0.radial.first": "layers_{t}/attention_block/radial_filter1_layer_1",
    "network.layers.{t}.filters.0.radial.second": "layers_{t}/attention_block/radial_filter1_layer_2",
    "network.layers.{t}.filters.0.spherical.first": "layers_{t}/attention_block/spherical_filter1_layer_1",
    "network.layers.{t}.filters.0.spherical.second": "layers_{t}/attention_block/spherical_filter1_layer_2",
    "network.layers.{t}.filters.1.radial.first": "layers_{t}/attention_block/radial_filter2_layer_1",
    "network.layers.{t}.filters.1.radial.second": "layers_{t}/attention_block/radial_filter2_layer_2",
    "network.layers.{t}.filters.1.spherical.first": "layers_{t}/attention_block/spherical_filter2_layer_1",
    "network.layers.{t}.filters.1.spherical.second": "layers_{t}/attention_block/spherical_filter2_layer_2",
    "network.layers.{t}.query.0.blocks": "layers_{t}/attention_block/Wq1",
    "network.layers.{t}.query.1.blocks": "layers_{t}/attention_block/Wq2",
    "network.layers.{t}.key.0.blocks": "layers_{t}/attention_block/Wk1",
    "network.layers.{t}.key.1.blocks": "layers_{t}/attention_block/Wk2",
    "network.layers.{t}.value.blocks": "layers_{t}/attention_block/Wv1",
    "network.layers.{t}.norm_attention": "layers_{t}/layer_normalization_1",
    "network.layers.{t}.residual.first": "layers_{t}/res_mlp_1_layer_1",
    "network.layers.{t}.residual.second": "layers_{t}/res_mlp_1_layer_2",
    "network.layers.{t}.exchange": "layers_{t}/exchange_block/mlp_layer_2",
    "network.layers.{t}.norm_exchange": "layers_{t}/layer_normalization_2",
}
CHARGES = "observables_0/electrostatic_energy/partial_charges"
ONCE = {
    "network.embedding.element": "feature_embeddings_0/Embed_0/embedding",
    "network.embedding.charge.query": "feature_embeddings_1/ChargeSpinEmbedSparse_0/Embed_0/embedding",
    "network.embedding.charge.key": "feature_embeddings_1/ChargeSpinEmbedSparse_0/Embed_1/embedding",
    "network.embedding.charge.value": "feature_embeddings_1/ChargeSpinEmbedSparse_0/Embed_2/embedding",
    "network.embedding.charge.first": "feature_embeddings_1/ChargeSpinEmbedSparse_0/Residual_0/layers_0",
    "network.embedding.charge.second": "feature_embeddings_1/ChargeSpinEmbedSparse_0/Residual_0/layers_1",
    "network.embedding.spin.query": "feature_embeddings_2/ChargeSpinEmbedSparse_0/Embed_0/embedding",
    "network.embedding.spin.key": "feature_embeddings_2/ChargeSpinEmbedSparse_0/Embed_1/embedding",
    "network.embedding.spin.value": "feature_embeddings_2/ChargeSpinEmbedSparse_0/Embed_2/embedding",
    "network.embedding.spin.first": "feature_embeddings_2/ChargeSpinEmbedSparse_0/Residual_0/layers_0",
    "network.embedding.spin.second": "feature_embeddings_2/ChargeSpinEmbedSparse_0/Residual_0/layers_1",
    "energy_head.layers.first": "observables_0/energy_dense_regression",
    "energy_head.layers.second": "observables_0/energy_dense_final",
    "energy_head.scale": "observables_0/atomic_scales",
    "energy_head.offset": "observables_0/energy_offset",
    "charge_head.layers.first": f"{CHARGES}/charge_dense_regression_vec",
    "charge_head.layers.second": f"{CHARGES}/charge_dense_final_vec",
    "charge_head.offset": f"{CHARGES}/Embed_0/embedding",
    "hirshfeld_head.layers.first": "observables_2/hirshfeld_ratios_dense_regression",
    "hirshfeld_head.layers.second": "observables_2/hirshfeld_ratios_dense_final",
    "hirshfeld_head.offset": "observables_2/Embed_0/embedding",
    "hirshfeld_head.direction": "observables_2/Embed_1/embedding",
}
ELEMENT_TABLES = (
    "network.embedding.element",
    "network.embedding.charge.query",
    "network.embedding.spin.query",
    "energy_head.scale",
    "energy_head.offset",
    "charge_head.offset",
    "hirshfeld_head.offset",
    "hirshfeld_head.direction",
)
ZBL_PARAMETERS = ("a1", "a2", "a3", "a4", "c1", "c2", "c3", "c4", "p", "d")

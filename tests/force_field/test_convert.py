"""Conversion of published weights: the same bits from all sources, and nothing is run."""

import io
import json
import os
import pickle
import zipfile

import numpy as np
import pytest

from helio.errors import HelioError
from helio.force_field import ForceFieldSettings
from helio.force_field.convert import convert_params, convert_published, convert_published_torch, read_hyperparameters
from helio.force_field.model_file import named_tensors
from helio.force_field.published_names import ELEMENT_TABLES, LAYER, ONCE, ZBL_PARAMETERS
from helio.force_field.registry import KNOWN_MODELS, identify
from helio.force_field.torch_archive import read_torch_model
from helio.force_field.unpickle import load_arrays

HYPERPARAMETERS = {
    "model": {
        "activation_fn": "silu",
        "cutoff": 4.5,
        "cutoff_fn": "phys",
        "degrees": [1, 2],
        "dispersion_energy_bool": True,
        "dispersion_energy_scale": 1.2,
        "electrostatic_energy_bool": True,
        "electrostatic_energy_scale": 4.0,
        "energy_activation_fn": "silu",
        "layer_normalization_1": True,
        "layer_normalization_2": True,
        "message_normalization": "avg_num_neighbors",
        "num_features": 32,
        "num_heads": 2,
        "num_layers": 2,
        "num_radial_basis_fn": 8,
        "qk_non_linearity": "identity",
        "radial_basis_fn": "bernstein",
        "residual_mlp_1": True,
        "residual_mlp_2": False,
        "use_charge_embed": True,
        "use_spin_embed": True,
        "zbl_repulsion_bool": True,
    },
    "data": {"avg_num_neighbors": 13.168995780096482},
}
SETTINGS = read_hyperparameters(json.dumps(HYPERPARAMETERS), "hyperparameters.json")


def published_tree(force_field) -> dict:
    """A force field as the nested dict that params.pkl holds."""
    tensors = named_tensors(force_field)
    layers = range(force_field.settings.num_layers)
    names = {ours.format(t=t): theirs.format(t=t) for t in layers for ours, theirs in LAYER.items()} | ONCE
    flat = {}
    for ours, theirs in names.items():
        if ours in tensors:
            flat[theirs] = tensors[ours]
        else:
            parts = [part for part in ("kernel", "bias", "scale") if f"{ours}.{part}" in tensors]
            flat |= {f"{theirs}/{part}": tensors[f"{ours}.{part}"] for part in parts}
    for ours in ("charge_head.offset", "hirshfeld_head.offset"):
        flat[ONCE[ours]] = flat[ONCE[ours]][:, None]
    for name in ZBL_PARAMETERS:
        ours = {"c": "weights", "a": "exponents", "p": "power", "d": "inverse_length"}[name[0]]
        values = tensors[f"zbl.{ours}"].reshape(-1)
        flat[f"observables_0/zbl_repulsion/{name}"] = values[[int(name[1:] or 1) - 1]]
    flat["observables_0/energy_dense_final/bias"] = np.ones(1, np.float32)
    tree: dict = {}
    for name, array in flat.items():
        *folders, last = f"params/{name}".split("/")
        node = tree
        for folder in folders:
            node = node.setdefault(folder, {})
        node[last] = array
    return tree


def test_any_member_of_the_family(small_force_field):
    content = pickle.dumps(published_tree(small_force_field))
    converted = convert_params(content, SETTINGS, "params.pkl")
    assert converted.settings == small_force_field.settings
    found, expected = named_tensors(converted), named_tensors(small_force_field)
    for name, tensor in expected.items():
        rows = slice(1, None) if name in ELEMENT_TABLES else ...
        assert np.array_equal(found[name][rows], tensor[rows]), name
        assert name not in ELEMENT_TABLES or not found[name][0].any()


def test_published_files(shared):
    model = convert_published(shared / "so3lr/params.pkl", shared / "so3lr/hyperparameters.json")
    assert model.settings == ForceFieldSettings()
    assert identify(model) is KNOWN_MODELS["so3lr"]
    tree = pickle.loads((shared / "so3lr/params.pkl").read_bytes())["params"]  # a trusted file
    block = tree["layers_1"]["attention_block"]
    tensors = named_tensors(model)
    assert np.array_equal(tensors["network.layers.1.key.1.blocks"], block["Wk2"])
    assert np.array_equal(
        tensors["network.layers.1.filters.1.radial.second.kernel"], block["radial_filter2_layer_2"]["kernel"]
    )
    assert np.array_equal(tensors["energy_head.scale"][1:], tree["observables_0"]["atomic_scales"][1:])


@pytest.mark.parametrize("where", ["head", "middle", "tail"])
def test_truncated_params(small_force_field, where):
    content = pickle.dumps(published_tree(small_force_field))
    kept = {"head": 1, "middle": len(content) // 2, "tail": len(content) - 1}[where]
    with pytest.raises(HelioError, match=r"params.pkl is damaged or is not a pickle of numpy arrays"):
        convert_params(content[:kept], SETTINGS, "params.pkl")


class Attack:
    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize(
    ("function", "arguments"),
    [(os.system, ("touch {}",)), (eval, ("open('{}', 'w')",)), (np.lib.format.open_memmap, ("{}", "w+", "f4", (3,)))],
)
@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
def test_a_hostile_pickle_is_not_run(tmp_path, function, arguments, protocol):
    trace = tmp_path / "trace"
    attack = Attack(function, *(a.format(trace) if isinstance(a, str) else a for a in arguments))
    content = pickle.dumps({"params": {"x": np.zeros(3, np.float32), "y": attack}}, protocol=protocol)
    with pytest.raises(HelioError, match=r"asks to run .*refused and nothing was run"):
        load_arrays(content, "evil.pkl")
    assert not trace.exists()


def test_arrays_of_objects_and_huge_arrays_are_refused():
    for array in (np.array([{}], object), np.array(["x"]), np.zeros(2, [("a", "f4")])):
        with pytest.raises(HelioError, match="is damaged or is not a pickle of numpy arrays"):
            load_arrays(pickle.dumps({"x": array}), "odd.pkl")
    # numpy's own names would be made to allocate a terabyte here
    content = b"cnumpy\nndarray\n((I1000000000000\ntR."
    with pytest.raises(HelioError, match="is damaged or is not a pickle of numpy arrays"):
        load_arrays(content, "huge.pkl")


@pytest.mark.parametrize("protocol", [3, 4, 5])
def test_arrays_come_back(protocol):
    arrays = {
        "a": np.arange(6, dtype="f4").reshape(2, 3).T,
        "b": {"c": np.arange(3, dtype=">f8"), "d": np.asarray(2.5, "f4"), "e": np.zeros((0, 2), "i8")},
    }
    found = load_arrays(pickle.dumps(arrays, protocol=protocol), "x.pkl")
    assert found.keys() == {"a", "b/c", "b/d", "b/e"}
    assert np.array_equal(found["a"], arrays["a"]) and found["a"].flags.c_contiguous
    assert found["b/c"].tolist() == [0, 1, 2] and found["b/d"].shape == () and found["b/e"].shape == (0, 2)


@pytest.mark.parametrize("content", [[1, 2], {"a": 3}, {"a": {"b": "text"}}, 7])
def test_other_pickles(content):
    with pytest.raises(HelioError, match="not a dict of arrays"):
        load_arrays(pickle.dumps(content), "x.pkl")


def test_missing_extra_and_misshapen_tensors(small_force_field):
    def convert(change):
        tree = published_tree(small_force_field)
        change(tree["params"])
        return convert_params(pickle.dumps(tree), SETTINGS, "params.pkl")

    with pytest.raises(HelioError, match=r"missing network.layers.1.residual.first.bias"):
        convert(lambda tree: tree["layers_1"]["res_mlp_1_layer_1"].pop("bias"))
    with pytest.raises(HelioError, match="not a complete SO3LR model"):
        convert(lambda tree: tree.pop("observables_2"))
    with pytest.raises(HelioError, match="unknown tensor layers_2/kernel"):
        convert(lambda tree: tree.update(layers_2={"kernel": np.zeros(2, np.float32)}))
    with pytest.raises(HelioError, match=r"energy_head.scale is float32 of shape"):
        convert(lambda tree: tree["observables_0"].update(atomic_scales=np.ones(20, np.float32)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"cutoff_fn": "cosine"}, "cutoff_fn = 'cosine': Helio's models have 'phys'"),
        ({"residual_mlp_2": True}, "residual_mlp_2 = True"),
        ({"num_layers": None}, "does not state the settings"),
        ({"degrees": 3}, "does not state the settings"),
        ({"num_heads": 5}, "must be a multiple of num_heads"),
    ],
)
def test_hyperparameters_that_do_not_fit(change, message):
    values = {**HYPERPARAMETERS, "model": {**HYPERPARAMETERS["model"], **change}}
    with pytest.raises(HelioError, match=message):
        read_hyperparameters(json.dumps(values), "hyperparameters.json")


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"model": 3}'])
def test_damaged_hyperparameters(content):
    with pytest.raises(HelioError, match=r"is damaged or is no hyperparameters.json"):
        read_hyperparameters(content, "hyperparameters.json")


def test_files_that_are_not_there(tmp_path):
    with pytest.raises(HelioError, match=r"cannot read .*hyperparameters.json"):
        convert_published(tmp_path / "params.pkl", tmp_path / "hyperparameters.json")
    with pytest.raises(HelioError, match=r"cannot read .*so3lr.model"):
        convert_published_torch(tmp_path / "so3lr.model")


def archive(content: bytes, **files: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("m/data.pkl", content)
        for name, data in files.items():
            file.writestr(f"m/{name}", data)
    return buffer.getvalue()


def test_torch_archives_that_are_none(tmp_path):
    trace = tmp_path / "trace"
    evil = pickle.dumps(Attack(os.system, f"touch {trace}"), protocol=2)
    with pytest.raises(HelioError, match="refused and nothing was run"):
        read_torch_model(archive(evil), "m")
    assert not trace.exists()
    for content in (b"", b"text", archive(b"")[:-9], archive(b"\x80\x02"), archive(b"K\x01.", byteorder=b"big")):
        with pytest.raises(HelioError, match="is damaged or is not a model of So3krates-torch"):
            read_torch_model(content, "m")
    with pytest.raises(HelioError, match="holds no model"):
        read_torch_model(archive(b"K\x01."), "m")


@pytest.mark.parametrize(("offset", "size"), [(0, 5), (3, 2)])
def test_torch_tensors_that_do_not_fit_their_storage(offset, size):
    content = b"ctorch._utils\n_rebuild_tensor_v2\n((S'storage'\nctorch\nFloatStorage\nS'0'\nS'cpu'\nI4\ntQ"
    content += b"I%d\n(I%d\nt(I1\nttR." % (offset, size)
    with pytest.raises(HelioError, match="is damaged"):
        read_torch_model(archive(content, **{"data/0": np.arange(4, dtype="f4").tobytes()}), "m")


def test_the_package_gives_the_same_bits(so3lr, monkeypatch):
    """The model file of So3krates-torch, fetched through pip, against the model that the tests use."""
    if os.environ.get("HELIO_OFFLINE", "0") not in ("", "0"):
        pytest.skip("HELIO_OFFLINE forbids the network")
    monkeypatch.setenv("PIP_RETRIES", "0")
    try:
        converted = KNOWN_MODELS["so3lr"].origins[1].fetch()
    except HelioError as error:
        if not str(error).startswith("pip"):
            raise
        pytest.skip(f"needs the package index: {error}")
    assert converted.settings == so3lr.settings
    found, expected = named_tensors(converted), named_tensors(so3lr)
    assert found.keys() == expected.keys()
    assert all(found[name].tobytes() == expected[name].tobytes() for name in expected)


def put(name: str) -> bytes:
    return b"\x8c" + bytes([len(name)]) + name.encode()


def test_a_small_torch_archive():
    """A module with one parameter, one buffer and one child, written as torch does."""

    def module(**state: bytes) -> bytes:
        pairs = b"".join(put(name) + value for name, value in state.items())
        return b"cso3krates_torch.modules.models\nM\n)\x81}(" + pairs + b"ub"

    def tensor(storage: str, count: int, shape: bytes, strides: bytes) -> bytes:
        return (
            b"ctorch._utils\n_rebuild_tensor_v2\n((" + put("storage") + b"ctorch\nFloatStorage\n" + put(storage)
            + put("cpu") + b"K" + bytes([count]) + b"tQK\x00" + shape + strides + b"tR"
        )  # fmt: skip

    matrix, number = tensor("0", 4, b"K\x02K\x02\x86", b"K\x02K\x01\x86"), tensor("1", 1, b")", b")")
    parameter = b"ctorch._utils\n_rebuild_parameter\n" + matrix + b"\x89N\x87R"
    child = module(_buffers=b"}" + put("b") + number + b"s")
    content = b"\x80\x04" + module(
        _parameters=b"}" + put("w") + parameter + b"s", _modules=b"}" + put("child") + child + b"s", num_layers=b"K\x03"
    )
    files = {"data/0": np.arange(4, dtype="<f4").tobytes(), "data/1": np.float32(7).tobytes(), "byteorder": b"little"}
    model = read_torch_model(archive(content + b".", **files), "m")
    assert model.tensors.keys() == {"w", "child.b"}
    assert model.tensors["w"].tolist() == [[0, 1], [2, 3]] and model.tensors["child.b"] == 7
    assert model.values == {"num_layers": 3}
    files["data/0"] = files["data/0"][:-4]
    with pytest.raises(HelioError, match="storage 0 has 3 numbers instead of 4"):
        read_torch_model(archive(content + b".", **files), "m")

"""Several levels of theory in one model file."""

from __future__ import annotations

import dataclasses
import json

import equinox as eqx
import numpy as np
import pytest
from ase.build import molecule
from safetensors.numpy import save
from typer.testing import CliRunner

from helio.cli import app
from helio.errors import HelioError
from helio.force_field import ForceField, ForceFieldSettings, ManyLevels, ModelInfo, load_model, read_model_info
from helio.force_field.model_file import named_tensors, read_levels, read_model, save_model, weights_sha256
from helio.interfaces import HelioCalculator

TINY = ForceFieldSettings(
    num_layers=1, features=8, num_heads=2, degrees=(1,), num_radial=4, spherical_hidden=4, hirshfeld_width=4
)
ENERGIES = {"PBE0": {"H": -13.6, "O": -2041.0}, "GFN2": {"H": -10.0}}


@pytest.fixture(scope="module")
def models() -> dict[str, ForceField]:
    """Models of one network whose heads differ."""
    first, second = (ForceField.initialise(TINY, seed) for seed in (0, 1))
    return {"PBE0": first, "GFN2": dataclasses.replace(second, network=first.network, zbl=first.zbl)}


@pytest.fixture(scope="module")
def path(models, tmp_path_factory):
    path = tmp_path_factory.mktemp("levels") / "both.safetensors"
    save_model(ManyLevels.of(models), path, ModelInfo("both", reference_energies=ENERGIES))
    return path


def same(one, other) -> bool:
    a, b = named_tensors(one), named_tensors(other)
    return all(np.array_equal(a[name], b[name]) for name in a.keys() | b.keys())


def test_a_level_is_chosen_and_is_an_ordinary_model(path, models, tmp_path):
    assert read_model_info(path).info.levels == ("PBE0", "GFN2")
    assert same(load_model(path, kernels="plain"), models["PBE0"])
    assert same(load_model(path, level="GFN2", kernels="plain"), models["GFN2"])
    chosen, header = read_model(path, "GFN2")
    assert (header.info.levels, header.info.reference_energies) == (("GFN2",), {"GFN2": {"H": -10.0}})
    save_model(chosen, tmp_path / "one.safetensors", header.info)  # which is whole: one level, its energies
    again, header = read_model(tmp_path / "one.safetensors", "GFN2")
    assert same(again, chosen) and header.info.levels == ("GFN2",)
    assert eqx.tree_equal(read_levels(path), ManyLevels.of(models))


def test_another_order_and_a_new_level(models):
    both = ManyLevels.of(models)
    three = both.for_levels(["new", "GFN2", "PBE0"], others="GFN2")
    assert three.names == ("new", "GFN2", "PBE0")
    assert [same(three.at(n), models[name]) for n, name in enumerate(("GFN2", "GFN2", "PBE0"))] == [True] * 3
    assert eqx.tree_equal(three.for_levels(both.names), both)


def test_total_energies(path):
    info = read_model(path)[1].info
    water = molecule("H2O").numbers
    assert info.energy_of_atoms(water) == pytest.approx(-2041.0 - 2 * 13.6)
    with pytest.raises(HelioError, match="no reference energy of C at PBE0"):
        info.energy_of_atoms(molecule("CH4").numbers)
    with pytest.raises(HelioError, match="no reference energies of one level"):
        read_model_info(path).info.energy_of_atoms(water)


def test_a_level_that_is_not_there(path, models, tmp_path):
    with pytest.raises(HelioError, match="both has no level of theory called CCSD: choose among PBE0, GFN2"):
        HelioCalculator(path, level="CCSD")
    save_model(models["PBE0"], tmp_path / "plain.safetensors", ModelInfo("plain"))
    with pytest.raises(HelioError, match="plain names no levels of theory, so PBE0 cannot be chosen"):
        load_model(tmp_path / "plain.safetensors", level="PBE0")
    with pytest.raises(HelioError, match="names no levels"):
        read_levels(tmp_path / "plain.safetensors")
    with pytest.raises(HelioError, match="has one level of theory"):
        HelioCalculator(models["PBE0"], level="PBE0")


def test_columns_that_do_not_fit(path, models, tmp_path):
    tensors = named_tensors(ManyLevels.of(models).stacked())
    tensors["energy_head.scale"] = tensors["energy_head.scale"][:1]
    record = {"format": 1, **dataclasses.asdict(ModelInfo("m", levels=("a", "b"))), "settings": TINY.to_dict()}
    record |= {"num_parameters": 1, "weights_sha256": weights_sha256(tensors)}
    (tmp_path / "m").write_bytes(save(tensors, {"helio": json.dumps(record)}))
    with pytest.raises(HelioError, match=r"energy_head.scale does not have a column for each of 2 levels"):
        load_model(tmp_path / "m")


def test_commands_choose_and_show_levels(path, tmp_path):
    def helio(*arguments: object):
        return CliRunner().invoke(app, [str(argument) for argument in arguments])

    shown = " ".join(helio("model", "info", path).output.split())
    assert "PBE0 (the default); GFN2" in shown and "energies of atoms (eV), GFN2" in shown
    molecule("H2").write(tmp_path / "h2.xyz")
    for command in ("md", "opt", "eval"):
        result = helio(command, tmp_path / "h2.xyz", "--model", path, "--level", "CCSD")
        assert result.exit_code == 1 and "no level of theory called CCSD" in result.output, result.output

    energies = {}
    for level in ("PBE0", "GFN2"):
        atoms = molecule("H2")
        atoms.calc = HelioCalculator(path, level=level)
        energies[level] = atoms.get_potential_energy() + 2 * ENERGIES[level]["H"]
    atoms.calc = None
    atoms.info["REF_energy"] = energies["GFN2"] + 0.25
    atoms.write(tmp_path / "h2.extxyz")
    out = tmp_path / "errors.json"
    asked = ("--level", "GFN2", "--total-energies", "--long-range-cutoff", "12", "--out", out)
    result = helio("eval", tmp_path / "h2.extxyz", "--model", path, *asked)
    assert result.exit_code == 0 and "total energy" in result.output, result.output
    found = json.loads(out.read_text())
    assert found["level"] == "GFN2" and found["properties"]["energy"]["mae"] == pytest.approx(0.25, abs=1e-4)
    assert abs(energies["PBE0"] - energies["GFN2"]) > 1

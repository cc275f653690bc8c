"""From a store of frameworks to crystals on the command line, with what a user can do wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

pytest.importorskip("gemmi")
pytest.importorskip("pyzeo")

from helio.cli.frameworks import app
from helio.frameworks.block import make_block
from helio.frameworks.cif import read_cif
from helio.frameworks.connectivity import nets
from helio.frameworks.framework import Framework
from helio.frameworks.library import Library
from helio.frameworks.store import Entry, StoreContent
from helio.frameworks.store_writer import write_store


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """One framework: zinc with six carbon atoms, methylene groups between."""
    axes = np.concatenate([np.eye(3), -np.eye(3)])
    node = make_block(
        np.array([30] + [6] * 6),
        np.concatenate([np.zeros((1, 3)), 2.0 * axes]),
        np.array([(0, i) for i in range(1, 7)]),
        2.7 * axes,
        np.arange(1, 7),
        node=True,
    )
    ends = np.array([[0.8, 0, 0], [-0.8, 0, 0]])
    places = np.array([[0, 0, 0], [0, 0.9, 0.6], [0, 0.9, -0.6]])
    linker = make_block(np.array([6, 1, 1]), places, np.array([(0, 1), (0, 2)]), ends, np.array([0, 0]), node=False)
    centers = np.concatenate([np.zeros((1, 3)), np.eye(3) / 2])
    kinds, turns = np.array([0, 1, 1, 1], np.int32), np.tile(np.eye(3), (4, 1, 1))
    nothing = np.zeros((0, 5), np.int32), np.zeros((0, 2), np.int32)
    framework = Framework("cube", 7.0 * np.eye(3), centers, kinds, turns, *nothing)
    write_store(tmp_path / "samples.h5", StoreContent(Library((node, linker), ("Zn", "CH2")), [Entry(framework)]))
    return tmp_path / "samples.h5"


def call(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    return result.exit_code, f"{result.output} {result.exception or ''}"


def test_assemble_and_check(store, tmp_path):
    status, output = call("assemble", store, "--out", tmp_path / "crystals")
    assert status == 0, output
    assert "cube: 6 connections, 0.0" in output
    crystal = read_cif(tmp_path / "crystals" / "cube.cif")
    assert nets(crystal) == [(16, 3)]
    status, output = call("check", tmp_path / "crystals" / "cube.cif", "--smallest-pore", "1")
    assert status == 0 and "cube: valid, pore" in output
    status, output = call("check", tmp_path / "crystals" / "cube.cif", "--smallest-pore", "9")
    assert "cube: pore: the widest sphere to go through has" in output


def test_mistakes(store, tmp_path):
    assert "give a folder for the crystals with --out" in call("assemble", store)[1]
    assert "there is no store" in call("assemble", tmp_path / "none.h5", "--oracle")[1]
    assert "could not be used" in call("check", tmp_path / "none.cif")[1]
    assert "holds no campaign" in call("campaign", tmp_path / "new")[1]
    assert "give one of the two" in call("campaign", tmp_path / "new", "--count", "3")[1]
    assert not (tmp_path / "new").exists()


def test_what_is_refused_leaves_nothing_behind(store, tmp_path):
    folder = tmp_path / "campaign"
    status, output = call("campaign", folder, "--samples", store, "--relaxation", "nosuch")
    assert status == 1 and "there is no model and no file called nosuch" in output
    assert not folder.exists()
    status, output = call("relax", tmp_path / "none.cif", "--force-field", "nosuch", "--out", tmp_path / "relaxed")
    assert status != 0 and not (tmp_path / "relaxed").exists(), output
    (tmp_path / "bad.cif").write_text("no crystal")
    status, output = call("relax", tmp_path / "bad.cif", "--out", tmp_path / "relaxed")
    assert status != 0 and not (tmp_path / "relaxed").exists(), output

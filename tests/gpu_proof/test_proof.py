"""The proof of a GPU: its steps on a processor, its record, and its refusal."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from helio.cli import app
from helio.force_field import ForceField, ModelInfo, save_model
from helio.gpu_proof import Scope, prove
from helio.gpu_proof.process import StepFailure, in_process
from helio.gpu_proof.steps import compare_paths, compare_resumed
from helio.gpu_proof.systems import proof_system
from tests.conftest import TINY

CPU = {"platform": "cpu", "kind": "cpu", "memory_bytes": None}


@pytest.fixture
def model(tmp_path: Path) -> str:
    force_field = ForceField.initialise(replace(TINY, electrostatics=True, dispersion=True), 3)
    save_model(force_field, tmp_path / "small.safetensors", ModelInfo("small"))
    return str(tmp_path / "small.safetensors")


def test_systems_begin_with_22_atoms() -> None:
    assert proof_system(0).get_chemical_formula() == "C6H12N2O2"
    assert len(proof_system(0)) == 22 and len(proof_system(3)) == 81


def test_compiled_and_plain_paths_are_compared(model: str) -> None:
    equal = compare_paths(model, 0)
    assert equal["passed"] and equal["atoms"] == 22
    assert 0 < equal["compiled_force_error_eV_per_A"] < 1e-4 and 0 < equal["plain_force_error_eV_per_A"] < 1e-4


@pytest.mark.slow
def test_resume_is_compared(model: str, tmp_path: Path) -> None:
    resumed = compare_resumed(model, str(tmp_path / "runs"), "compiled", 0, 4)
    assert resumed["passed"] and resumed["position_difference_A"] == 0 and resumed["atoms"] == 22


@pytest.mark.slow
def test_whole_proof_on_a_processor(model: str, tmp_path: Path) -> None:
    scope = Scope(compared=(0,), resumed=0, resumed_steps=4, timed=(0, 1), timed_seconds=0.1)
    lines: list[str] = []
    record = prove(tmp_path / "proof", model=model, device=CPU, scope=scope, say=lines.append)
    assert record["passed"] and record["largest_atoms"] == {"compiled": 22, "plain": 22}
    assert [step["status"] for step in record["steps"]] == ["passed"] * 6
    timed = record["steps"][-1]
    assert timed["name"] == "time plain, 3 atoms of water" and timed["memory_bytes"] > 1e8
    assert timed["microseconds_per_atom"] * 3 * timed["steps_per_second"] == pytest.approx(1e6)
    assert len(lines) == 6 and "us per atom and step" in lines[-1]
    assert json.loads((tmp_path / "proof" / "gpu-proof.json").read_text()) == record


def test_used_up_time_is_recorded(model: str, tmp_path: Path) -> None:
    record = prove(tmp_path / "proof", model=model, device=CPU, scope=Scope(seconds=1))
    assert not record["passed"] and record["largest_atoms"] == {"compiled": None, "plain": None}
    assert {step["status"] for step in record["steps"]} == {"skipped"}
    assert all("used up" in step["reason"] for step in record["steps"])


def test_failures_of_a_process_are_sentences() -> None:
    with pytest.raises(StepFailure, match="ZeroDivisionError"):
        in_process(divmod, 1, 0, seconds=100)
    with pytest.raises(StepFailure, match="not ended after 0 s"):
        in_process(time.sleep, 60, seconds=0.1)


def test_refused_without_a_gpu(model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JAX_PLATFORMS", "cpu")

    def refused(*options: str) -> str:
        result = CliRunner().invoke(app, ["bench", "--gpu-proof", "--model", model, *options])
        assert result.exit_code == 1, result.output
        return " ".join(result.output.split())

    out = str(tmp_path / "proof")
    assert "--gpu-proof needs a GPU, and JAX computes on cpu here" in refused("--out", out)
    assert not Path(out).exists()
    assert "give a folder with --out" in refused()
    assert "is no empty folder" in refused("--out", model)

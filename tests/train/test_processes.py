"""Trainings in processes of their own: two that train one model, as on two hosts, and one that is killed."""

from __future__ import annotations

import socket
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from helio.files.checkpoint import read_arrays
from helio.files.log import read_log
from helio.train.importing import import_files
from tests.kills import finished, killed, launched

NETWORK = {
    "num_layers": 1, "features": 8, "num_heads": 2, "degrees": [1], "num_radial": 4, "spherical_hidden": 4,
    "hirshfeld_width": 4, "electrostatics": False, "dispersion": False,
}  # fmt: skip


def start(*arguments: object) -> subprocess.Popen[str]:
    return launched(*arguments, XLA_FLAGS="--xla_backend_optimization_level=0")


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    positions = np.array([[0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]]) + 0.05 * rng.normal(size=(24, 3, 3))
    np.savez(tmp_path / "water.npz", z=np.array([8, 1, 1]), R=positions, F=20 * rng.normal(size=(24, 3, 3)))
    import_files([tmp_path / "water.npz"], tmp_path / "water.h5")
    values = {
        "task": "train", "data": "water.h5", "validation": 8, "structures_per_batch": 8, "network": NETWORK,
        "loss": {"dipole": 0, "hirshfeld_ratios": 0}, "steps": 6, "log_every": 2, "validate_every": 3,
        "checkpoint_every": 3, "devices": 2,
    }  # fmt: skip
    (tmp_path / "settings.yaml").write_text(yaml.safe_dump(values))
    return tmp_path / "settings.yaml"


@pytest.mark.slow
def test_two_processes_train_what_one_trains(settings: Path) -> None:
    folder = settings.parent
    with socket.socket() as free:
        free.bind(("localhost", 0))
        where = f"localhost:{free.getsockname()[1]},2"
    both = [start("train", settings, "--out", folder / "two", "--distributed", f"{where},{i}") for i in range(2)]
    for process in (*both, start("train", settings, "--out", folder / "one")):
        finished(process)
    one, two = (read_arrays(folder / name / "checkpoint.npz")[0] for name in ("one", "two"))
    assert one.keys() == two.keys()
    for name in one:
        np.testing.assert_allclose(one[name], two[name], rtol=1e-4, atol=2e-5)
    for name in ("log.csv", "validation.csv"):
        losses = [read_log(folder / run / name)["loss"] for run in ("one", "two")]
        assert len(losses[0]) >= 2 and losses[0] == pytest.approx(losses[1], rel=1e-5)
    assert (folder / "two" / "report.html").exists()


@pytest.mark.slow
def test_training_killed_ten_times_ends_bit_for_bit_the_same(settings: Path) -> None:
    folder, steps = settings.parent, ("--steps", 1500, "--no-report")
    whole, cut = folder / "whole", folder / "cut"
    finished(start("train", settings, "--out", whole, *steps))
    checkpoint = cut / "checkpoint.npz"

    def launch() -> Any:
        return start("resume", cut) if checkpoint.exists() else start("train", settings, "--out", cut, *steps)

    def step() -> int:
        return read_arrays(checkpoint)[1]["position"]["step"] if checkpoint.exists() else 0

    assert killed(launch, step, kills=10) >= 5
    assert step() > 0
    finished(start("resume", cut))
    one, two = (read_arrays(run / "checkpoint.npz")[0] for run in (whole, cut))
    assert one.keys() == two.keys() and all(np.array_equal(one[name], two[name]) for name in one)
    assert (whole / "model.safetensors").read_bytes() == (cut / "model.safetensors").read_bytes()

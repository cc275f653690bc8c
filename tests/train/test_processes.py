"""Trainings in processes of their own: two that train one model, as on two hosts, and one that is killed."""

from __future__ import annotations

import os
import random
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import yaml

from helio.files.checkpoint import read_arrays
from helio.files.log import read_log
from helio.train.importing import import_files

NETWORK = {
    "num_layers": 1, "features": 8, "num_heads": 2, "degrees": [1], "num_radial": 4, "spherical_hidden": 4,
    "hirshfeld_width": 4, "electrostatics": False, "dispersion": False,
}  # fmt: skip


def start(*arguments: object) -> subprocess.Popen[str]:
    flags = "--xla_backend_optimization_level=0"
    return subprocess.Popen(
        [sys.executable, "-m", "helio", *map(str, arguments)],
        env=os.environ | {"XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def finished(process: subprocess.Popen[str]) -> None:
    output, _ = process.communicate(timeout=500)
    assert process.returncode == 0, output


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
def test_killed_process_goes_on_bit_for_bit(settings: Path) -> None:
    folder, steps = settings.parent, ("--steps", 3000, "--no-report")
    whole = start("train", settings, "--out", folder / "whole", *steps)
    killed = start("train", settings, "--out", folder / "killed", *steps)
    while not (folder / "killed" / "log.csv").exists() or len(read_log(folder / "killed" / "log.csv")["step"]) < 20:
        assert killed.poll() is None, killed.communicate()[0]
        time.sleep(0.05)
    time.sleep(random.uniform(0, 1))
    killed.kill()
    killed.communicate()
    assert 0 < read_arrays(folder / "killed" / "checkpoint.npz")[1]["position"]["step"] < 3000
    finished(start("resume", folder / "killed"))
    finished(whole)
    one, two = (read_arrays(folder / name / "checkpoint.npz")[0] for name in ("whole", "killed"))
    assert one.keys() == two.keys() and all(np.array_equal(one[name], two[name]) for name in one)
    files = [(folder / name / "model.safetensors").read_bytes() for name in ("whole", "killed")]
    assert files[0] == files[1]

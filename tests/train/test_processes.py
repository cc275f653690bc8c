"""One training by two processes, as on two hosts."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
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
        [sys.executable, "-m", "helio", "train", *map(str, arguments)],
        env=os.environ | {"XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.mark.slow
def test_two_processes_train_what_one_trains(tmp_path: Path) -> None:
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
    with socket.socket() as free:
        free.bind(("localhost", 0))
        where = f"localhost:{free.getsockname()[1]},2"
    settings = tmp_path / "settings.yaml"
    both = [start(settings, "--out", tmp_path / "two", "--distributed", f"{where},{i}") for i in range(2)]
    alone = start(settings, "--out", tmp_path / "one")
    for process in (*both, alone):
        output, _ = process.communicate(timeout=400)
        assert process.returncode == 0, output
    one, two = (
        {k: v for k, v in read_arrays(tmp_path / name / "checkpoint.npz")[0].items()} for name in ("one", "two")
    )
    assert one.keys() == two.keys()
    for name in one:
        np.testing.assert_allclose(one[name], two[name], rtol=1e-4, atol=2e-5)
    for name in ("log.csv", "validation.csv"):
        losses = [read_log(tmp_path / run / name)["loss"] for run in ("one", "two")]
        assert len(losses[0]) >= 2 and losses[0] == pytest.approx(losses[1], rel=1e-5)
    assert (tmp_path / "two" / "report.html").exists()

"""Mistakes that need no model are told before JAX and MDAnalysis are loaded, each in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

CASES = """
md none.xyz | there is no file none.xyz
md w.what --out new | format of w.what is not known
md w.xyz --out run | the folder run exists
md w.xyz --timestep -1 | timestep: Input should be greater than 0
md none.yaml | there is no file none.yaml
md w.xyz --ensemble foo | foo
opt none.xyz | there is no file none.xyz
opt w.what | format of w.what is not known
opt w.xyz --out old.extxyz | old.extxyz exists
eval none.xyz | there is no file none.xyz
eval w.xyz --out none/x.json | the folder none does not exist
export none --format xtc | there is no folder none
export run --format xtc | there is no file run/trajectory.h5md
resume none | there is no folder none
report none | there is no none
report run --out old.extxyz | old.extxyz exists
analyse rdf none | there is no none
build water --out old.extxyz | old.extxyz exists
build solvate none.pdb --out o.pdb | there is no file none.pdb
data info none.h5 | there is no store none.h5
data import none.xyz out.h5 | there is no file or folder none.xyz
train none.yaml | there is no settings file or run folder none.yaml
finetune none.h5 | there is no store none.h5
tune-damping none.extxyz | there is no file none.extxyz
model convert none.pkl out.safetensors | there is no file none.pkl
coarse train none.yaml | there is no settings file or run folder none.yaml
frameworks train none.yaml | there is no settings file or run folder none.yaml
"""

# Forks before each command, so that none profits from what another one has loaded.
DRIVER = """
import os, sys
from typer.testing import CliRunner
from helio.cli import app
for line in sys.stdin:
    sys.stdout.flush()
    if os.fork() == 0:
        result = CliRunner().invoke(app, line.split())
        heavy = sorted({"jax", "MDAnalysis", "openmm"} & set(sys.modules))
        print(f"{line.strip()} | {result.exit_code} | {heavy} | {' '.join(result.output.split())}")
        sys.stdout.flush()
        os._exit(0)
    os.wait()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_errors_come_before_heavy_imports(tmp_path: Path) -> None:
    (tmp_path / "w.xyz").write_text("3\n\nO 0 0 0\nH 0 0 1\nH 0 1 0\n")
    (tmp_path / "w.what").write_text("hello")
    (tmp_path / "old.extxyz").write_text("old")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "notes.txt").write_text("mine")
    cases = [[part.strip() for part in line.split("|")] for line in CASES.strip().splitlines()]
    commands = "".join(f"{command}\n" for command, _ in cases)
    done = subprocess.run(
        [sys.executable, "-c", DRIVER], input=commands, cwd=tmp_path, capture_output=True, text=True, check=True
    )
    found = {command: rest for command, _, rest in (line.partition(" | ") for line in done.stdout.splitlines())}
    for command, message in cases:
        code, heavy, output = found[command].split(" | ", 2)
        assert code in ("1", "2"), command
        assert heavy == "[]", f"{command} loads {heavy}"
        assert message in output, f"{command}: {output}"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["old.extxyz", "run", "w.what", "w.xyz"]

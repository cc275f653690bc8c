"""`helio analyse` as a user meets it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from typer.testing import CliRunner

from helio.cli import app
from tests.analyse.conftest import write_run

EDGE = 12.0


def gas(folder: Path, seed: int, count: int = 60) -> Path:
    random = np.random.default_rng(seed)
    lattice = np.stack(np.meshgrid(*[np.arange(4) * EDGE / 4] * 3), axis=-1).reshape(-1, 3)[:count]
    atoms = Atoms(f"Ne{count}", lattice, cell=[EDGE] * 3, pbc=True)
    log = {"step": np.arange(50), "time_ps": np.arange(50) * 0.8, "potential_eV": random.normal(size=50)}
    log |= {"temperature_K": 300 + random.normal(size=50), "density_g_per_cm3": np.full(50, 1.0)}
    return write_run(folder, atoms, random.uniform(0, EDGE, (40, count, 3)), log=log)


def helio(*arguments: object):
    return CliRunner().invoke(app, ["analyse", *map(str, arguments)])


@pytest.fixture
def runs(tmp_path: Path) -> list[Path]:
    return [gas(tmp_path / name, seed) for seed, name in enumerate(("one", "two", "three"))]


def test_one_run_with_a_reference(runs: list[Path], tmp_path: Path) -> None:
    reference = tmp_path / "ideal.dat"
    reference.write_text("0 1\n10 1\n")
    out = tmp_path / "figures"
    options = ["--set", "width-A=0.5", "--begin", 5, "--end", 30, "--every", 2]
    result = helio("rdf", runs[0], *options, "--reference", f"Ne-Ne={reference}", "--out", out)
    assert result.exit_code == 0, result.output
    assert "Ne-Ne, mean deviation from ideal.dat" in result.output and "13 frames" in result.output
    assert (out / "rdf.png").exists() and (out / "rdf-Ne-Ne.csv").exists()
    again = helio("rdf", runs[0], "--out", out)
    assert again.exit_code == 1 and "exists; give another folder with --out, or --overwrite" in again.output
    assert helio("rdf", runs[0], "--out", out, "--overwrite").exit_code == 0


def test_several_runs(runs: list[Path]) -> None:
    result = helio("energies", *runs)
    assert result.exit_code == 0, result.output
    assert "Mean of 3 runs" in result.output and "temperature" in result.output


def test_list(runs: list[Path]) -> None:
    everything, fitting = helio("list"), helio("list", runs[0])
    assert everything.exit_code == fitting.exit_code == 0
    assert "width_A: a number, by default 0.05" in everything.output
    assert "spectrum" in everything.output and "spectrum" not in fitting.output and "rdf" in fitting.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["colour", "RUN"], "there is no analysis 'colour'; there are energies, density, rdf"),
        (["rdf"], "which runs? Give folders"),
        (["rdf", "none"], "there is no none"),
        (["rdf", "RUN", "--set", "width=1"], "no option 'width'; its options: pairs, range_A, width_A"),
        (["rdf", "RUN", "--set", "width_A"], "given as OPTION=VALUE, not 'width_A'"),
        (["rdf", "RUN", "--set", "width_A=thin"], "the option width_A is a number, not 'thin'"),
        (["infrared", "RUN", "--set", "correction=best"], "is one of harmonic, standard, schofield, none, not 'best'"),
        (["spectrum", "RUN"], "hold no velocities; a run saves them with"),
        (["diffusion", "RUN", "--end", "5"], "has too few frames for this analysis: 6, at least 20"),
        (["rdf", "RUN", "--select", "element Xe"], "the selection 'element Xe' holds no atom"),
        (["rdf", "RUN", "--reference", "none.dat"], "the reference none.dat cannot be read"),
    ],
)
def test_mistakes(runs: list[Path], arguments: list[str], message: str) -> None:
    result = helio(*[str(runs[0]) if word == "RUN" else word for word in arguments])
    assert result.exit_code == 1
    assert message in " ".join(result.output.split())


def test_mixed_topologies(runs: list[Path], tmp_path: Path) -> None:
    result = helio("rdf", runs[0], gas(tmp_path / "other", 9, count=30))
    assert result.exit_code == 1 and "are not of the same atoms; analyse them one by one" in " ".join(
        result.output.split()
    )

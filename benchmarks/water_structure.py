"""O-O radial distribution function of liquid water at 300 K, of several models in the same conditions.

    python benchmarks/water_structure.py --model so3lr --model helio-s [--picoseconds 20]
        [--reference rdf.dat] [--out benchmarks/results/water_structure.json] [--figure docs/figures/water.png]

64 molecules in a box of 0.997 g/cm3, Langevin dynamics with a friction of 2/ps, steps of 1 fs with hydrogens of 3 u.
The first fifth of a run is left out. Prints where and how high the first peak is, where and how deep the first
minimum, and the mean absolute difference of g between 2 and 6 A from the first model; a reference of two columns (A, g)
is drawn along. Errors are standard deviations of the mean over five blocks.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Any

import ase.io
import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import MDAnalysis
import numpy as np
from ase import Atoms
from MDAnalysis.analysis.rdf import InterRDF

ROOT = Path(__file__).parents[1]
DENSITY = 0.997  # g/cm3
BLOCKS = 5


def box(folder: Path) -> Path:
    """The start: 64 molecules, scaled to the density."""
    atoms = ase.io.read(ROOT / "tests/reference/water_64.extxyz")
    assert isinstance(atoms, Atoms)
    atoms.info, atoms.calc = {}, None
    volume = atoms.get_masses().sum() / DENSITY / 0.602214076  # A^3
    atoms.set_cell(atoms.cell * (volume / atoms.get_volume()) ** (1 / 3), scale_atoms=True)
    atoms.write(folder / "water.extxyz")
    return folder / "water.extxyz"


def distribution(model: str, picoseconds: float) -> tuple[np.ndarray, np.ndarray]:
    """Distances (B,) in A and g of each block (blocks, B)."""
    with tempfile.TemporaryDirectory() as temporary:
        run, steps = Path(temporary) / "run", round(1000 * picoseconds)
        bath = ("--ensemble", "nvt", "--temperature", 300, "--friction", 2, "--timestep", 1, "--hydrogen-mass", 3)
        output = ("--steps", steps, "--save-every", 20, "--log-every", 100, "--seed", 1, "--out", run)
        command = ["md", box(Path(temporary)), "--model", model, *bath, *output]
        subprocess.run([sys.executable, "-m", "helio", *map(str, command)], check=True)
        universe = MDAnalysis.Universe(run / "topology.pdb", run / "trajectory.h5md")
        oxygens, frames = universe.select_atoms("element O"), len(universe.trajectory)
        edges = np.linspace(frames // 5, frames, BLOCKS + 1).astype(int)
        found = []
        for first, last in pairwise(edges):
            rdf = InterRDF(oxygens, oxygens, nbins=120, range=(1.0, 6.2))
            rdf.run(start=int(first), stop=int(last))
            found.append(rdf.results.rdf)
        return rdf.results.bins, np.array(found)


def features(distances: np.ndarray, blocks: np.ndarray) -> dict[str, float]:
    """The first peak and the minimum behind it."""
    mean, error = blocks.mean(axis=0), blocks.std(axis=0, ddof=1) / np.sqrt(len(blocks))
    peak = int(np.argmax(mean))
    near = (distances > distances[peak]) & (distances < 4.2)
    low = int(np.flatnonzero(near)[np.argmin(mean[near])])
    return {
        "peak_A": float(distances[peak]),
        "peak": float(mean[peak]),
        "peak_error": float(error[peak]),
        "minimum_A": float(distances[low]),
        "minimum": float(mean[low]),
        "minimum_error": float(error[low]),
    }


def main() -> None:
    """Run all models, print, draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", action="append", required=True)
    parser.add_argument("--picoseconds", type=float, default=20.0)
    parser.add_argument("--reference", type=Path)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--figure", type=Path)
    arguments = parser.parse_args()
    figure, axes = plt.subplots(figsize=(6, 4), layout="constrained")
    record: dict[str, Any] = {
        "date": date.today().isoformat(),
        "picoseconds": arguments.picoseconds,
        "density": DENSITY,
        "models": {},
    }
    first: np.ndarray | None = None
    for model in arguments.model:
        distances, blocks = distribution(model, arguments.picoseconds)
        mean, found = blocks.mean(axis=0), features(distances, blocks)
        first = mean if first is None else first
        inside = distances > 2
        found["difference"] = float(np.abs(mean - first)[inside].mean())
        record["models"][model] = found
        print(
            f"{model:12} peak {found['peak']:.2f} +- {found['peak_error']:.2f} at {found['peak_A']:.2f} A, minimum "
            f"{found['minimum']:.2f} +- {found['minimum_error']:.2f} at {found['minimum_A']:.2f} A, difference "
            f"{found['difference']:.3f}",
            flush=True,
        )
        axes.plot(distances, mean, label=model)
    if arguments.reference:
        columns = np.loadtxt(arguments.reference, comments=("#", "@"))
        axes.plot(columns[:, 0], columns[:, 1], "k--", label="reference", linewidth=1)
    axes.set(xlabel="r (A)", ylabel="g(r), O-O", xlim=(2, 6.2))
    axes.legend()
    if arguments.figure:
        figure.savefig(arguments.figure, dpi=150)
    if arguments.out:
        arguments.out.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()

"""Sound inputs of every format, by the product itself, and the command that reads each."""

from __future__ import annotations

import json
import pickle
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ase.build import molecule
from ase.io import write

from helio.force_field import ForceField
from helio.force_field.model_file import ModelInfo, save_model
from tests.conftest import SMALL
from tests.force_field.test_convert import HYPERPARAMETERS, published_tree

CASES = Path(__file__).parents[1] / "files" / "cases"


@dataclass(frozen=True)
class Input:
    """A file that is changed, what stands beside it, and the arguments that read it, in the folder of the case."""

    kind: str
    file: str  # path in the folder
    arguments: tuple[str, ...]
    is_text: bool


_MD = ("--model", "none.safetensors", "--out", "new")  # no such model: only reading is tried
INPUTS = (
    Input("xyz", "a.xyz", ("md", "a.xyz", *_MD), True),
    Input("extxyz", "a.extxyz", ("md", "a.extxyz", *_MD), True),
    Input("pdb", "a.pdb", ("md", "a.pdb", *_MD), True),
    Input("cif", "a.cif", ("md", "a.cif", *_MD), True),
    Input("sdf", "a.sdf", ("md", "a.sdf", *_MD), True),
    Input("mol2", "a.mol2", ("md", "a.mol2", *_MD), True),
    Input("yaml", "a.yaml", ("md", "a.yaml", *_MD), True),
    Input("labelled extxyz", "a.extxyz", ("data", "import", "a.extxyz", "new.h5"), True),
    Input("model file", "small.safetensors", ("model", "info", "small.safetensors"), False),
    Input("pickle", "params.pkl", ("model", "convert", "params.pkl", "hyper.json", "--out", "new.safetensors"), False),
    Input("hyperparameters", "hyper.json", ("model", "convert", "params.pkl", "hyper.json", "--out", "new.st"), True),
    Input("npz", "a.npz", ("data", "import", "a.npz", "new.h5"), False),
    Input("store", "store.h5", ("data", "info", "store.h5"), False),
    Input("framework store", "frameworks.h5", ("frameworks", "info", "frameworks.h5"), False),
    Input("trajectory", "run/trajectory.h5md", ("export", "run", "--format", "extxyz", "--out", "new.extxyz"), False),
    Input("trajectory part", "run/trajectory/part-00000.h5", ("analyse", "rmsd", "run"), False),
    Input("topology", "run/topology.pdb", ("export", "run", "--format", "pdb", "--out", "new.pdb"), True),
    Input("log", "run/log.csv", ("analyse", "energies", "run"), True),
    Input("checkpoint", "run/checkpoint.npz", ("md", "run", *_MD), False),
    Input("run folder", "run/settings.yaml", ("resume", "run"), True),
    Input("run start", "run/start.extxyz", ("md", "run", *_MD), True),
    Input("campaign record", "campaign/record.sqlite", ("report", "campaign", "--out", "new.html"), False),
)


def write_inputs(folder: Path, force_field: ForceField | None = None) -> None:
    """All inputs in one folder, which each case gets a copy of."""
    force_field = force_field or ForceField.initialise(SMALL, 7)
    save_model(force_field, folder / "small.safetensors", ModelInfo(name="small"))
    _write_structures(folder)
    (folder / "a.yaml").write_text("structure: a.xyz\nsteps: 10\ntemperature: 300\nensemble: nvt\n")
    (folder / "params.pkl").write_bytes(pickle.dumps(published_tree(force_field)))
    (folder / "hyper.json").write_text(json.dumps(HYPERPARAMETERS))
    positions = molecule("H2O").positions + 0.02 * np.random.default_rng(0).normal(size=(20, 3, 3))
    np.savez(folder / "a.npz", R=positions, z=np.array([8, 1, 1]), E=np.zeros((20, 1)), F=np.zeros((20, 3, 3)))
    _write_by_commands(folder)
    _write_frameworks(folder / "frameworks.h5")
    _write_campaign(folder / "campaign")


def _write_structures(folder: Path) -> None:
    water = molecule("H2O")
    write(folder / "a.xyz", [water] * 3)
    water.info |= {"charge": 0, "energy": -1.0}
    water.arrays["forces"] = np.zeros((3, 3))
    write(folder / "a.extxyz", [water] * 3)
    shutil.copy(CASES / "models.pdb", folder / "a.pdb")
    shutil.copy(CASES / "succinate.sdf", folder / "a.sdf")
    (folder / "a.cif").write_text((CASES / "half_oxygen.cif").read_text().replace(" 0.5\n", " 1.0\n"))
    (folder / "a.mol2").write_text(
        "@<TRIPOS>MOLECULE\nwater\n3 2 1\nSMALL\nUSER_CHARGES\n\n@<TRIPOS>ATOM\n"
        "1 O 0.0 0.0 0.0 O.3 1 WAT -0.8\n2 H1 0.96 0.0 0.0 H 1 WAT 0.4\n3 H2 -0.24 0.93 0.0 H 1 WAT 0.4\n"
        "@<TRIPOS>BOND\n1 1 2 1\n2 1 3 1\n"
    )


def _write_by_commands(folder: Path) -> None:
    import os

    from typer.testing import CliRunner

    from helio.cli import app

    here = Path.cwd()
    os.chdir(folder)
    try:
        for arguments in (
            ["md", "a.xyz", "--model", "small.safetensors", "--steps", "4", "--save-every", "1", "--log-every", "1",
             "--timestep", "0.01", "--out", "run"],
            ["data", "import", "a.npz", "store.h5", "--max-force", "1e9"],
        ):  # fmt: skip
            result = CliRunner().invoke(app, arguments)
            if result.exit_code:
                raise RuntimeError(f"{arguments}: {result.output}")
    finally:
        os.chdir(here)


def _write_frameworks(path: Path) -> None:
    from helio.frameworks.library import Library
    from helio.frameworks.store import Entry, StoreContent
    from helio.frameworks.store_writer import write_store
    from tests.frameworks.conftest import cubic, linker, node

    entries = [Entry(cubic(name), part) for name, part in (("a", "train"), ("b", "test"))]
    write_store(path, StoreContent(Library((node(), linker()), ("zinc", "carbon")), entries, "by hand"))


def _write_campaign(folder: Path) -> None:
    from helio.frameworks.campaign.record import create

    folder.mkdir()
    create(folder / "record.sqlite", {"count": 4, "model": "none"}, known=["a"], known_labels={"density": [1.0, 2.0]})

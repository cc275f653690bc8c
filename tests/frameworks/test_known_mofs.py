"""Two metal-organic frameworks as they were published, with the symmetry of their space group, imported."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from helio.cli.frameworks import app
from helio.frameworks.charges import equilibrated_charges
from helio.frameworks.cif import read_cif
from helio.frameworks.crystal import density
from helio.frameworks.store import FrameworkStore

pytest.importorskip("gemmi")
pytest.importorskip("pymatgen.core")

# Eddaoudi et al., Science 295, 469 (2002).
IRMOF_1 = """
Zn1 Zn 0.2934 0.2066 0.2066
O1 O 0.25 0.25 0.25
O2 O 0.2819 0.2181 0.1340
C1 C 0.25 0.25 0.1113
C2 C 0.25 0.25 0.0538
C3 C 0.2829 0.2171 0.0269
H1 H 0.3049 0.1951 0.0448
"""
# Chui et al., Science 283, 1148 (1999), without the water on copper.
HKUST_1 = """
Cu1 Cu 0.2853 0.2853 0
O1 O 0.3166 0.2431 0.9478
C1 C 0.2968 0.2032 0.9313
C2 C 0.322 0.178 0.887
C3 C 0.3655 0.1994 0.8655
H1 H 0.3802 0.228 0.8802
"""


def written(path: Path, edge: float, sites: str) -> Path:
    """A CIF of the space group Fm-3m without a table of bonds."""
    lengths = "".join(f"_cell_length_{axis} {edge}\n" for axis in "abc")
    angles = "".join(f"_cell_angle_{angle} 90\n" for angle in ("alpha", "beta", "gamma"))
    columns = "".join(f"_atom_site_{name}\n" for name in ("label", "type_symbol", "fract_x", "fract_y", "fract_z"))
    group = "_symmetry_space_group_name_H-M 'F m -3 m'\n_symmetry_Int_Tables_number 225\n"
    path.write_text(f"data_{path.stem}\n{lengths}{angles}{group}loop_\n{columns}{sites.strip()}\n")
    return path


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both, imported by the command."""
    folder = tmp_path_factory.mktemp("known")
    files = [written(folder / "IRMOF-1.cif", 25.832, IRMOF_1), written(folder / "HKUST-1.cif", 26.343, HKUST_1)]
    out = folder / "known.h5"
    result = CliRunner().invoke(app, ["import", *map(str, files), "--out", str(out), "--no-pores"])
    assert result.exit_code == 0, result.output
    assert "2 files imported, 0 refused" in " ".join(result.output.split())
    return out


@pytest.mark.parametrize(
    ("name", "formula", "grams", "blocks"),
    [
        # Zn4O, to which the oxygen of six carboxylates holds with two bonds each; benzene dicarboxylate.
        ("IRMOF-1", {30: 32, 8: 104, 6: 192, 1: 96}, 0.593, {(5, 12, True): 2, (16, 4, False): 6}),
        # Copper atoms; benzene tricarboxylate.
        ("HKUST-1", {29: 48, 8: 192, 6: 288, 1: 96}, 0.879, {(1, 4, True): 12, (18, 6, False): 8}),
    ],
)
def test_a_published_mof_comes_apart_into_its_nodes_and_linkers(
    store: Path, name: str, formula: dict[int, int], grams: float, blocks: dict[tuple[int, int, bool], int]
) -> None:
    crystal = read_cif(store.parent / f"{name}.cif")
    numbers, counts = np.unique(crystal.numbers, return_counts=True)
    assert dict(zip(numbers.tolist(), counts.tolist(), strict=True)) == formula
    assert density(crystal) == pytest.approx(grams, abs=0.001)
    with FrameworkStore(store) as opened:
        framework, library = opened.framework(name), opened.library
    found = [library[block] for block in framework.blocks]
    kinds = [(len(block), len(block.connections), bool(block.node)) for block in found]
    assert {kind: kinds.count(kind) for kind in kinds} == blocks
    # The primitive cell, a quarter of the cubic one.
    assert abs(np.linalg.det(framework.cell)) == pytest.approx(crystal.volume / 4)


def test_copper_has_the_published_charge(store: Path) -> None:
    """Ongari et al., J. Chem. Theory Comput. 15, 382 (2019): copper gets 0.88 e (0.06) in whichever MOF."""
    crystal = read_cif(store.parent / "HKUST-1.cif")
    copper = equilibrated_charges(crystal)[crystal.numbers == 29]
    assert np.ptp(copper) < 1e-8
    assert copper[0] == pytest.approx(0.88, abs=0.06)

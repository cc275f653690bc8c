"""Backbone torsions, free energies over them, and those of sugars."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from ase.units import kB, kcal, mol
from MDAnalysis.analysis.dihedrals import Ramachandran
from scipy.stats import norm
from scipy.stats import t as student_t
from typer.testing import CliRunner

from helio.analyse import Frames, open_frames
from helio.analyse.backbone import backbone
from helio.analyse.glycosidic import glycosidic
from helio.analyse.ramachandran import in_basin, ramachandran
from helio.analyse.sugars import glycosidic_bonds
from helio.analyse.torsions import free_energy_map, torsion_pairs
from helio.cli import app
from helio.errors import HelioError
from tests.analyse.biomolecules import (
    ISOMALTOSE,
    ISOMALTOSE_BOND,
    MALTOSE,
    MALTOSE_BOND,
    SUCROSE,
    SUCROSE_BOND,
    peptide,
    shaken,
    sugar,
)
from tests.analyse.conftest import write_run

MakeFrames = Callable[..., Frames]


@pytest.mark.parametrize(("phi", "psi", "basin"), [(-57, -47, "alpha"), (-139, 135, "beta"), (-65, 145, "PPII")])
def test_peptide_is_where_it_was_built(make_frames: MakeFrames, phi: float, psi: float, basin: str) -> None:
    atoms = peptide("AGAV", phi, psi)
    found = ramachandran(make_frames(atoms, shaken(atoms, 12, size=0.0)), temperature_K=300.0)
    surface = found.maps[0]
    row, column = np.argwhere(np.isfinite(surface.z))[0]
    assert np.isfinite(surface.z).sum() == 1
    assert surface.z[row, column] == 0
    assert max(abs(surface.x[column] - phi), abs(surface.y[row] - psi)) < 5.01
    assert [m.name for m in found.maps] == ["all residues", "ALA 2", "GLY 3", "ALA 4", "VAL 5"]
    population = found.value(f"{basin}, all residues")
    assert population.value == 1
    assert np.isnan(population.error)  # it never left: nobody knows how often it would


def test_torsions_are_those_of_mdanalysis(make_frames: MakeFrames) -> None:
    atoms = peptide("AGAV")
    frames = make_frames(atoms, shaken(atoms, 5, size=0.3))
    pairs = [residue.phi_psi for residue in backbone(frames) if residue.phi_psi is not None]
    phi, psi = torsion_pairs(frames, pairs)
    theirs = Ramachandran(frames.universe.select_atoms("resname ALA GLY VAL")).run().results.angles
    np.testing.assert_allclose(np.stack([phi, psi], axis=2), theirs, atol=1e-3)


def test_free_energy_of_known_populations() -> None:
    random = np.random.default_rng(0)
    count = 40_000
    second = random.random(count) < 0.25
    phi, psi = np.where(second, 65.0, -65.0), np.where(second, 45.0, -45.0)
    surface = free_energy_map("two", phi, psi, temperature_K=300.0, bins=36)
    assert surface.error is not None
    thermal = kB * 300.0 / (kcal / mol)
    row, column = np.searchsorted(surface.y, 45.0), np.searchsorted(surface.x, 65.0)
    expected_error = thermal * np.sqrt(0.75 / 0.25 / count)
    assert surface.z[row, column] == pytest.approx(thermal * np.log(3.0), abs=4 * np.sqrt(1 / 0.75) * expected_error)
    assert surface.error[row, column] == pytest.approx(expected_error, rel=0.6)
    assert np.isfinite(surface.z).sum() == 2


def test_basins_share_the_plane() -> None:
    phi, psi = np.meshgrid(np.arange(-180.0, 180.0, 5), np.arange(-180.0, 180.0, 5))
    inside = [in_basin(name, phi, psi) for name in ("alpha", "beta", "PPII", "phi > 0")]
    assert np.sum(inside, axis=0).max() == 1
    assert in_basin("beta", np.array([-150.0, 175.0, -150.0]), np.array([150.0, 150.0, -150.0])).all()


def test_runs_are_joined(tmp_path: Path) -> None:
    helix, strand = peptide("AAA"), peptide("AAA", -139, 135)
    runs = [write_run(tmp_path / str(i), helix, shaken(a, 20, size=0.02)) for i, a in enumerate((helix, strand))]
    found = ramachandran([open_frames(run) for run in runs], temperature_K=300.0)
    assert found.value("alpha, all residues").value == pytest.approx(0.5)
    assert found.value("alpha, all residues").error == pytest.approx(0.5 * student_t.ppf(norm.cdf(1), 1))
    assert np.isfinite(found.maps[0].z).sum() >= 2
    assert found.runs == ("0", "1")


def test_temperature_of_the_run(tmp_path: Path) -> None:
    helix = peptide("AAA")
    cold, hot, course = (write_run(tmp_path / name, helix, shaken(helix, 10)) for name in ("cold", "hot", "course"))
    (cold / "settings.yaml").write_text("ensemble: nvt\ntemperature: 250.0\n")
    (hot / "settings.yaml").write_text("ensemble: nvt\ntemperature: 500.0\n")
    (course / "settings.yaml").write_text("ensemble: nvt\ntemperature: '0:250,1:500'\n")
    energies = [ramachandran(open_frames(run)).maps[0].z for run in (cold, hot)]
    np.testing.assert_allclose(energies[1], 2 * energies[0])
    with pytest.raises(HelioError, match="give temperature_K="):
        ramachandran(open_frames(course))
    with pytest.raises(HelioError, match="not of one temperature"):
        ramachandran([open_frames(cold), open_frames(hot)])


def test_structure_without_residues(tmp_path: Path) -> None:
    helix = peptide("AAA")
    helix.write(tmp_path / "bare.xyz", plain=True)
    result = CliRunner().invoke(app, ["analyse", "ramachandran", str(tmp_path / "bare.xyz")])
    assert result.exit_code != 0
    assert "give a --topology" in " ".join(result.output.split())
    helix.write(tmp_path / "named.pdb")
    arguments = [str(tmp_path / "bare.xyz"), "--topology", str(tmp_path / "named.pdb"), "--set", "temperature_K=300"]
    result = CliRunner().invoke(app, ["analyse", "ramachandran", *arguments, "--out", str(tmp_path / "figures")])
    assert result.exit_code == 0, result.output
    assert (tmp_path / "figures" / "ramachandran.png").stat().st_size > 0


def test_run_without_residues(tmp_path: Path) -> None:
    helix, bare = peptide("AAA"), peptide("AAA")
    for name in ("residuenames", "residuenumbers", "atomtypes"):
        del bare.arrays[name]
    run = write_run(tmp_path / "run", bare, shaken(helix, 10))
    with pytest.raises(HelioError, match="give a --topology"):
        ramachandran(open_frames(run), temperature_K=300.0)
    helix.write(tmp_path / "named.pdb")
    found = ramachandran(open_frames(run, tmp_path / "named.pdb"), temperature_K=300.0)
    assert found.value("alpha, all residues").value > 0.9
    with pytest.raises(HelioError, match="there is no"):
        open_frames(run, tmp_path / "absent.pdb")


@pytest.mark.parametrize(
    ("smiles", "bond", "name"),
    [
        (MALTOSE, MALTOSE_BOND, "sugar 1 (1→4) sugar 2"),
        (SUCROSE, SUCROSE_BOND, "sugar 1 (1→2) sugar 2"),
        (ISOMALTOSE, ISOMALTOSE_BOND, "sugar 1 (1→6) sugar 2"),
    ],
    ids=["maltose", "sucrose", "isomaltose"],
)
def test_glycosidic_bond(make_frames: MakeFrames, smiles: str, bond: tuple[int, ...], name: str) -> None:
    atoms = sugar(smiles)
    frames = make_frames(atoms, shaken(atoms, 12, size=0.01))
    (found,) = glycosidic_bonds(frames)
    assert found.name == name
    assert (found.phi, found.psi) == (bond[:4], bond[1:])
    result = glycosidic(frames, temperature_K=300.0)
    surface = result.maps[0]
    row, column = np.unravel_index(np.nanargmin(surface.z), surface.z.shape)
    for angle, atoms_of_angle in ((surface.x[column], found.phi), (surface.y[row], found.psi)):
        exact = atoms.get_dihedral(*atoms_of_angle)
        assert abs((angle - exact + 180) % 360 - 180) < 10
    assert sum(value.value for value in result.values) == pytest.approx(1)


def test_no_sugar(make_frames: MakeFrames) -> None:
    atoms = peptide("AAA")
    with pytest.raises(HelioError, match="no bond between sugars"):
        glycosidic(make_frames(atoms, shaken(atoms, 2)), temperature_K=300.0)

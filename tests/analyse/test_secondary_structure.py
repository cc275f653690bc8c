"""Ideal helices and strands, and the energies of hydrogen bonds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from MDAnalysis.analysis.dssp import DSSP
from MDAnalysis.analysis.dssp.pydssp_numpy import get_hbond_map

from helio.analyse import Frames, open_frames
from helio.analyse.backbone import backbone
from helio.analyse.secondary_structure import KINDS, hydrogen_bond_energies, secondary_structure
from helio.errors import HelioError
from tests.analyse.biomolecules import peptide, shaken
from tests.analyse.conftest import write_run

MakeFrames = Callable[..., Frames]


def test_ideal_alpha_helix_is_helix(make_frames: MakeFrames) -> None:
    atoms = peptide("A" * 15)
    found = secondary_structure(make_frames(atoms, shaken(atoms, 4, size=0.0)))
    # ACE, 15 residues, NME: C=O of 0 to 12 can reach the N-H four further on.
    assert found.value(f"hydrogen bonds, {KINDS[4]}").value == 13
    assert found.value(f"hydrogen bonds, {KINDS[3]}").value == 0
    assert found.value(f"hydrogen bonds, {KINDS[5]}").value == 0
    assert found.value("share of helix").value == pytest.approx(13 / 15)  # all but the ends
    assert found.value("share of strand").value == 0
    np.testing.assert_array_equal(found.curve("helix by residue").y, [0, *[1] * 13, 0])


def test_3_10_helix(make_frames: MakeFrames) -> None:
    atoms = peptide("A" * 12, -49, -26)
    found = secondary_structure(make_frames(atoms, shaken(atoms, 4, size=0.0)))
    counts = {n: found.value(f"hydrogen bonds, {name}").value for n, name in KINDS.items()}
    assert counts[3] >= 10  # of 11
    assert counts[4] <= 1


def test_strand_has_no_helix(make_frames: MakeFrames) -> None:
    atoms = peptide("A" * 8, -139, 135)
    found = secondary_structure(make_frames(atoms, shaken(atoms, 6)))
    assert found.value("share of helix").value == 0
    assert all(found.value(f"hydrogen bonds, {name}").value == 0 for name in KINDS.values())


def test_structure_is_that_of_mdanalysis(make_frames: MakeFrames) -> None:
    atoms = peptide("ADKPEVLAAG")
    frames = make_frames(atoms, shaken(atoms, 8, size=0.25))
    found = secondary_structure(frames)
    named = frames.universe.select_atoms("protein and not resname ACE NME").universe
    theirs = DSSP(named.select_atoms("not resname ACE NME")).run().results.dssp
    expected = np.array([["-HE".index(letter) for letter in frame] for frame in theirs])
    np.testing.assert_array_equal(found.maps[0].z.T, expected)
    assert 0 < found.value("share of helix").value < 1


def test_energies_are_those_of_mdanalysis(make_frames: MakeFrames) -> None:
    atoms = peptide("A" * 9)
    frames = make_frames(atoms, shaken(atoms, 1, size=0.1))
    residues = [residue for residue in backbone(frames) if residue.complete]
    own = np.array([[r.n, r.ca, r.c, r.o, r.h] for r in residues], int)
    positions = frames.first().positions
    theirs = np.asarray(get_hbond_map(positions[own], return_e=True)).T  # from C=O to N-H
    energies = hydrogen_bond_energies(positions, own[:, [2, 3]], own[:, [0, 4]])
    where = theirs != 0
    assert where.sum() > 10
    np.testing.assert_allclose(energies[where], theirs[where], rtol=1e-5)


def test_two_chains_are_apart(tmp_path: Path) -> None:
    one = peptide("AAAAA")
    other = one.copy()
    other.positions += [30.0, 0.0, 0.0]
    other.arrays["residuenumbers"] = other.arrays["residuenumbers"] + 7
    frames = open_frames(write_run(tmp_path / "run", one + other, (one + other).positions[None]))
    residues = backbone(frames)
    assert [r.chain for r in residues] == [0] * 7 + [1] * 7
    assert [r.place for r in residues] == [*range(7), *range(7)]
    assert secondary_structure(frames).value(f"hydrogen bonds, {KINDS[4]}").value == 6


def test_too_short(make_frames: MakeFrames) -> None:
    atoms = peptide("A")
    with pytest.raises(HelioError, match="secondary structure needs four"):
        secondary_structure(make_frames(atoms, shaken(atoms, 2)))

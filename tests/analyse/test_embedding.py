"""Projections of processes that are understood, kept and used again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.decomposition import PCA
from typer.testing import CliRunner

from helio.analyse import open_frames
from helio.analyse.embedding import embedding
from helio.analyse.features import features
from helio.analyse.projection import fit_pca, fit_tica, fit_umap, load_projection
from helio.cli import app
from helio.errors import HelioError
from tests.analyse.biomolecules import MALTOSE, peptide, shaken, sugar
from tests.analyse.conftest import write_run


def named(count: int) -> dict:
    return {"kind": "dihedrals", "names": tuple(map(str, range(count)))}


def test_pca_is_that_of_scikit_learn() -> None:
    random = np.random.default_rng(0)
    series = [random.normal(size=(50, 6)) @ random.normal(size=(6, 6)) + k for k in range(2)]
    found = fit_pca(series, **named(6))
    theirs = PCA(2).fit(np.concatenate(series))
    np.testing.assert_allclose(found.strengths, theirs.explained_variance_ratio_, rtol=1e-9)
    ours, expected = found.place(series[0]), theirs.transform(series[0])
    np.testing.assert_allclose(np.abs(ours), np.abs(expected), atol=1e-9)


def test_tica_finds_the_slow_direction() -> None:
    """A small slow coordinate below a large fast one: x(t + 1) = a x(t) + noise has lambda = a^lag."""
    random = np.random.default_rng(1)
    decays, count = np.array([0.98, 0.9, 0.2]), 40_000
    hidden = np.zeros((count, 3))
    noise = random.normal(size=(count, 3)) * np.sqrt(1 - decays**2)
    for i in range(1, count):
        hidden[i] = decays * hidden[i - 1] + noise[i]
    mixing = np.array([[0.1, 0.1, 0.0], [0.0, 1.0, 0.3], [1.0, 0.0, 9.0]])
    found = fit_tica([(hidden @ mixing)[:20_000], (hidden @ mixing)[20_000:]], lag=5, lag_ps=0.5, **named(3))
    np.testing.assert_allclose(found.strengths, decays[:2] ** 5, atol=0.03)
    placed = found.place(hidden @ mixing)
    for k in range(2):
        assert abs(np.corrcoef(placed[:, k], hidden[:, k])[0, 1]) > 0.99
    np.testing.assert_allclose(placed.std(axis=0), 1, atol=0.05)


def test_kept_and_used_again(tmp_path: Path) -> None:
    helix, strand = peptide("AAA"), peptide("AAA", -139, 135)
    runs = [
        open_frames(write_run(tmp_path / name, helix, shaken(atoms, 30, seed=k)))
        for k, (name, atoms) in enumerate({"helix": helix, "strand": strand}.items())
    ]
    kept = tmp_path / "map.npz"
    found = embedding(runs, keep=str(kept))
    first = {run: found.curve(f"{run}, component 1").y for run in ("helix", "strand")}
    # The first component tells them apart.
    assert max(first["helix"].min(), first["strand"].min()) > min(first["helix"].max(), first["strand"].max())
    assert [m.name for m in found.maps] == ["all runs", "helix", "strand"]
    again = embedding(runs[1], use=str(kept))
    np.testing.assert_allclose(again.curve("strand, component 1").y, first["strand"], rtol=1e-12)
    other = open_frames(write_run(tmp_path / "other", peptide("AAAA"), peptide("AAAA").positions[None]))
    with pytest.raises(HelioError, match="not of the same molecule"):
        embedding(other, use=str(kept))
    (tmp_path / "wrong.npz").write_text("no archive")
    with pytest.raises(HelioError, match="cannot be read as a projection"):
        load_projection(tmp_path / "wrong.npz")
    with pytest.raises(HelioError, match=r"\.npz file"):
        embedding(runs, keep=str(tmp_path / "map.pickle"))


def test_features(tmp_path: Path) -> None:
    helix, maltose = peptide("A" * 5), sugar(MALTOSE)
    frames = open_frames(write_run(tmp_path / "helix", helix, shaken(helix, 3)))
    torsions = features(frames, "dihedrals")
    assert torsions.values.shape == (3, 20)
    np.testing.assert_allclose(torsions.values[:, ::2] ** 2 + torsions.values[:, 1::2] ** 2, 1)
    alpha = helix.positions[np.flatnonzero(helix.arrays["atomtypes"] == "CA")]
    distances = features(frames, "distances").values
    assert distances.shape == (3, 10)
    assert distances[:, 0].mean() == pytest.approx(np.linalg.norm(alpha[1] - alpha[0]), abs=0.2)
    sweet = open_frames(write_run(tmp_path / "maltose", maltose, shaken(maltose, 3)))
    assert features(sweet, "dihedrals").values.shape == (3, 4)
    assert features(sweet, "distances").values.shape == (3, 23 * 22 // 2)
    with pytest.raises(HelioError, match="dihedrals or distances"):
        features(sweet, "colours")


def test_mistakes(tmp_path: Path) -> None:
    atoms = peptide("AAA")
    frames = open_frames(write_run(tmp_path / "run", atoms, shaken(atoms, 8)))
    with pytest.raises(HelioError, match="pca, tica, umap"):
        embedding(frames, method="guess")
    with pytest.raises(HelioError, match="too long"):
        embedding(frames, method="tica", lag_ps=50.0)
    with pytest.raises(HelioError, match="needs more frames"):
        embedding(frames, method="umap")


def test_command(tmp_path: Path) -> None:
    atoms = peptide("AAA")
    runs = [str(write_run(tmp_path / name, atoms, shaken(atoms, 40, seed=k))) for k, name in enumerate("ab")]
    options = ["--set", "method=tica", "--set", "lag_ps=2", "--set", f"keep={tmp_path / 'map.npz'}"]
    result = CliRunner().invoke(app, ["analyse", "embedding", *runs, *options])
    assert result.exit_code == 0, result.output
    assert "Fitted to 80 frames" in result.output
    assert load_projection(tmp_path / "map.npz").lag_ps == 2.0


@pytest.mark.slow  # of which compiling UMAP takes most
@pytest.mark.filterwarnings("ignore")  # UMAP says that a seed leaves it one thread
def test_umap_keeps_groups_apart(tmp_path: Path) -> None:
    pytest.importorskip("umap")
    random = np.random.default_rng(0)
    centres = random.normal(scale=10.0, size=(2, 8))
    series = [centre + random.normal(size=(60, 8)) for centre in centres]
    fitted = fit_umap(series, neighbors=10, seed=3, **named(8))
    fitted.save(tmp_path / "umap.npz")
    kept = load_projection(tmp_path / "umap.npz")
    placed = [kept.place(centre + random.normal(size=(20, 8))) for centre in centres]
    apart = np.linalg.norm(placed[0].mean(axis=0) - placed[1].mean(axis=0))
    assert apart > 3 * max(np.linalg.norm(p - p.mean(axis=0), axis=1).mean() for p in placed)
    # What it was fitted to stays where it was.
    np.testing.assert_allclose(kept.place(series[0]), fitted.places[:60], atol=1e-4)

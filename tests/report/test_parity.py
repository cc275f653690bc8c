from __future__ import annotations

import numpy as np
import pytest

from helio.errors import HelioError
from helio.report.parity import Panel, plot_parity


@pytest.mark.parametrize("suffix", [".png", ".pdf"])
def test_panels_become_a_figure(tmp_path, suffix):
    pairs = np.random.default_rng(0).normal(size=(3000, 2))
    panels = {
        "forces": Panel("forces", "eV/A", pairs, 0.1, 0.2, 9000),
        "dipole": Panel("dipole", "e A", pairs[:1], 0.0, 0.0, 1),
        "energy": Panel("energy", "eV", np.empty((0, 2)), None, None, 0),
    }
    path = tmp_path / f"parity{suffix}"
    plot_parity(path, panels, title="a model on a set")
    assert path.stat().st_size > 5_000
    assert list(tmp_path.iterdir()) == [path]


def test_mistakes_are_explained(tmp_path):
    with pytest.raises(HelioError, match="must be named"):
        plot_parity(tmp_path / "parity.doc", {})
    with pytest.raises(HelioError, match="nothing to plot"):
        plot_parity(tmp_path / "parity.png", {})
    assert not list(tmp_path.iterdir())

"""The page of a campaign: what is counted, drawn and to be saved."""

from __future__ import annotations

import base64
import re
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("gemmi")

from helio.errors import HelioError
from helio.frameworks.campaign.record import FAILED, REJECTED, Outcome, Record, create
from helio.frameworks.campaign.settings import CampaignSettings
from helio.frameworks.campaign.stages import crystal_file
from helio.frameworks.cif import read_cif, write_cif
from helio.frameworks.crystal import Crystal
from helio.report.frameworks import write_campaign_report
from helio.settings.checking import checked


@pytest.fixture
def campaign(tmp_path: Path) -> Path:
    """Four candidates: two valid, of which one is known, one rejected, one broken."""
    settings = checked(CampaignSettings, {"samples": "samples.h5", "count": 4, "screen": 1}).model_dump()
    labels = {"density": [0.5, 0.7, 0.9], "void_fraction": [0.4, 0.5, 0.8]}
    create(tmp_path / "record.sqlite", settings, known={"old"}, known_labels=labels)
    with Record(tmp_path / "record.sqlite") as record:
        record.add_batch(0, "samples/00000.h5", [(i + 1, f"sample {i}") for i in range(4)])
        for number, identity in enumerate(("new", "old", "other", "more"), start=1):
            name = f"c{number:06d}"
            record.add(name, "assemble", Outcome(words={"identity": identity, "blocks": "N1 E<2>"}))
            if number == 4:
                record.add(name, "relax", Outcome(FAILED, "LAMMPS took longer than 900 s"))
                continue
            record.add(name, "relax", Outcome())
            figures = {"density": 0.6 + 0.1 * number, "void_fraction": 0.5, "surface_area": 100.0 * number}
            bad = number == 3
            record.add(name, "check", Outcome(REJECTED if bad else "passed", "pore: narrow" if bad else "", figures, {"failed": "pore" if bad else ""}))  # fmt: skip  # noqa: E501
            file = crystal_file(tmp_path, name, "relax")
            file.parent.mkdir(parents=True)
            write_cif(file, Crystal(name, np.eye(3) * 8, np.array([30, 6]), np.array([[0.0, 0, 0], [2, 0, 0]]),
                                    np.array([[0, 1], [1, 0]]), np.array([[0, 0, 0], [1, 0, 0]])))  # fmt: skip
        record.add("c000001", "screen", Outcome(figures={"eqeq_working_capacity": 1.5}))
    return tmp_path


def test_page(campaign):
    page = write_campaign_report(campaign, campaign / "report.html").read_text()
    assert "4 candidates, 2 of them valid" in page
    rows = re.findall(r'<tr><th scope="row">([^<]*)</th><td class="number">(\d+)</td><td class="number">(\d+) %', page)
    assert rows == [("sampled", "4", "100"), ("assembled", "4", "100"), ("relaxed", "3", "75"), ("valid", "2", "50"),
                    ("new", "1", "25"), ("unique", "1", "25"), ("screened", "1", "25")]  # fmt: skip
    assert "LAMMPS took longer than s (1)" in page and "pore (1)" in page
    best = page[page.index('id="best"') : page.index('id="gallery"')]
    assert "c000001" in best and "c000002" not in best and "N1 E&lt;2&gt;" in best and "1.5" in best
    assert re.findall('id="(view-[0-9]+)"', page) == ["view-0"]
    saved = re.findall(r'download="(c\d+)\.cif" href="data:chemical/x-cif;base64,([^"]+)"', page)
    assert [name for name, _ in saved] == ["c000001", "c000002"]
    (campaign / "saved.cif").write_bytes(base64.b64decode(saved[0][1]))
    assert len(read_cif(campaign / "saved.cif").bonds) == 2


def test_report_command_makes_it(campaign):
    from typer.testing import CliRunner

    from helio.cli import app

    result = CliRunner().invoke(app, ["report", str(campaign)])
    assert result.exit_code == 0, result.output
    assert "Campaign for frameworks" in (campaign / "report.html").read_text()


def test_no_campaign_is_told(tmp_path):
    with pytest.raises(HelioError, match="there is no record of a campaign"):
        write_campaign_report(tmp_path, tmp_path / "page.html")

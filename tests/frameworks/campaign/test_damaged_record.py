"""A record of a campaign that is damaged, or made to hurt, ends in a sentence."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from typer.testing import CliRunner

from helio.cli import app
from helio.errors import HelioError
from helio.frameworks.campaign.record import Candidate, Outcome, Record, create

SETTINGS = {"samples": "samples.h5"}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "record.sqlite"
    create(path, SETTINGS, known=["abc"], known_labels={"density": [0.5, 1.5]})
    with Record(path) as record:
        record.add_batch(0, "samples-0.h5", [(1, "a"), (2, "b")])
        record.add("c000001", "assemble", Outcome(figures={"gap": 0.25}, words={"identity": "x"}, seconds=1.5))
    return path


def _read(path: Path) -> tuple[list[Candidate], dict[str, list[float]]]:
    with Record(path) as record:
        assert record.batches() == {0} and record.known() == {"abc"}
        return record.candidates(), record.known_labels()


def test_what_was_written_is_read(path: Path) -> None:
    candidates, labels = _read(path)
    assert [candidate.name for candidate in candidates] == ["c000001", "c000002"]
    assert candidates[0].figure("gap") == 0.25 and candidates[0].identity == "x"
    assert labels == {"density": [0.5, 1.5]}


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("DROP TABLE stages", "its table stages has the columns none"),
        ("ALTER TABLE known RENAME COLUMN identity TO other", "its table known has the columns other"),
        ("CREATE TRIGGER t AFTER INSERT ON stages BEGIN DELETE FROM known; END", "it holds a trigger"),
        (
            "CREATE VIEW v AS WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x FROM n) SELECT x FROM n",
            "holds a view",
        ),
        ("UPDATE about SET value = '2' WHERE key = 'version'", "that this version of Helio reads"),
        ("UPDATE stages SET figures = '[1]'", "not values by name"),
        ('UPDATE stages SET figures = \'{"gap": "wide"}\'', "figures.gap"),
        (f"UPDATE stages SET words = '{'[' * 5000}'", "deep in each other|no JSON"),
        ("UPDATE stages SET seconds = 'long'", "seconds: "),
        ("UPDATE batches SET store = '../../elsewhere.h5'", "outside of the campaign"),
        ("UPDATE known_labels SET numbers = '{}x'", "is no JSON"),
    ],
)
def test_damage_is_named(path: Path, statement: str, message: str) -> None:
    with sqlite3.connect(path) as base:
        base.execute(statement)
    base.close()
    with pytest.raises(HelioError, match=message):
        _read(path)


@pytest.mark.parametrize("length", [0, 100, 4096, 9000])
def test_a_file_cut_off(path: Path, length: int) -> None:
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(HelioError, match="is no record of a campaign, or is damaged"):
        _read(path)


def test_the_command_says_so(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:4096])
    result = CliRunner().invoke(app, ["frameworks", "campaign", str(path.parent)])
    assert result.exit_code == 1 and isinstance(result.exception, SystemExit), result.output

"""The record of a campaign: one SQLite file, written by one process, a transaction for all that belongs together."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar

from helio.errors import HelioError
from helio.files.json_text import parse_json, parse_object
from helio.files.sqlite_file import guarded, open_database, reading_database
from helio.frameworks.campaign.settings import CampaignSettings
from helio.settings.checking import checked, checked_record

FORMAT, VERSION = "helio framework campaign", 1
PASSED, REJECTED, FAILED = "passed", "rejected", "failed"
_TABLES = """
CREATE TABLE about (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE batches (number INTEGER PRIMARY KEY, store TEXT NOT NULL);
CREATE TABLE candidates (
    name TEXT PRIMARY KEY, number INTEGER NOT NULL UNIQUE, batch INTEGER NOT NULL REFERENCES batches, source TEXT NOT NULL);
CREATE TABLE stages (
    candidate TEXT NOT NULL REFERENCES candidates, stage TEXT NOT NULL, outcome TEXT NOT NULL, reason TEXT NOT NULL,
    figures TEXT NOT NULL, words TEXT NOT NULL, seconds REAL NOT NULL, ended TEXT NOT NULL,
    PRIMARY KEY (candidate, stage));
CREATE TABLE known (identity TEXT PRIMARY KEY);
CREATE TABLE known_labels (label TEXT PRIMARY KEY, numbers TEXT NOT NULL);
"""  # noqa: E501
_COLUMNS = {
    "about": ("key", "value"),
    "batches": ("number", "store"),
    "candidates": ("name", "number", "batch", "source"),
    "stages": ("candidate", "stage", "outcome", "reason", "figures", "words", "seconds", "ended"),
    "known": ("identity",),
    "known_labels": ("label", "numbers"),
}


@dataclass(frozen=True)
class Outcome:
    """How a stage of a candidate ended: it goes on where it has passed.

    `rejected` is the verdict of a stage that worked; `failed` says that the stage itself broke.
    """

    outcome: str = PASSED
    reason: str = ""
    figures: dict[str, float] = field(default_factory=dict)
    words: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0


@dataclass(frozen=True)
class Candidate:
    """A candidate with the outcomes of its stages, by stage."""

    name: str
    number: int
    store: str  # of its sample, in the campaign's folder
    source: str  # its name there
    stages: dict[str, Outcome]

    def figure(self, label: str) -> float | None:
        """The last that a stage gave."""
        found = [outcome.figures[label] for outcome in self.stages.values() if label in outcome.figures]
        return found[-1] if found else None

    @property
    def identity(self) -> str | None:
        """Of what it was assembled to."""
        return self.stages["assemble"].words.get("identity") if "assemble" in self.stages else None


class Record:
    """Reads and writes a record; `create` makes one."""

    WHAT: ClassVar = "record of a campaign"

    def __init__(self, path: str | Path) -> None:
        """Open a record.

        Raises:
            HelioError: it does not exist, is damaged, or is something else.
        """
        self.path = Path(path)
        self._base = open_database(self.path, _COLUMNS, what=self.WHAT)
        with reading_database(self.path, what=self.WHAT):
            self.about = dict(self._base.execute("SELECT key, value FROM about"))
        if (self.about.get("format"), self.about.get("version")) != (FORMAT, str(VERSION)):
            self._base.close()
            raise HelioError(f"{path} is no record of a campaign that this version of Helio reads")
        self._base.execute("PRAGMA foreign_keys = ON")

    def __enter__(self) -> Record:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._base.close()

    @property
    def settings(self) -> CampaignSettings:
        """Of the campaign, as they were given at its start."""
        values = parse_object(self.about.get("settings", ""), f"the settings in {self.path}")
        return checked(CampaignSettings, values, f"{self.path}: settings")

    @guarded
    def batches(self) -> set[int]:
        """Numbers of the batches that have been sampled."""
        return {number for (number,) in self._base.execute("SELECT number FROM batches")}

    @guarded
    def add_batch(self, number: int, store: str, candidates: Sequence[tuple[int, str]]) -> None:
        """Enter a batch with its candidates: the number of each in the campaign, and its name in the store."""
        rows = [(candidate_name(own), own, number, source) for own, source in candidates]
        with self._base:
            self._base.execute("INSERT INTO batches VALUES (?, ?)", (number, store))
            self._base.executemany("INSERT INTO candidates VALUES (?, ?, ?, ?)", rows)

    @guarded
    def add(self, candidate: str, stage: str, outcome: Outcome) -> None:
        """Enter how a stage ended."""
        values = (json.dumps(outcome.figures), json.dumps(outcome.words), outcome.seconds)
        with self._base:
            self._base.execute(
                "INSERT INTO stages VALUES (?, ?, ?, ?, ?, ?, ?, strftime('%Y-%m-%dT%H:%M:%SZ'))",
                (candidate, stage, outcome.outcome, outcome.reason, *values),
            )

    @guarded
    def forget_failures(self) -> int:
        """Remove the stages that broke, so that they are done again; says how many."""
        with self._base:
            return self._base.execute("DELETE FROM stages WHERE outcome = ?", (FAILED,)).rowcount

    @guarded
    def candidates(self) -> list[Candidate]:
        """All, in their order."""
        stages: dict[str, dict[str, Outcome]] = {}
        rows = self._base.execute("SELECT candidate, stage, outcome, reason, figures, words, seconds FROM stages ORDER BY rowid")  # fmt: skip  # noqa: E501
        for candidate, stage, outcome, reason, figures, words, seconds in rows:
            figures, words = (parse_object(text, f"what {stage} says of {candidate}") for text in (figures, words))
            values = {"outcome": outcome, "reason": reason, "figures": figures, "words": words, "seconds": seconds}
            stages.setdefault(candidate, {})[stage] = checked_record(Outcome, values, f"{stage} of {candidate}")
        found = self._base.execute(
            "SELECT name, candidates.number, store, source FROM candidates JOIN batches ON batch = batches.number "
            "ORDER BY candidates.number"
        )
        candidates = [Candidate(name, number, store, at, stages.get(name, {})) for name, number, store, at in found]
        for candidate in candidates:
            if not (isinstance(candidate.number, int) and isinstance(candidate.source, str)):
                raise ValueError(f"the candidate {candidate.name} has no number or no source")
            store = Path(candidate.store)
            if store.is_absolute() or ".." in store.parts:
                raise ValueError(f"the candidate {candidate.name} is in {candidate.store}, outside of the campaign")
        return candidates

    @guarded
    def known(self) -> set[str]:
        """Identities of the known frameworks."""
        return {identity for (identity,) in self._base.execute("SELECT identity FROM known")}

    @guarded
    def known_labels(self) -> dict[str, list[float]]:
        """Labels of the known frameworks."""
        labels: dict[str, list[float]] = {}
        for label, numbers in self._base.execute("SELECT * FROM known_labels"):
            labels[str(label)] = [float(number) for number in parse_json(numbers, f"the known values of {label}")]
        return labels


def create(
    path: Path, settings: Mapping[str, Any], *, known: Iterable[str], known_labels: Mapping[str, Sequence[float]]
) -> None:
    """Make a record; it appears when it is whole."""
    temporary = path.with_name(f".{path.name}.part")
    temporary.unlink(missing_ok=True)
    base = sqlite3.connect(temporary)
    try:
        with base:
            base.executescript(_TABLES)
            about = {"format": FORMAT, "version": str(VERSION), "settings": json.dumps(dict(settings))}
            base.executemany("INSERT INTO about VALUES (?, ?)", about.items())
            base.executemany("INSERT INTO known VALUES (?)", [(identity,) for identity in sorted(set(known))])
            labels = [(label, json.dumps(list(numbers))) for label, numbers in known_labels.items()]
            base.executemany("INSERT INTO known_labels VALUES (?, ?)", labels)
    finally:
        base.close()
    temporary.replace(path)


def candidate_name(number: int) -> str:
    """Of the candidate with this number, from 1."""
    return f"c{number:06d}"

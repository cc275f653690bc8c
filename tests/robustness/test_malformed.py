"""Spoiled files of every format: one sentence, within bounds, and nothing lost.

Every case is the command line in a process of its own: it must end with an exit status and no traceback, within 20 s of
processor time and 2 GB of memory, and leave all other files of the folder as they were. The seeds are fixed. Of these
473 cases 60 ended otherwise before there was one guard for each format.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.robustness.guarded import MEGABYTES, SECONDS
from tests.robustness.inputs import INPUTS, Input, write_inputs
from tests.robustness.mutators import spoils

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Case:
    """One spoiled file."""

    source: Input
    way: str

    @property
    def name(self) -> str:
        return f"{self.source.kind}, {self.way}"


ALL = [Case(source, way) for source in INPUTS for way, _ in spoils(source.kind, is_text=source.is_text)]
# One case of each kind, another way each time, and those that once took gigabytes.
QUICK = [case for i, case in enumerate(ALL) if i % 17 == 5] + [
    case for case in ALL if case.way in ("billion laughs", "count of all atoms", "lying header", "billion layers")
]


def test_there_are_enough_cases() -> None:
    counts = Counter(case.source.kind for case in ALL)
    assert len(ALL) >= 300
    assert min(counts.values()) >= 12, counts


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sound")
    write_inputs(folder)
    return folder


def test_a_choice_of_cases(sound: Path, tmp_path: Path) -> None:
    assert failures(QUICK, sound, tmp_path) == []


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_all_cases(sound: Path, tmp_path: Path) -> None:
    assert failures(ALL, sound, tmp_path) == []


def failures(cases: list[Case], sound: Path, place: Path, *, code: Path = ROOT) -> list[str]:
    """The cases that did not end well, each with how it ended; `code` is the tree whose Helio runs."""
    environment = {"PYTHONPATH": str(code), "PATH": "/usr/bin:/bin", "HOME": str(place), "HELIO_OFFLINE": "1"}
    environment |= {"JAX_PLATFORMS": "cpu", "OMP_NUM_THREADS": "1", "HELIO_CACHE": str(place / "cache")}
    with subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("guarded.py"))],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment,
    ) as process:  # fmt: skip
        assert process.stdin is not None and process.stdout is not None
        found = []
        for number, case in enumerate(cases):
            folder = place / f"case-{number}"
            shutil.copytree(sound, folder, symlinks=True)
            spoil = dict(spoils(case.source.kind, is_text=case.source.is_text))[case.way]
            spoil(folder / case.source.file)
            before = _contents(folder)
            order = {"folder": str(folder), "arguments": list(case.source.arguments)}
            process.stdin.write(json.dumps(order) + "\n")
            process.stdin.flush()
            ended = json.loads(process.stdout.readline())
            wrong = _wrong(ended, before, _contents(folder))
            if wrong:
                found.append(f"{case.name}: {wrong}")
            shutil.rmtree(folder)
        process.stdin.close()
    return found


def _contents(folder: Path) -> dict[str, str]:
    """Digests of the regular files; the lock and log of a run may change, and what is new may appear."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.is_symlink() and path.name not in ("lock", "log.csv")
    }


def _wrong(ended: dict[str, Any], before: dict[str, str], after: dict[str, str]) -> str | None:
    output = ended["output"]
    if ended["signal"] is not None:
        return f"signal {ended['signal']} after {ended['seconds']:.0f} s"
    if "Traceback" in output:
        return f"traceback: {output.strip().splitlines()[-1][:200]}"
    if ended["seconds"] > SECONDS or ended["megabytes"] > MEGABYTES:
        return f"{ended['seconds']:.0f} s of processor time, {ended['megabytes']:.0f} MB"
    if ended["code"] not in (0, 1, 2):
        return f"exit status {ended['code']}: {output[-200:]}"
    if "\x1b" in output:
        return "escape sequences reach the terminal"
    if len(output) > 3990:
        return "thousands of characters are printed"
    if "owned" in after:
        return "a file's code has run"
    changed = [name for name, digest in before.items() if after.get(name) != digest]
    return f"changed {', '.join(changed[:3])}" if changed else None

"""Jobs in processes, and labels that survive being cut off."""

from __future__ import annotations

import json
import math
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from helio.errors import HelioError
from helio.frameworks import labelling
from helio.frameworks.labelling import label_store
from helio.frameworks.split import split_combinations
from helio.frameworks.store import FrameworkStore
from helio.frameworks.workers import Failure, run_jobs


def test_results_come_in_order_and_errors_are_recorded() -> None:
    found = list(run_jobs(math.sqrt, [4.0, -1.0, 9.0], workers=2, limit_s=60))
    assert [job for job, _ in found] == [4.0, -1.0, 9.0]
    assert found[0][1] == 2.0 and found[2][1] == 3.0
    assert isinstance(found[1][1], Failure) and found[1][1].reason.startswith("ValueError: ")


def test_a_process_that_dies_or_hangs_stops_nothing() -> None:
    died = list(run_jobs(os._exit, [3], workers=1, limit_s=60))
    assert died == [(3, Failure("its process died (exit code 3)"))]
    hung = list(run_jobs(time.sleep, [60.0, 0.0], workers=1, limit_s=2.0))
    assert hung == [(60.0, Failure("not done within 2 s")), (0.0, None)]


def test_crews_begun_at_once_leave_the_environment_as_it_was() -> None:
    before = dict(os.environ)

    def threads_of_a_worker(_: int) -> list[object]:
        return [found for _, found in run_jobs(os.getenv, ["OMP_NUM_THREADS"], workers=2, limit_s=60)]

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(threads_of_a_worker, range(4))) == [["1"]] * 4
    assert dict(os.environ) == before


def test_whole_combinations_are_kept_apart() -> None:
    combinations = [f"node{i % 20} linker{i % 7}" for i in range(300)]
    parts = split_combinations(combinations, validation=0.1, test=0.2, seed=3)
    by_part = {part: {c for c, p in zip(combinations, parts, strict=True) if p == part} for part in set(parts)}
    assert {part: len(found) for part, found in by_part.items()} == {"train": 98, "validation": 14, "test": 28}
    assert sum(map(len, by_part.values())) == len(set(combinations))
    assert split_combinations(combinations, validation=0.1, test=0.2, seed=3) == parts
    assert split_combinations(["a", "a"], validation=0.1, test=0.1, seed=0) == ["train", "train"]
    with pytest.raises(HelioError, match="leave none to train on"):
        split_combinations(combinations, validation=0.5, test=0.5, seed=0)


def test_labelling_goes_on_where_it_was_cut_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, two_frameworks: Path
) -> None:
    """With the labels themselves, and their processes, replaced: the record and the store are what is tested."""
    calls: list[str] = []

    def run(function, jobs, *, workers, limit_s):
        for job in jobs:
            calls.append(job[0])
            yield job, Failure("broken") if job[0] == "b" and len(calls) < 4 else {"uptake": float(len(calls))}

    monkeypatch.setattr(labelling, "run_jobs", run)
    monkeypatch.setattr(labelling, "need", lambda package, extra: None)
    record = Path(f"{two_frameworks}.labels.jsonl")
    first = label_store(two_frameworks, cycles=10)
    assert first.labelled == 1 and first.failures == {"b": "broken"} and first.computed == 2
    # Cut off in the middle of its last line: that framework alone is computed again.
    lines = record.read_text().splitlines(keepends=True)
    again = json.loads(lines[1])["name"]
    record.write_text(lines[0] + lines[1][:20])
    second = label_store(two_frameworks, cycles=10)
    assert second.computed == 1 and calls[2:] == [again]
    assert len(record.read_text().splitlines()) == 2
    # Nothing is left, unless failures are tried again or the settings are others.
    assert label_store(two_frameworks, cycles=10).computed == 0
    third = label_store(two_frameworks, cycles=10, retry=True)
    assert third.failures == {} and third.labelled == 2
    assert label_store(two_frameworks, cycles=20).computed == 2
    assert label_store(two_frameworks, cycles=20, charges="none").computed == 2
    with FrameworkStore(two_frameworks) as store:
        assert all("uptake" in store.framework(name).labels for name in "ab")
        assert store.framework("a").labels["density"] == 1.5
    record.write_text("{\n" + record.read_text())
    with pytest.raises(HelioError, match="damaged in line 1"):
        label_store(two_frameworks, cycles=10)
    with pytest.raises(HelioError, match="labelled with pores, adsorption, capacity or henry, not 'colour'"):
        label_store(two_frameworks, kind="colour")
    with pytest.raises(HelioError, match="charges of frameworks are eqeq or none, not 'ddec'"):
        label_store(two_frameworks, charges="ddec")

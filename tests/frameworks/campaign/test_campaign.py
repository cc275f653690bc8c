"""A campaign that is killed goes on where its record ends; what breaks is recorded, and the others go on."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from helio.errors import HelioError
from helio.files.run_folder import locked
from helio.frameworks.block import make_block
from helio.frameworks.campaign.outcome import funnel
from helio.frameworks.campaign.record import FAILED, PASSED, REJECTED, Candidate, Record
from helio.frameworks.campaign.run import run, start
from helio.frameworks.campaign.settings import CampaignSettings
from helio.frameworks.campaign.stages import Job, crystal_file, do
from helio.frameworks.cif import write_cif
from helio.frameworks.crystal import Crystal
from helio.frameworks.framework import Framework
from helio.frameworks.library import Library
from helio.frameworks.store import Entry, StoreContent, read_content
from helio.frameworks.store_writer import write_store
from helio.settings.checking import checked
from tests.kills import killed

sys.path.insert(0, str(Path(__file__).parent))
from doing import quick


def samples(path: Path, count: int) -> Path:
    """A store of frameworks of one node and one linker."""
    ends = np.array([[2.0, 0, 0], [-2.0, 0, 0]])
    blocks = [
        make_block(
            np.array([number]), np.zeros((1, 3)), np.zeros((0, 2), int), ends, np.zeros(2, int), node=number == 30
        )
        for number in (30, 6)
    ]
    one = Framework(
        "",
        np.eye(3) * 8,
        np.array([[0.0, 0, 0], [0.5, 0, 0]]),
        np.arange(2, dtype=np.int32),
        np.tile(np.eye(3), (2, 1, 1)),
        np.array([[0, 1, 0, 0, 0], [0, 1, -1, 0, 0]], np.int32),
        np.array([[0, 1], [1, 0]], np.int32),
    )
    entries = [Entry(replace(one, name=f"sample {number}")) for number in range(count)]
    write_store(path, StoreContent(Library(tuple(blocks), ("zinc", "carbon")), entries))
    return path


def started(tmp_path: Path, *, count: int, **values) -> Path:
    folder = tmp_path / "campaign"
    made = samples(tmp_path / "samples.h5", count)
    start(folder, checked(CampaignSettings, {"samples": str(made), "count": count} | values))
    return folder


def content(folder: Path) -> list[tuple]:
    """All that a record says, but for times."""
    with Record(folder / "record.sqlite") as record:
        return [
            (one.name, one.store, one.source, [(stage, replace(own, seconds=0)) for stage, own in one.stages.items()])
            for one in record.candidates()
        ]


def test_what_breaks_is_recorded_and_the_others_go_on(tmp_path):
    folder = started(tmp_path, count=7, batch=3, screen=2)
    assert run(folder, workers=2, doer=quick)
    with Record(folder / "record.sqlite") as record:
        found = {one.number: one for one in record.candidates()}
        steps = {step.name: step for step in funnel(record)}
    assert [one.source for one in found.values()] == [f"sample {number}" for number in range(7)]
    assert list(found[1].stages) == ["assemble", "relax", "check", "screen"]
    assert found[2].stages["check"].outcome == REJECTED
    assert found[3].stages["relax"].outcome == FAILED
    assert found[3].stages["relax"].reason == "LAMMPS failed: ERROR: Lost atoms: original 9 current 8"
    assert found[4].stages["check"].reason == "its process died (exit code 11)"
    assert [number for number, one in found.items() if "screen" in one.stages] == [1, 5]  # the unique ones
    counts = {name: step.count for name, step in steps.items()}
    assert counts == {
        "sampled": 7, "assembled": 7, "relaxed": 6, "valid": 4, "new": 4, "unique": 2, "screened": 2,
    }  # fmt: skip
    assert steps["relaxed"].reasons == (("LAMMPS failed: ERROR: Lost atoms: original current", 1),)
    assert dict(steps["valid"].reasons) == {"pore": 1, "overlap": 1, "its process died (exit code": 1}
    assert run(folder, doer=quick)  # nothing is left to do
    assert run(folder, doer=quick, retry=True)  # and again what broke, in vain
    with Record(folder / "record.sqlite") as record:
        assert [one.number for one in record.candidates() if FAILED in {o.outcome for o in one.stages.values()}] == [
            3,
            4,
        ]


def test_what_is_wrong_with_a_candidate_rejects_it(tmp_path):
    """Two atoms in the same place, and no linker to join nodes: the stages themselves did not break."""
    folder = started(tmp_path, count=1, relaxation="none")
    settings = checked(CampaignSettings, {"samples": "x", "relaxation": "none"})
    candidate = Candidate("c000001", 1, "samples/00000.h5", "sample 0", {})
    places = np.array([[0.1, 0, 0], [0.13, 0, 0], [4.0, 4, 4]])
    nothing = np.zeros((0, 2), np.int32), np.zeros((0, 3), np.int32)
    (folder / "candidates" / "c000001").mkdir(parents=True)
    write_cif(
        crystal_file(folder, "c000001", "assemble"),
        Crystal("c000001", np.eye(3) * 8, np.array([7, 8, 30], np.int32), places, *nothing),
    )
    overlapping = do(Job(folder, candidate, "check"), settings=settings)
    assert (overlapping.outcome, overlapping.words) == (REJECTED, {"failed": "overlap"})
    assert overlapping.reason == "overlap: two atoms are in the same place (N and O)"

    (folder / "samples").mkdir()
    content = read_content(samples(folder / "samples" / "00000.h5", 1))
    (entry,) = content.entries
    unlike = replace(entry, framework=replace(entry.framework, blocks=np.zeros(2, np.int32)))
    write_store(folder / "samples" / "00000.h5", replace(content, entries=[unlike]), overwrite=True)
    assembled = do(Job(folder, candidate, "assemble"), settings=settings)
    assert (assembled.outcome, assembled.reason) == (REJECTED, "c000001 has no linker with a connection")


def killed_and_resumed(tmp_path: Path, kills: int) -> None:
    whole = started(tmp_path / "a", count=30, batch=10)
    run(whole, workers=2, doer=quick)
    folder = started(tmp_path / "b", count=30, batch=10)
    command = [sys.executable, str(Path(__file__).parent / "doing.py"), str(folder)]
    assert killed(
        lambda: subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True),
        lambda: len(stages(folder)),
        kills=kills,
        pause_s=0.15,
    )
    run(folder, workers=2, doer=quick)
    once, again = content(whole), content(folder)
    assert [row[0] for row in again] == [f"c{number:06d}" for number in range(1, 31)]
    same = [(a[0], a[2], a[3]) for a in once], [(b[0], b[2], b[3]) for b in again]
    assert same[0] == same[1]


def stages(folder: Path) -> list[tuple]:
    return [(row[0], stage) for row in content(folder) for stage, _ in row[3]]


def test_killed_campaign_goes_on_and_ends_the_same(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    killed_and_resumed(tmp_path, kills=2)


@pytest.mark.slow
def test_campaign_killed_ten_times_ends_the_same(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    killed_and_resumed(tmp_path, kills=10)


def test_two_campaigns_do_not_share_a_folder(tmp_path):
    folder = started(tmp_path, count=2)
    with pytest.raises(HelioError, match="exists and is not empty"):
        start(folder, checked(CampaignSettings, {"samples": str(tmp_path / "samples.h5")}))
    with locked(folder), pytest.raises(HelioError, match="another process is writing"):
        run(folder, doer=quick)


def test_mistakes_are_told(tmp_path):
    with pytest.raises(HelioError, match="give one of the two"):
        checked(CampaignSettings, {"count": 3})
    with pytest.raises(HelioError, match="count: Input should be greater than 0"):
        checked(CampaignSettings, {"samples": "a.h5", "count": 0})
    with pytest.raises(HelioError, match="there is no store"):
        start(tmp_path / "c", checked(CampaignSettings, {"samples": str(tmp_path / "none.h5")}))
    assert not (tmp_path / "c").exists()
    with pytest.raises(HelioError, match="holds no campaign"):
        run(tmp_path)
    (tmp_path / "record.sqlite").write_text("nothing of the kind" * 100)
    with pytest.raises(HelioError, match="is no record of a campaign"):
        run(tmp_path)


def test_dask_gives_the_same(tmp_path):
    folder = started(tmp_path, count=5)
    assert run(folder, workers=2, scheduler="local", doer=quick)
    with Record(folder / "record.sqlite") as record:
        outcomes = [list(one.stages.values())[-1].outcome for one in record.candidates()]
    assert outcomes == [PASSED, REJECTED, FAILED, FAILED, PASSED]

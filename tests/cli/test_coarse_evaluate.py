"""`helio coarse evaluate` and the page of its result, as a user meets them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from helio.cli import app
from helio.coarse.reference.data_sets import StoreOptions, write_rouse
from helio.coarse.rollout_file import RolledSystem, RolloutInfo, append_frames, create_rollout
from helio.coarse.store import Store

pytest.importorskip("pymetis")


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store, and two runs whose roll-outs are pieces of the simulation itself."""
    folder = tmp_path_factory.mktemp("work")
    options = StoreOptions(beads_per_group=4, validation=0, test=3, seed=2)
    write_rouse(folder / "rouse.h5", 9, beads=(8, 20), frames=300, interval=2.0, options=options)
    with Store(folder / "rouse.h5") as store:
        for seed, begin in ((1, 20), (2, 120)):
            run = folder / f"run-{seed}"
            run.mkdir()
            info = RolloutInfo("sigma", "tau", "model.safetensors", "rouse.h5", seed, 5, "one core", 1)
            systems = {name: RolledSystem(store.groups(name), 2.0, 2.0, 0, 5) for name in store.part("test")}
            create_rollout(run / "rollout.h5", info, systems, gyration=True)
            for name in systems:
                frames = (begin, begin + 150)
                radii = store.gyration(name, *frames) ** 2
                append_frames(run / "rollout.h5", {name: store.centers(name, *frames)}, {name: radii}, seconds=1.0)
    return folder


@pytest.fixture(autouse=True)
def inside(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(work)


def helio(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, [*arguments], env={"COLUMNS": "180"})
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, " ".join(result.output.split())


def test_evaluate_and_report(work: Path) -> None:
    arguments = ["coarse", "evaluate", "run-1", "run-2", "rouse.h5", "--simulation-speed", "60"]
    arguments += [
        "--simulation-on",
        "LAMMPS, one core",
        "--training-core-hours",
        "0.01",
        "--out",
        "run-1/evaluation.json",
    ]
    status, said = helio(*arguments)
    assert status == 0, said
    assert "mean Rg² (sigma²) MAE bias R² rank" in said and "mean of the known" in said
    assert "Compared with the closed form, not with simulation" in said and "All roll-outs are finite" in said
    assert "60 tau per core-second, LAMMPS, one core" in said
    assert re.search(r"stepping is faster by 5 times", said), said  # 900 tau in 3 s, beside 60
    record = json.loads((work / "run-1" / "evaluation.json").read_text())
    assert record["settings"]["seeds"] == [1, 2] and record["short_time"] == 80  # 41 frames: 70 would be too few
    assert record["speed"]["equal_cost"] == pytest.approx((3 + 30 / 60) * 60 / 3)
    status, said = helio(*arguments)
    assert status == 1 and "exists; give another name with --out, or --overwrite" in said
    status, said = helio("report", "run-1")
    assert status == 0 and "Report: run-1/report.html" in said
    page = (work / "run-1" / "report.html").read_text()
    for words in ("Coarse roll-out", "mean Rg²", "Contact maps", "Autocorrelation of Rg²", "times, core for core"):
        assert words in page, words
    assert "nan" not in re.sub(r"base64,[^\"]+", "", page).lower().replace("nano", "")


def test_default_of_short_simulations(work: Path) -> None:
    status, said = helio("coarse", "evaluate", "run-2/rollout.h5", "rouse.h5")
    assert status == 0 and "as long as those that were trained on" in said and "not given (--simulation-speed)" in said
    assert "more than half of these, so there is nothing to compare with" in said
    record = work / "run-2" / "rollout.json"
    assert json.loads(record.read_text())["short_time"] == 598
    # A page of it, without short simulations.
    record.rename(work / "run-2" / "evaluation.json")
    status, said = helio("report", "run-2")
    assert status == 0 and "mean of the known" in (work / "run-2" / "report.html").read_text(), said
    (work / "run-2" / "evaluation.json").unlink()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("rouse.h5",), "at least one run, and the store"),
        (("nowhere", "rouse.h5"), "there is no roll-out nowhere"),
        (("run-1", "rouse.h5", "--core-seconds", "-1"), "--core-seconds must be above zero, not -1"),
        (("run-1", "rouse.h5", "--short", "0"), "--short must be above zero, not 0"),
        (("run-1", "rouse.h5", "--skip", "0.8"), "has 30 finite frames to look at; 41 are needed"),
        (("run-1", "nowhere.h5"), "there is no store nowhere.h5"),
    ],
)
def test_mistakes(arguments: tuple[str, ...], message: str) -> None:
    status, said = helio("coarse", "evaluate", *arguments, "--out", "other.json")
    assert status == 1 and message in said and not Path("other.json").exists()


def test_report_needs_an_evaluation(work: Path) -> None:
    status, said = helio("report", "run-2", "--out", "run-2/page.html")
    assert status == 1 and "run-2 is not evaluated yet: helio coarse evaluate run-2 STORE" in said
    status, said = helio("report", "run-1", "run-2", "--out", "both.html")
    assert status == 1 and "helio coarse evaluate takes several" in said

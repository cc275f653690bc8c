"""Run folders: what is one, what is replaced, and that nothing is written through links."""

from __future__ import annotations

import json
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from helio.cli import app
from helio.errors import HelioError
from helio.files.atomic import write_text
from helio.files.checkpoint import write_checkpoint
from helio.files.run_folder import claim_existing, claim_new, locked


def run_of(path: Path, *, marked: bool = True) -> Path:
    """A folder as a run leaves it, or as one of earlier versions does."""
    with claim_new(path) as folder:
        folder.write_settings({"steps": 5})
        write_checkpoint(folder.checkpoint, {"x": np.zeros(2)}, {"step": 5})
        (path / "trajectory").mkdir()
        (path / "trajectory" / "part-00000.h5").write_bytes(b"part")
        (path / ".trajectory.abcdef012345.part.h5md").write_bytes(b"cut off")
    if not marked:
        (path / ".helio-run.json").unlink()
    return path


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("marked", [True, False])
def test_a_run_is_replaced_as_a_whole(tmp_path: Path, marked: bool) -> None:
    path = run_of(tmp_path / "run", marked=marked)
    with pytest.raises(HelioError, match="replace it with --overwrite"), claim_new(path):
        pass
    with claim_new(path, overwrite=True):
        assert {entry.name for entry in path.iterdir()} == {"lock", ".helio-run.json"}
    assert json.loads((path / ".helio-run.json").read_text())["kind"] == "run of Helio"
    with claim_new(path):  # it never began: there is nothing to replace
        pass


def test_a_checkpoint_that_would_fill_the_memory_is_no_mark_of_a_run(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "checkpoint.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("header.npy", bytes(2**27))
    (tmp_path / "settings.yaml").write_text("steps: 5\n")
    before = content(tmp_path)
    with pytest.raises(HelioError, match="is no run folder"), claim_new(tmp_path, overwrite=True):
        pass
    assert content(tmp_path) == before


def test_a_working_folder_with_settings_is_no_run(tmp_path: Path) -> None:
    """The folder of a user who calls a settings file settings.yaml and writes here."""
    (tmp_path / "settings.yaml").write_text("structure: water.xyz\nout: .\n")
    (tmp_path / "model-mine.safetensors").write_bytes(b"weeks of work")
    (tmp_path / "trajectory").mkdir()
    (tmp_path / "trajectory" / "other-program.dcd").write_bytes(b"frames")
    before = content(tmp_path)
    with pytest.raises(HelioError, match=r"holds model-mine.safetensors, .*and is no run folder"):
        with claim_new(tmp_path, overwrite=True):
            pass
    assert content(tmp_path) == before


@pytest.mark.parametrize(
    "name", ["notes.txt", "model-mine.safetensors", "trajectory/other-program.dcd", "figures/a.png", "replica-000/x"]
)
def test_what_no_run_wrote_is_never_removed(tmp_path: Path, name: str) -> None:
    path = run_of(tmp_path / "run")
    (path / name).parent.mkdir(exist_ok=True)
    (path / name).write_text("mine")
    before = content(path)
    with pytest.raises(HelioError, match="which no run of Helio wrote"), claim_new(path, overwrite=True):
        pass
    assert content(path) == before


@pytest.mark.parametrize("name", ["log.csv", "settings.yaml", "report.html", "trajectory", "lock", ".helio-run.json"])
def test_nothing_is_written_through_a_link(tmp_path: Path, name: str) -> None:
    path, elsewhere = run_of(tmp_path / "run"), tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "part-00000.h5").write_text("dear to somebody")
    target = elsewhere if name == "trajectory" else elsewhere / "part-00000.h5"
    if (path / name).is_dir():
        (path / name / "part-00000.h5").unlink()
        (path / name).rmdir()
    (path / name).unlink(missing_ok=True)
    (path / name).symlink_to(target)
    with pytest.raises(HelioError, match=r"is a link|\(a link\)|no run folder"), claim_new(path, overwrite=True):
        pass
    with pytest.raises(HelioError, match="is a link"), claim_existing(path):
        pass
    if name != "trajectory":
        with pytest.raises(HelioError, match="is a link in a run folder"):
            write_text(path / name, "changed")
    assert content(elsewhere) == {"part-00000.h5": b"dear to somebody"}


def test_a_link_that_leads_nowhere_is_not_followed(tmp_path: Path) -> None:
    path = run_of(tmp_path / "run")
    (path / "report.html").symlink_to(tmp_path / "made.html")
    with pytest.raises(HelioError, match="is a link in a run folder"):
        write_text(path / "report.html", "page")
    assert not (tmp_path / "made.html").exists()


def test_a_lock_keeps_its_content_and_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    (tmp_path / "lock").write_text("text")
    with locked(tmp_path):
        with pytest.raises(HelioError, match="another process is writing"), locked(tmp_path):
            pass
    assert (tmp_path / "lock").read_text() == "text"
    (tmp_path / "lock").unlink()
    os.mkfifo(tmp_path / "lock")
    with pytest.raises(HelioError, match="is a pipe or a device"), locked(tmp_path):
        pass


def test_names_that_are_too_long_and_loops_of_links_end_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(HelioError, match="the name is too long"), claim_new(tmp_path / ("n" * 300)):
        pass
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for arguments in (
        ["opt", str(tmp_path / "loop")],
        ["coarse", "simulate", str(tmp_path / "loop"), str(tmp_path / "loop")],
        ["template", "md", "--out", str(tmp_path / ("n" * 300))],
    ):
        result = CliRunner().invoke(app, arguments)
        assert result.exit_code in (1, 2) and isinstance(result.exception, SystemExit), arguments
        assert "Error" in result.stderr, arguments

"""What commands say before and after a run."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer

from helio.cli.run_end import is_run, leave_if_interrupted, training_done, would_write
from helio.errors import HelioError
from helio.train.loop import Outcome

WHOLE = Outcome(step=10, steps=10, reason="done", best_step=0, skipped=0)
CUT = Outcome(step=4, steps=10, reason="interrupted", best_step=2, skipped=0)


def test_a_run_is_gone_on_with_as_it_is(tmp_path: Path) -> None:
    assert is_run(tmp_path, out=None, overwrite=False, dry_run=False)
    assert not is_run(tmp_path / "settings.yaml", out=tmp_path, overwrite=True, dry_run=True)
    for out, overwrite, dry_run in ((tmp_path, False, False), (None, True, False), (None, False, True)):
        with pytest.raises(HelioError, match="is a run folder, which is gone on with"):
            is_run(tmp_path, out=out, overwrite=overwrite, dry_run=dry_run)


def test_where_a_run_would_write(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    would_write(tmp_path / "new")
    would_write(tmp_path, "3 frames")
    assert capsys.readouterr().out.splitlines() == [
        f"Would write to {tmp_path / 'new'}",
        f"Would write 3 frames, to {tmp_path}, which exists: the run would need --overwrite",
    ]


@pytest.mark.parametrize("quiet", [False, True])
def test_an_interruption_is_told_and_seen_in_the_status(quiet: bool, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit) as left:
        leave_if_interrupted(CUT, Path("run"), quiet=quiet)
    assert left.value.exit_code == 130
    said = "Stopped at step 4 of 10. Continue with: helio resume run\n"
    assert capsys.readouterr().out == ("" if quiet else said)


def test_the_end_of_a_whole_run() -> None:
    leave_if_interrupted(WHOLE, Path("run"))
    with pytest.raises(typer.Exit) as left:
        leave_if_interrupted(WHOLE, Path("run"), quiet=True)
    assert left.value.exit_code == 0
    assert training_done(WHOLE) == "Done: 10 steps"
    patient = Outcome(step=8, steps=10, reason="patience", best_step=6, skipped=0)
    assert training_done(patient) == "Done: 8 steps, as validation no longer improved, best at step 6"

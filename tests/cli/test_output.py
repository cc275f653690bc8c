"""What commands print: control characters of files, long messages, readers that go away."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from helio.cli import app
from helio.cli.output import guarded_output, visible
from helio.errors import HelioError
from helio.files.interrupt import stop_signal
from helio.force_field import ForceField
from helio.force_field.model_file import ModelInfo, save_model

COMMAND = [sys.executable, "-c", "from helio.cli import main; main()"]


@pytest.fixture
def result_of(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], Any]], Any]:
    """Runs a function as a command."""

    def run(function: Callable[[], Any]) -> Any:
        monkeypatch.setattr(app, "registered_commands", [*app.registered_commands])
        app.command("trial")(function)
        return CliRunner().invoke(app, ["trial"])

    return run


def test_control_characters_are_visible() -> None:
    assert visible("a\tb\n") == "a\tb\n"
    assert visible("\x1b]0;title\x07 \x1b[31mred \x9b2J \u202egnp.exe") == (
        r"\x1b]0;title\x07 \x1b[31mred \x9b2J \u202egnp.exe"
    )


def test_names_in_model_files_reach_no_terminal(tmp_path: Path, small_force_field: ForceField) -> None:
    path = tmp_path / "small.safetensors"
    save_model(small_force_field, path, ModelInfo(name="evil\x1b[2J", licence="\x1b]52;c;cm0gLXJm\x07"))
    result = CliRunner().invoke(app, ["model", "info", str(path)])
    assert result.exit_code == 0, result.output
    assert "\x1b" not in result.output and r"evil\x1b[2J" in result.output


def test_errors_are_visible_and_cut(result_of: Callable[[Callable[[], Any]], Any]) -> None:
    def fail() -> None:
        raise HelioError("begin \x1b[2J" + "x" * 15_000 + " end")

    result = result_of(fail)
    assert result.exit_code == 1
    assert "\x1b" not in result.stderr and r"Error: begin \x1b[2J" in result.stderr
    assert len(result.stderr) < 2100 and result.stderr.endswith("xx end\n")
    assert "characters left out" in result.stderr


def test_a_path_that_the_system_refuses_is_a_sentence(result_of: Callable[[Callable[[], Any]], Any]) -> None:
    result = result_of(lambda: (Path("n" * 300) / "x").exists())
    assert result.exit_code == 1 and "the name is too long" in result.stderr


@pytest.mark.parametrize("option", ["--max-force", "--min-distance"])
def test_numbers_are_finite(tmp_path: Path, option: str) -> None:
    (tmp_path / "a.xyz").write_text("1\n\nH 0 0 0\n")
    arguments = ["data", "import", str(tmp_path / "a.xyz"), str(tmp_path / "s.h5"), option, "nan"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code in (1, 2) and option[2:] in result.stderr and not (tmp_path / "s.h5").exists()


class Closed:
    """A stream nobody reads."""

    def __init__(self, error: OSError) -> None:
        self._error = error

    def write(self, text: str) -> int:
        raise self._error

    def flush(self) -> None:
        raise self._error


@pytest.mark.parametrize(("error", "status"), [(BrokenPipeError(32, "Broken pipe"), 141), (OSError(28, "full"), 1)])
def test_work_with_checkpoints_is_asked_to_end(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: OSError, status: int
) -> None:
    steps = 0
    monkeypatch.setattr(sys, "stdout", Closed(error))
    with pytest.raises(SystemExit) as left, guarded_output(), stop_signal() as stop:
        while not stop.is_set() and steps < 10:
            steps += 1
            print("a step", flush=True)
        steps += 100  # its checkpoint
    assert (left.value.code, steps) == (status, 101)


def test_a_hang_up_is_a_request_to_stop_however_often_it_comes() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)  # the tests themselves may run under nohup
    try:
        with stop_signal() as stop:
            os.kill(os.getpid(), signal.SIGHUP)
            os.kill(os.getpid(), signal.SIGHUP)
            assert stop.is_set()
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_DFL
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        with stop_signal() as stop:
            os.kill(os.getpid(), signal.SIGHUP)  # as under nohup
            assert not stop.is_set()
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no device that is full")
def test_a_full_output_is_a_sentence() -> None:
    with open("/dev/full", "w") as full:
        result = subprocess.run([*COMMAND, "--version"], stdout=full, stderr=subprocess.PIPE, text=True, timeout=300)
    assert result.returncode == 1
    assert result.stderr.startswith("Error: cannot write to standard output") and "Traceback" not in result.stderr


def test_a_closed_output_is_told() -> None:
    shell = ["sh", "-c", f"{sys.executable} -c 'from helio.cli import main; main()' --version >&-"]
    result = subprocess.run(shell, stderr=subprocess.PIPE, text=True, timeout=300)
    assert result.returncode == 0 and result.stderr == "Standard output is closed: what is printed is lost\n"


def test_others_may_not_write_compiled_programs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import jax

    from helio.cli.compiled import keep_compiled_programs

    monkeypatch.setenv("HELIO_CACHE", str(tmp_path / "cache"))
    before = jax.config.jax_compilation_cache_dir  # pyright: ignore[reportAttributeAccessIssue]
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache").chmod(0o777)
    keep_compiled_programs()
    assert "other users may write" in capsys.readouterr().err
    assert jax.config.jax_compilation_cache_dir == before  # pyright: ignore[reportAttributeAccessIssue]

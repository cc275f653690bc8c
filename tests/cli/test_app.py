"""The command line's frame: help, version, errors."""

import sys

import pytest
import typer
from typer.testing import CliRunner

import helio
from helio.cli import app, main
from helio.errors import HelioError


@pytest.fixture
def failing(monkeypatch):
    """Adds a command that raises what it is told to."""

    def add(error):
        def command() -> None:
            raise error

        monkeypatch.setattr(app, "registered_commands", [*app.registered_commands])
        app.command("failing")(command)
        return CliRunner().invoke(app, ["failing"])

    return add


def test_version():
    result = CliRunner().invoke(app, ["--version"])
    assert (result.exit_code, result.stdout) == (0, f"helio {helio.__version__}\n")


def test_every_command_has_a_short_help():
    group = typer.main.get_command(app)
    for name in group.list_commands(None):  # pyright: ignore
        command = group.get_command(None, name)  # pyright: ignore
        assert command.get_short_help_str(), name
        assert CliRunner().invoke(app, [name, "--help"]).exit_code == 0


def test_users_mistake_is_one_line_and_status_one(failing):
    result = failing(HelioError("no such\nfile: give another"))
    assert result.exit_code == 1
    assert result.stderr == "Error: no such file: give another\n"
    assert result.stdout == ""


def test_interrupt_is_status_130(failing):
    result = failing(KeyboardInterrupt())
    assert result.exit_code == 130
    assert result.stderr == "Interrupted\n"


def test_defects_are_not_hidden(failing):
    assert isinstance(failing(ZeroDivisionError("defect")).exception, ZeroDivisionError)


def test_unknown_command_is_status_two():
    result = CliRunner().invoke(app, ["simulat"])
    assert result.exit_code == 2
    assert "simulat" in result.stderr


def test_main_uses_the_arguments_of_the_process(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["helio", "--version"])
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code == 0
    assert capsys.readouterr().out.startswith("helio ")

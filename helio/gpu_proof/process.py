"""A function in a process of its own, with an end in time."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

from helio.errors import HelioError


class StepFailure(Exception):
    """The error of a step, in one sentence."""


def in_process(function: Callable[..., Any], *arguments: Any, seconds: float) -> Any:
    """The result of `function(*arguments)`, all of which can be pickled, computed by a new process.

    Raises:
        StepFailure: the function raised an error, its process ended, or was ended after so many `seconds`.
    """
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_answer, args=(theirs, function, arguments), daemon=True)
    process.start()
    theirs.close()
    try:
        if not ours.poll(max(0.0, seconds)):
            raise StepFailure(f"not ended after {seconds:.0f} s, all that was left for it")
        worked, result = ours.recv()
    except EOFError:
        process.join(10)
        raise StepFailure(f"its process ended with the code {process.exitcode}") from None
    finally:
        if process.is_alive():
            process.kill()
        process.join()
        ours.close()
    if not worked:
        raise StepFailure(result)
    return result


def _answer(connection: Connection, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    try:
        answer = True, function(*arguments)
    except HelioError as error:
        answer = False, str(error)
    except Exception as error:  # whatever it is, the proof goes on
        lines = str(error).strip().splitlines() or [""]
        answer = False, f"{type(error).__name__}: {lines[0][:500]}"
    connection.send(answer)
    connection.close()

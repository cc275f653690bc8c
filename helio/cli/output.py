"""Standard output and error of a command: what they show is harmless, and a reader that goes away ends no run badly.

Texts of files (names, licences, comments, messages about them) may hold escape sequences, with which a stranger could
rewrite what a terminal shows. All that commands print passes here and has its control characters made visible. `rich`,
whose own sequences draw live lines, tables and colors, writes beside it; the texts that it draws are made visible where
it takes them in.
"""

from __future__ import annotations

import errno
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import rich.text
from rich.control import strip_control_codes

from helio.files.interrupt import request_stop

# C0 without tab and line feed, DEL, C1, and marks that turn the direction of writing (Unicode TR 36, 2.10).
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
# A message that repeats its input is cut in the middle to this many characters.
_LONGEST = 2000
# A closed pipe: as of a program that SIGPIPE ended.
_PIPE_STATUS = 141


def visible(text: str) -> str:
    """The text with its control characters as escapes of Python."""
    return _CONTROL.sub(lambda found: ascii(found[0])[1:-1], text)


def shortened(text: str) -> str:
    """The text, or its two ends where it is very long."""
    if len(text) <= _LONGEST:
        return text
    half = _LONGEST // 2
    return f"{text[:half]} ... ({len(text) - 2 * half:,} characters left out) ... {text[-half:]}"


@contextmanager
def guarded_output() -> Iterator[None]:
    """Let the block print through guards; `SystemExit` if what it printed could not be written."""
    streams = sys.stdout, sys.stderr
    _fill_closed_descriptors()
    output, errors = _Unfailing(streams[0], stops=True), _Unfailing(streams[1], stops=False)
    sys.stdout, sys.stderr = _Visible(output), _Visible(errors)
    strip = strip_control_codes
    setattr(rich.text, "strip_control_codes", _visible_for_rich)  # noqa: B010  # not a public name of that module
    status: Any = None
    try:
        if streams[0] is None:
            print("Standard output is closed: what is printed is lost", file=sys.stderr)
        yield
    except SystemExit as left:
        status = left
    except BrokenPipeError:  # from below `_Unfailing`: a command without a run, which ends here
        pass
    finally:
        output.flush()
        sys.stdout, sys.stderr = streams
        setattr(rich.text, "strip_control_codes", strip)  # noqa: B010
    if output.error is not None:
        _detach(streams[0])
        if output.error.errno in _READER_GONE:
            raise SystemExit(_PIPE_STATUS) from None
        reason = output.error.strerror or output.error
        print(f"Error: cannot write to standard output: {reason}", file=streams[1] or _nowhere())
        raise SystemExit(1) from None
    if status is not None:
        raise status


_READER_GONE = (errno.EPIPE, errno.EIO, errno.ENXIO)  # EIO: the terminal was closed


class _Unfailing:
    """A stream that goes silent where it fails; work that can end with a checkpoint is then asked to."""

    def __init__(self, stream: Any, *, stops: bool) -> None:
        self._stream = _nowhere() if stream is None else stream
        self._stops, self.error = stops, None

    def write(self, text: str) -> int:
        with self._failing():
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with self._failing():
            self._stream.flush()

    @contextmanager
    def _failing(self) -> Iterator[None]:
        try:
            if self.error is None:
                yield
            else:
                with suppress(OSError):
                    yield
        except OSError as error:
            self.error, self._stream = error, _nowhere()
            if self._stops and not request_stop():
                raise BrokenPipeError(errno.EPIPE, "nobody reads") from None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class _Visible:
    """A stream that shows control characters instead of sending them."""

    def __init__(self, stream: _Unfailing) -> None:
        self.rich_proxied_file = stream  # where `rich` looks for the stream itself

    def write(self, text: str) -> int:
        self.rich_proxied_file.write(visible(text))
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.rich_proxied_file, name)


def _visible_for_rich(text: str) -> str:
    """In the place of the function by which `rich` strips some control codes, though no escapes, off every text."""
    return visible(strip_control_codes(text))


def _fill_closed_descriptors() -> None:
    """Give standard descriptors that are closed to nothing, lest the next file that is opened gets what is printed."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            opened = os.open(os.devnull, os.O_RDWR)
            if opened != descriptor:
                os.dup2(opened, descriptor)
                os.close(opened)


def _detach(stream: Any) -> None:
    """Send what still lies in a stream that failed nowhere: Python would complain at its end."""
    with suppress(OSError, ValueError, AttributeError):
        descriptor = stream.fileno()
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, descriptor)
        os.close(nothing)


def _nowhere() -> Any:
    return open(os.devnull, "w", encoding="utf-8")

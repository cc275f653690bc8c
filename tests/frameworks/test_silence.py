"""What compiled code prints is kept from the terminal, and only that."""

import os

import pytest

from helio.frameworks.silence import ERRORS, OUTPUT, silent


def _print(text: str) -> None:
    """As compiled code does: past Python's streams."""
    os.write(1, f"out {text}\n".encode())
    os.write(2, f"err {text}\n".encode())


@pytest.mark.parametrize(("streams", "errors"), [((), "err within\nerr after\n"), ((OUTPUT, ERRORS), "err after\n")])
def test_streams_are_silent_within_and_as_before_after(streams, errors, capfd):
    with silent(*streams):
        _print("within")
    _print("after")
    found = capfd.readouterr()
    assert found.out == "out after\n"
    assert found.err == errors

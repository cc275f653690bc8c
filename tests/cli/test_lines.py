"""What is shown of long work where there is no terminal."""

from __future__ import annotations

import re

import pytest

from helio.cli import lines


def test_counts_are_lines_now_and_then(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    with lines.counting_bar("frames") as report:
        report(5, 2000)
    assert not capsys.readouterr().err
    monkeypatch.setattr(lines, "_PLAIN_PERIOD", 0.0)
    with lines.counting_bar("frames") as report:
        report(0, 2000)
        report(1500, 2000)
    assert re.fullmatch(r" 75\.0 %  1,500 of 2,000 frames  \d:\d\d:\d\d left\n", capsys.readouterr().err)

"""Importing pormake, which writes a log into the working folder and to the screen unless it is stopped."""

from __future__ import annotations

import logging
from contextlib import chdir
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from helio.packages import need


@cache
def pormake() -> Any:
    """The module, silent; `HelioError` where it is not installed."""
    with TemporaryDirectory() as folder, chdir(folder):
        module = need("pormake", extra="frameworks")
        for handler in list(module.log.logger.handlers):
            module.log.logger.removeHandler(handler)
            handler.close()
    module.log.logger.setLevel(logging.CRITICAL)
    return module


def database() -> Path:
    """The folder of pormake's nets (`topologies`) and building blocks (`bbs`)."""
    return Path(pormake().__file__).parent / "database"

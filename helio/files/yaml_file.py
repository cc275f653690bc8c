"""Settings in YAML."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from helio.errors import HelioError


def read_yaml(path: str | Path) -> Any:
    """Plain values from a YAML file; `HelioError` if it cannot be read or is no YAML."""
    try:
        return yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise HelioError(f"{path} cannot be read: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise HelioError(f"{path} is no YAML: {error}") from None

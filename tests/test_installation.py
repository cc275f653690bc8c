"""What `helio doctor` finds, and what it advises when something is wrong."""

import sys
from dataclasses import replace

import jax
import pytest
from typer.testing import CliRunner

from helio import installation
from helio.cli import app
from helio.force_field import self_check
from helio.force_field.registry import KNOWN_MODELS, store_in_cache


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """An empty cache of each test's own."""
    monkeypatch.setenv("HELIO_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("HELIO_OFFLINE", raising=False)
    return tmp_path / "cache"


def by_subject(findings):
    return {finding.subject: finding for finding in findings}


def test_sound_installation():
    result = CliRunner().invoke(app, ["doctor"])
    assert result.exit_code == 0, result.output
    assert "All is well" in result.output
    assert "golden numbers" in result.output


def test_wrong_golden_number_fails(monkeypatch):
    case = self_check.golden_case("built-in")
    monkeypatch.setattr(self_check, "golden_case", lambda name: replace(case, energy=case.energy + 0.01))
    result = CliRunner().invoke(app, ["doctor"])
    assert result.exit_code == 1
    assert "use no results" in " ".join(result.output.split())


@pytest.mark.parametrize("bad", installation.BAD_JAX)
def test_bad_jax_is_flagged(monkeypatch, bad):
    monkeypatch.setattr(installation, "version", lambda package: bad if package == "jaxlib" else "1.0")
    found = by_subject(installation.versions())
    assert found["jaxlib"].wrong
    assert f"!={bad}" in found["jaxlib"].advice
    assert not found["jax"].wrong


def test_missing_package_is_flagged(monkeypatch):
    def version(package):
        if package == "vesin":
            raise installation.PackageNotFoundError(package)
        return "1.0"

    monkeypatch.setattr(installation, "version", version)
    assert by_subject(installation.versions())["vesin"].advice.endswith("pip install vesin")


def test_devices(monkeypatch):
    (found,) = installation.devices()
    assert not found.wrong
    assert jax.devices()[0].platform in found.found

    def broken():
        raise RuntimeError("Unable to initialize backend 'cuda'")

    monkeypatch.setattr(jax, "devices", broken)
    (found,) = installation.devices()
    assert found.wrong
    assert "JAX_PLATFORMS=cpu" in found.advice


def test_broken_installation_of_jax_is_reported(monkeypatch):
    for name in [name for name in sys.modules if name.startswith("helio.force_field")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "jax", None)
    findings = by_subject([*installation.devices(), *installation.models(), *installation.golden_numbers()])
    assert findings["devices"].wrong
    assert findings["golden numbers"].wrong


def test_cache_folder_that_cannot_be_made(monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("HELIO_CACHE", str(tmp_path / "file" / "cache"))
    found = by_subject(installation.cache())["cache folder"]
    assert found.wrong
    assert "HELIO_CACHE" in found.advice


def test_offline_switch(monkeypatch):
    assert "used" in by_subject(installation.cache())["network"].found
    monkeypatch.setenv("HELIO_OFFLINE", "1")
    assert "forbidden" in by_subject(installation.cache())["network"].found


def test_model_not_in_the_cache_is_no_fault():
    found = by_subject(installation.models())["model so3lr"]
    assert not found.wrong
    assert "helio model get so3lr" in found.advice


def test_model_in_the_cache_is_checked(so3lr):
    path = store_in_cache(KNOWN_MODELS["so3lr"], so3lr)
    assert "as published" in by_subject(installation.models())["model so3lr"].found
    found = by_subject(installation.golden_numbers())
    assert {f"golden numbers, so3lr, {precision}" for precision in self_check.PRECISIONS} <= set(found)
    assert not any(finding.wrong for finding in found.values())

    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(content)
    found = by_subject(installation.models())["model so3lr"]
    assert found.wrong
    assert "helio model get so3lr" in found.advice


def test_truncated_model_is_reported_with_the_golden_numbers():
    path = KNOWN_MODELS["so3lr"].path
    path.parent.mkdir(parents=True)
    path.write_bytes(b"\x08")
    found = by_subject(installation.golden_numbers())["golden numbers, so3lr, float64"]
    assert found.wrong
    assert "cannot be computed" in found.found

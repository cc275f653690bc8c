"""What Helio runs on: versions, devices, the model cache and numbers that must come out; what `helio doctor` prints.

Nothing heavy is imported at the top, so that a broken installation of a dependency can be reported.
"""

from __future__ import annotations

import os
import platform
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from helio import __version__
from helio.devices import available_devices
from helio.errors import HelioError
from helio.files.cache import cache_folder
from helio.packages import extra_command, install_command
from helio.precision import Precision

# As excluded in pyproject.toml.
BAD_JAX = {
    "0.10.2": "computes wrong numbers on CPUs and is slow on GPUs",
    "0.11.0": "computes wrong numbers",
    "0.11.1": "computes wrong numbers",
}
PACKAGES = ("jax", "jaxlib", "equinox", "numpy", "ase", "vesin", "h5py", "safetensors")


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at. `wrong` findings make the installation unfit; `advice` says what to do."""

    subject: str
    found: str
    advice: str = ""
    wrong: bool = False


def examine() -> Iterator[Finding]:
    """All findings, each as soon as it is known."""
    yield from versions()
    yield from devices()
    yield from kernels()
    yield from cache()
    yield from models()
    yield from golden_numbers()


def versions() -> Iterator[Finding]:
    """Helio, Python and the packages that the numbers depend on."""
    yield Finding("helio", __version__)
    yield Finding("python", f"{platform.python_version()} ({platform.system()}, {platform.machine()})")
    for package in PACKAGES:
        try:
            found = version(package)
        except PackageNotFoundError:
            yield Finding(package, "not installed", f"{install_command()} {package}", wrong=True)
            continue
        if package in ("jax", "jaxlib") and found in BAD_JAX:
            yield Finding(package, found, f"this version {BAD_JAX[found]}: {_other_jax()}", wrong=True)
        else:
            yield Finding(package, found)


def _other_jax() -> str:
    return f"{install_command()} '" + ",".join(["jax>=0.8.2", *(f"!={bad}" for bad in BAD_JAX)]) + "'"


def devices() -> Iterator[Finding]:
    """What JAX computes on."""
    try:
        found = available_devices()
    except (ImportError, HelioError) as error:
        advice = "reinstall JAX (https://docs.jax.dev/en/latest/installation.html), or set JAX_PLATFORMS=cpu"
        yield Finding("devices", f"JAX does not start: {error}", advice, wrong=True)
        return
    names = ", ".join(f"{device.platform}:{device.id} {device.device_kind}" for device in found)
    idle_gpu = Path("/proc/driver/nvidia/version").exists() and found[0].platform == "cpu"
    advice = f"there is an NVIDIA GPU that JAX does not use: {extra_command('gpu')}" if idle_gpu else ""
    yield Finding("devices", f"{names}; {os.cpu_count()} CPU cores", advice)


def kernels() -> Iterator[Finding]:
    """Whether the compiled operations can be used."""
    try:
        from helio.kernels import why_unavailable
    except (ImportError, RuntimeError):
        return  # reported with the devices and the golden numbers
    reason = why_unavailable()
    if reason is None:
        yield Finding("compiled operations", "there, used on CPUs")
    else:
        yield Finding("compiled operations", "cannot be used; on CPUs everything is several times slower", reason)


def cache() -> Iterator[Finding]:
    """The folder of models and whether it can be written."""
    folder = cache_folder()
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    advice = f"make {existing} a folder that you may write to, or set HELIO_CACHE to another folder"
    try:
        with tempfile.TemporaryFile(dir=existing):
            pass
    except OSError as error:
        yield Finding("cache folder", f"{folder}: {error.strerror}", advice, wrong=True)
    else:
        yield Finding("cache folder", f"{folder}{'' if existing == folder else ' (not made yet)'}")
    offline = os.environ.get("HELIO_OFFLINE", "0") not in ("", "0")
    yield Finding("network", "forbidden (HELIO_OFFLINE is set)" if offline else "used when a model must be fetched")


def models() -> Iterator[Finding]:
    """Which known models are in the cache, and whether their weights fit their checksum."""
    for name in _known_models():
        yield _cached_model(name)


def _known_models() -> list[str]:
    try:
        from helio.force_field.registry import KNOWN_MODELS
    except ImportError:
        return []  # reported with the devices and the golden numbers
    return list(KNOWN_MODELS)


def _cached_model(name: str) -> Finding:
    from helio.force_field.registry import cached_header, known_model

    model, complaints = known_model(name), list[str]()
    header = cached_header(model, report=complaints.append)
    if header is not None:
        place = "comes with Helio" if model.packaged else "in the cache"
        return Finding(f"model {name}", f"{place}, checksum {header.weights_sha256[:12]} as published")
    if model.packaged:
        return Finding(f"model {name}", "missing or damaged: " + "; ".join(complaints), "reinstall Helio", wrong=True)
    get = f"helio model get {name}"
    if complaints:
        return Finding(f"model {name}", complaints[0], f"helio model remove {name}; {get}", wrong=True)
    return Finding(f"model {name}", "not in the cache; fetched at first use", f"to fetch it now: {get}")


def golden_numbers() -> Iterator[Finding]:
    """Stored energies and forces, recomputed in both precisions."""
    try:
        from helio.force_field import self_check
        from helio.force_field.model_file import read_model
        from helio.force_field.registry import known_model
    except ImportError as error:
        advice = "reinstall Helio in a fresh environment"
        yield Finding("golden numbers", f"cannot be computed: {error}", advice, wrong=True)
        return
    yield from _golden("built-in", self_check.built_in_force_field)
    compiled = self_check.built_in_force_field().with_options(kernels="auto")
    if compiled.tables is not None:
        yield from _golden("built-in", lambda: compiled, how=", compiled")
    published = known_model("so3lr").path
    if published.exists():
        yield from _golden("so3lr", lambda: read_model(published)[0])


def _golden(name: str, load: Callable, *, how: str = "") -> Iterator[Finding]:
    from helio.force_field.self_check import golden_case, run_case

    precisions: tuple[Precision, ...] = ("float64", "float32")
    for precision in precisions:
        subject = f"golden numbers, {name}, {precision}{how}"
        try:
            result = run_case(golden_case(name), load(), precision)
        except (HelioError, RuntimeError) as error:  # a damaged file; JAX's errors are RuntimeErrors
            yield Finding(subject, f"cannot be computed: {error}", "mend what stands above, then try again", wrong=True)
            continue
        errors = f"energy off by {result.energy_error:.1e} eV, forces by {result.force_error:.1e} eV/A"
        if result.passed:
            yield Finding(subject, errors)
        else:
            advice = f"this machine computes wrong numbers; use no results of it. Another JAX may help: {_other_jax()}"
            yield Finding(subject, errors, advice, wrong=True)

"""Steps of a proof, their order and their time."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from helio import __version__
from helio.errors import HelioError
from helio.files.atomic import make_folder, write_text
from helio.force_field.tabulation import Kernels
from helio.gpu_proof.process import StepFailure, in_process
from helio.gpu_proof.steps import compare_paths, compare_resumed, describe_device, locate_model, time_dynamics

_PATHS: tuple[Kernels, ...] = ("compiled", "plain")
_SHORTEST = 5.0  # s, in which no step can do anything
_CLOSE = 1.1  # edges of the largest cube that fits and of the smallest that does not are closer than this


@dataclass(frozen=True)
class Scope:
    """The systems and times of a proof; an edge is that of a cube of water, 0 alanine dipeptide."""

    seconds: float = 570.0  # of all; the rest of ten minutes is for processes that end
    compared: tuple[int, ...] = (0, 4)
    resumed: int = 4
    resumed_steps: int = 40
    timed: tuple[int, ...] = (0, 4, 8, 12, 20, 28, 40, 56, 80)
    timed_seconds: float = 3.0


@dataclass
class _Proof:
    """The record of a proof, on disk after each step."""

    path: Path
    header: dict[str, Any]
    seconds: float
    say: Callable[[str], None]
    steps: list[dict[str, Any]] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)

    @property
    def left(self) -> float:
        """Seconds that are left."""
        return self.seconds - (time.monotonic() - self.began)

    def step(self, name: str, function: Callable[..., Any], *arguments: Any, seconds: float | None = None) -> bool:
        """Take a step within `seconds`, by default all that are left; whether it passed."""
        began, limit = time.monotonic(), min(self.left, self.seconds if seconds is None else seconds)
        record: dict[str, Any] = {"name": name}
        if limit < _SHORTEST:
            record |= {"status": "skipped", "reason": f"the {self.seconds:.0f} s of this proof are used up"}
        else:
            try:
                result = in_process(function, *arguments, seconds=limit)
                record |= {"status": "passed" if result.pop("passed") else "failed"} | result
            except StepFailure as failure:
                record |= {"status": "failed", "reason": str(failure)}
            record["seconds"] = round(time.monotonic() - began, 2)
        self.steps.append(record)
        self.write()
        self.say(_line(record))
        return record["status"] == "passed"

    def write(self) -> None:
        """Bring the record to the disk."""
        checks = [step for step in self.steps if not step["name"].startswith("time ")]
        values = self.header | {
            "seconds": round(time.monotonic() - self.began, 1),
            # Too large a system fails by design, and is no check.
            "passed": bool(checks) and all(step["status"] == "passed" for step in checks),
            "largest_atoms": {kernels: _largest(self.steps, kernels) for kernels in _PATHS},
            "steps": self.steps,
        }
        write_text(self.path, json.dumps(values, indent=1) + "\n")


def check_gpu() -> dict[str, Any]:
    """The GPU that JAX computes on, found out by another process, which leaves its memory alone.

    Raises:
        HelioError: there is none.
    """
    try:
        device = in_process(describe_device, seconds=120)
    except StepFailure as failure:
        raise HelioError(f"--gpu-proof needs a GPU: {failure}") from None
    if device["platform"] not in ("gpu", "cuda", "rocm"):
        raise HelioError(
            f"--gpu-proof needs a GPU, and JAX computes on {device['platform']} here: run it on a machine that has "
            "one, with Helio's extra `gpu` (helio doctor says what JAX sees). helio bench without it measures the "
            "processor"
        )
    return device


def find_model(model: str) -> str:
    """The file of a model by name or path; raises `HelioError` where there is none and it cannot be fetched."""
    try:
        return in_process(locate_model, model, seconds=600)
    except StepFailure as failure:
        raise HelioError(str(failure)) from None


def prove(
    out: Path,
    *,
    model: str,
    device: dict[str, Any],
    scope: Scope | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Prove a device and write `gpu-proof.json` into the folder `out`; its contents.

    Args:
        out: an empty folder, or one that is made.
        model: a model file, from `find_model`.
        device: from `check_gpu`.
        scope: systems and times.
        say: is told a line after each step.
    """
    scope = scope or Scope()
    path = make_folder(out) / "gpu-proof.json"
    header = {
        "helio": __version__,
        "date": date.today().isoformat(),
        "device": device,
        "model": model,
        "seconds_allowed": scope.seconds,
    }
    proof = _Proof(path, header, scope.seconds, say)
    checks_end = {"seconds": scope.seconds / 4}  # each of the checks, so that sizes are timed in any case
    for edge in scope.compared:
        proof.step(f"compiled and plain are equal, {_name(edge)}", compare_paths, model, edge, **checks_end)
    arguments = model, str(out), "compiled", scope.resumed, scope.resumed_steps
    proof.step(f"resume is exact, {_name(scope.resumed)}", compare_resumed, *arguments, **checks_end)
    for kernels, edge in _sizes(proof, scope):
        proof.step(f"time {kernels}, {_name(edge)}", time_dynamics, model, kernels, edge, scope.timed_seconds)
    return json.loads(path.read_text(encoding="utf-8"))


def _sizes(proof: _Proof, scope: Scope) -> Iterator[tuple[Kernels, int]]:
    """Sizes from small to large, each path until one does not fit; then between the last that fits and the next."""
    failed: dict[Kernels, int] = {}
    fitting: dict[Kernels, int] = {}
    for edge in scope.timed:
        for kernels in _PATHS:
            if kernels not in failed:
                yield kernels, edge
                (fitting if proof.steps[-1]["status"] == "passed" else failed)[kernels] = edge
    for kernels in _PATHS:
        low, high = fitting.get(kernels), failed.get(kernels)
        while low and high and high > max(low + 1, _CLOSE * low) and proof.left > _SHORTEST:
            middle = (low + high) // 2
            yield kernels, middle
            low, high = (middle, high) if proof.steps[-1]["status"] == "passed" else (low, middle)


def _largest(steps: list[dict[str, Any]], kernels: Kernels) -> int | None:
    """Atoms of the largest system that a path took; None if it took none."""
    return max((step["atoms"] for step in steps if step.get("kernels") == kernels), default=None)


def _name(edge: int) -> str:
    return f"{3 * edge**3} atoms of water" if edge else "22 atoms"


def _line(record: dict[str, Any]) -> str:
    if "microseconds_per_atom" in record:
        memory = record["memory_bytes"] / 2**30
        return f"{record['name']}: {record['microseconds_per_atom']:.3g} us per atom and step, {memory:.3g} GiB"
    return f"{record['name']}: {record['status']}" + (f" ({record['reason']})" if "reason" in record else "")

"""The steps of a proof; each runs on whatever device JAX has, returns plain values and is given all by plain values."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from helio.bench import peak_memory
from helio.devices import available_devices
from helio.force_field import ForceField, load_model
from helio.force_field.registry import model_path
from helio.force_field.tabulation import Kernels
from helio.gpu_proof.systems import proof_system
from helio.neighbors import Neighbors
from helio.precision import Precision, numerics
from helio.prediction import Prediction
from helio.settings.checking import checked
from helio.simulate.batch import Batch, make_batch
from helio.simulate.engine import advance
from helio.simulate.run import resume_md, run_md
from helio.simulate.settings import MDSettings
from helio.system import System

# Largest differences from the plain path in float64, as the tests of the compiled operations have them.
FORCES_TOLERANCE = 1e-4  # eV/A
ENERGY_TOLERANCE = 1e-5  # eV per atom
_WARM_UP = 3  # steps before the clock starts
_BATH = {"ensemble": "nvt", "temperature": 300.0, "friction": 10.0}


def describe_device() -> dict[str, Any]:
    """The device that JAX computes on."""
    device = available_devices()[0]
    limit = (device.memory_stats() or {}).get("bytes_limit") if device.platform != "cpu" else None
    return {"platform": device.platform, "kind": device.device_kind, "memory_bytes": limit}


def locate_model(model: str) -> str:
    """The file of a model by name or path, fetched when it is not there yet: looking at it takes memory of a device."""
    return str(model_path(model))


def compare_paths(model: str, edge: int) -> dict[str, Any]:
    """Errors of the compiled and the plain path in float32 against the plain path in float64."""
    system = System.from_ase(proof_system(edge))
    exact = _predicted(model, system, "plain", "float64")
    values: dict[str, Any] = {"atoms": len(system)}
    kinds: tuple[Kernels, ...] = ("plain", "compiled")
    for kernels in kinds:
        prediction = _predicted(model, system, kernels, "float32")
        energy = abs(float(prediction.atomic_energies.astype(np.float64).sum() - exact.atomic_energies.sum()))
        forces = float(np.abs(prediction.forces - exact.forces).max())
        values[f"{kernels}_energy_error_eV_per_atom"] = energy / len(system)
        values[f"{kernels}_force_error_eV_per_A"] = forces
    errors = values["compiled_energy_error_eV_per_atom"], values["compiled_force_error_eV_per_A"]
    return values | {"passed": errors[0] < ENERGY_TOLERANCE and errors[1] < FORCES_TOLERANCE}


def compare_resumed(model: str, folder: str, kernels: Kernels, edge: int, steps: int) -> dict[str, Any]:
    """Whether a run that was stopped half-way and resumed has the positions and velocities of one that was not."""
    every = {"save_every": steps // 2, "log_every": steps // 2, "checkpoint_every": steps // 2}
    choice = {"model": model, "kernels": kernels, "steps": steps} | _BATH | every
    atoms, whole, parts = proof_system(edge), Path(folder) / "run-whole", Path(folder) / "run-resumed"
    run_md(atoms, checked(MDSettings, choice), whole, report=lambda _: None)
    run_md(atoms, checked(MDSettings, choice | {"steps": steps // 2}), parts, report=lambda _: None)
    resume_md(parts, report=lambda _: None, steps=steps)
    largest = {name: float(np.abs(last - _last(parts)[name]).max()) for name, last in _last(whole).items()}
    return {
        "atoms": len(atoms),
        "steps": steps,
        "position_difference_A": largest["position"],
        "velocity_difference_A_per_ps": largest["velocity"],
        "passed": largest == {"position": 0.0, "velocity": 0.0},
    }


def time_dynamics(model: str, kernels: Kernels, edge: int, seconds: float) -> dict[str, Any]:
    """Time of a step of NVT in float32 and the most memory that the device held; measures for about `seconds`."""
    atoms = proof_system(edge)
    settings = checked(MDSettings, {"model": model, "kernels": kernels} | _BATH)
    began = time.perf_counter()
    with numerics("float32"):
        batch = make_batch([atoms], settings)
        state, lists = batch.start([None])
        state, lists, _ = _advanced(batch, state, lists, 1)
        compile_seconds = time.perf_counter() - began
        state, lists, _ = _advanced(batch, state, lists, _WARM_UP)
        steps, elapsed = 1, 0.0
        while elapsed < seconds / 2:  # of twice as many steps each time, so the last block took about that long
            steps *= 2
            state, lists, elapsed = _advanced(batch, state, lists, steps)
        finite = bool(np.isfinite(np.asarray(state.prediction.energy)))
    return {
        "atoms": len(atoms),
        "kernels": "plain" if batch.force_field.tables is None else "compiled",
        "microseconds_per_atom": 1e6 * elapsed / steps / len(atoms),
        "steps_per_second": steps / elapsed,
        "compile_seconds": compile_seconds,
        "memory_bytes": peak_memory(),
        "passed": finite,
    }


def _predicted(model: str, system: System, kernels: Kernels, precision: Precision) -> Prediction:
    """On the device, as host arrays."""
    with numerics(precision):
        force_field = load_model(model, kernels=kernels).astype(precision)
        neighbors = jax.tree.map(jnp.asarray, force_field.neighbors(system))
        return jax.device_get(_evaluated(force_field, system.astype(precision), neighbors))


@eqx.filter_jit
def _evaluated(force_field: ForceField, system: System, neighbors: Neighbors) -> Prediction:
    return force_field(system, neighbors)


def _last(folder: Path) -> dict[str, np.ndarray]:
    from helio.files.trajectory import read_frames

    *_, frame = read_frames(folder / "trajectory.h5md")
    return {name: frame.arrays[name] for name in ("position", "velocity")}


def _advanced(batch: Batch, state: Any, lists: Any, steps: int) -> tuple[Any, Any, float]:
    began = time.perf_counter()
    state, lists = advance(batch.potential, batch.integrator, state, lists, until=int(state.step) + steps)
    jax.block_until_ready(state)
    return state, lists, time.perf_counter() - began

"""A new run from where another one ended: other ensemble, other settings, the same system in motion."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms

from helio.errors import HelioError
from helio.files.checkpoint import read_arrays
from helio.files.run_folder import existing_run
from helio.files.structures import read_structure
from helio.settings.checking import checked
from helio.simulate.placement import Placement
from helio.simulate.settings import MDSettings, Points
from helio.system import System

# What belongs to the old run alone: programs and restraints that refer to its start are asked for anew.
_NOT_TAKEN = ("bias", "restraints")


@dataclass(frozen=True)
class Ending:
    """Where a run stands, as the beginning of another."""

    structures: tuple[Atoms, ...]  # of each replica: positions, cell, momenta, charge, spin, fixed atoms
    settings: dict[str, Any]  # of the run, with schedules at the value they ended at
    step: int
    time_ps: float
    not_taken: tuple[str, ...]  # settings of the run that a new one must ask for anew


def ending(path: str | Path) -> Ending:
    """The last checkpoint of the run in a folder.

    Raises:
        HelioError: the folder holds no run, or its checkpoint is damaged or holds numbers that are not finite.
    """
    folder = existing_run(path)
    before = checked(MDSettings, folder.read_settings())
    arrays, info = read_arrays(folder.checkpoint)
    replicas = folder.existing_replicas()
    starts = [read_structure(replica.start) for replica in replicas]
    structures = tuple(
        _last(start, _of_replica(arrays, number if before.replicas > 1 else None), _placement(info, number, len(start)))
        for number, start in enumerate(starts)
    )
    if not all(np.isfinite(atoms.positions).all() and np.isfinite(atoms.get_momenta()).all() for atoms in structures):
        raise HelioError(f"the last state of {path} holds numbers that are not finite: begin from an earlier one")
    step = int(info["step"])
    time_ps = step * before.timestep / 1000
    settings = before.model_dump()
    for name in ("temperature", "pressure"):
        settings[name] = _value_at(getattr(before, name), time_ps)
    blank = checked(MDSettings, {})
    not_taken = tuple(name for name in _NOT_TAKEN if settings[name] != getattr(blank, name))
    settings |= {name: getattr(blank, name) for name in not_taken} | {"velocities": "file"}
    return Ending(structures, settings, step, time_ps, not_taken)


def _value_at(course: float | Points, time_ps: float) -> float:
    if isinstance(course, tuple):
        times, values = zip(*course, strict=True)
        return float(np.interp(time_ps, times, values))
    return course


def _of_replica(arrays: dict[str, np.ndarray], number: int | None) -> dict[str, np.ndarray]:
    names = {name.removeprefix("['state']."): name for name in arrays if name.startswith("['state'].")}
    try:
        return {
            short: arrays[names[short]] if number is None else arrays[names[short]][number]
            for short in ("system.positions", "system.atomic_numbers", "system.masses", "system.cell", "momenta")
        }
    except (KeyError, IndexError) as error:
        raise HelioError(f"the checkpoint lacks a part of the state ({error}): it is damaged") from None


def _placement(info: dict[str, Any], number: int, atoms: int) -> Placement:
    stored = info.get("placements")
    return Placement.nowhere(atoms) if stored is None else Placement.from_json(stored[number], atoms)


def _last(start: Atoms, arrays: dict[str, np.ndarray], placement: Placement) -> Atoms:
    real = arrays["system.atomic_numbers"] > 0
    if not np.array_equal(arrays["system.atomic_numbers"][real], start.numbers):
        raise HelioError("the checkpoint and the start structure of the run are of different atoms: one is damaged")
    now = System.from_ase(start, check_parity=False)
    cell = np.where(np.asarray(start.pbc)[:, None], np.asarray(arrays["system.cell"], np.float64), now.cell)
    moved = replace(now, positions=np.asarray(arrays["system.positions"][real], np.float64), cell=cell)
    atoms = start.copy()
    constraints, atoms.constraints = atoms.constraints, []
    atoms.positions = placement.coordinates(moved).positions
    atoms.cell = np.where(np.asarray(start.pbc)[:, None], cell, start.cell.array)
    atoms.set_masses(arrays["system.masses"][real].tolist())
    atoms.set_momenta(np.asarray(arrays["momenta"][real], np.float64))
    atoms.set_constraint(constraints)
    return atoms

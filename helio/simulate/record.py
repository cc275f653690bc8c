"""What a run writes while it goes on: rows of the log and frames of the trajectory."""

from __future__ import annotations

from typing import Any, cast

import ase.units
import equinox as eqx
import numpy as np
from ase import Atoms
from ase.geometry import cell_to_cellpar

import helio
from helio.errors import HelioError
from helio.files.atomic import write_text
from helio.files.log import Log
from helio.files.orientation import stated_cell
from helio.files.regular_file import read_text
from helio.files.run_folder import RunFolder
from helio.files.structures import read_structure
from helio.files.trajectory import ENERGY, Frame, Particles, TrajectoryWriter
from helio.simulate.bonds import bonds
from helio.simulate.placement import Placement
from helio.simulate.pressure import pressure
from helio.simulate.saved_atoms import saved_atoms, topology_text
from helio.simulate.settings import MDSettings
from helio.simulate.state import State
from helio.simulate.steps import Composition
from helio.simulate.watch import Seen, UncertainStructures
from helio.system import System
from helio.units import BOLTZMANN, EV_PER_A3_IN_BAR, FS

# Energies in the log have this many decimals (eV).
_DECIMALS = 8


class Recorder:
    """Writes a state to log and trajectory where its step is due."""

    def __init__(
        self,
        folder: RunFolder,
        state: State,
        settings: MDSettings,
        integrator: Composition,
        *,
        placement: Placement | None = None,
        last_step: int | None = None,
    ) -> None:
        """Begin the records of a run, or with `last_step` go on with them, dropping all beyond that step.

        `placement` gives the user's coordinates; by default they are the positions of the state.
        """
        self._settings, self._integrator = settings, integrator
        self._placement = placement or Placement.nowhere(len(state.system))
        columns = [
            "step",
            "time_ps",
            "potential_eV",
            *(f"{name}_eV" for name in state.prediction.energy_terms),
            "kinetic_eV",
            "temperature_K",
            "total_eV",
            "conserved_eV",
            *(_CELL_COLUMNS if state.prediction.stress is not None else ()),
            *(_UNCERTAINTY_COLUMNS if settings.uncertainty_every else ()),
            "ns_per_day",
        ]
        self._chosen = saved_atoms(read_text(folder.topology, "topology", max_bytes=2**31), settings.save_atoms)
        if len(self._chosen) and self._chosen[-1] >= len(state.system):
            raise HelioError(f"{folder.topology} has more atoms than the run: it is damaged or belongs to another run")
        if len(self._chosen) < len(state.system) and last_step is None:
            saved = cast(Atoms, read_structure(folder.topology)[self._chosen])
            write_text(folder.saved_topology, topology_text(saved))
        start = read_structure(folder.start)
        # The engine ignores vectors of open directions; the file's own, vacuum lengths, are what frames hold.
        self._open_vectors = stated_cell(start.cell.array, state.system.pbc)
        particles = _particles(start, state.system, self._chosen)
        self._trajectory = TrajectoryWriter(folder.path, particles, creator=helio.__version__, last_step=last_step)
        self._log = Log(folder.log, columns, last_step=last_step)
        self._uncertain = UncertainStructures(
            folder.uncertain,
            most=settings.uncertain_structures,
            steps_apart=settings.uncertain_interval / settings.timestep,
            last_step=last_step,
        )

    def record(self, state: State, *, ns_per_day: float = 0.0, seen: Seen | None = None) -> None:
        """Write what is due at this step; `seen` is the uncertainty of the state, where it is due."""
        step, settings = int(state.step), self._settings
        time_ps = step * settings.timestep / 1000
        if step % settings.log_every == 0:
            potential = float(np.asarray(state.prediction.atomic_energies, np.float64).sum())
            kinetic = kinetic_energy(state)
            energies = [
                potential,
                *(float(value) for value in state.prediction.energy_terms.values()),
                kinetic,
                temperature(state),
                potential + kinetic,
                potential + kinetic + float(self._integrator.extra_energy(state)),
            ]
            values = [round(value, _DECIMALS) for value in energies]
            if state.prediction.stress is not None:
                values += _cell_values(state, self._integrator)
            if settings.uncertainty_every:
                values += _uncertainty_values(seen)
            self._log.append([step, round(time_ps, 7), *values, round(ns_per_day, 4)])
        if step % settings.save_every == 0:
            system = self._placement.coordinates(state.system)
            self._trajectory.append(_frame(state, system, settings, time_ps, self._chosen, self._open_vectors))
        if seen is not None:
            last = settings.stop_when_uncertain
            system = self._placement.coordinates(state.system)
            self._uncertain.offer(system, seen, step=step, time_ps=time_ps, last=last)

    def commit(self) -> None:
        """Bring all frames to the disk (rows of the log are there already)."""
        self._trajectory.commit()

    def close(self) -> None:
        """Close the log."""
        self._log.close()


def kinetic_energy(state: State) -> float:
    """In eV, summed in float64."""
    momenta = np.asarray(state.momenta, np.float64)
    return float(0.5 * np.sum(momenta**2 / np.asarray(state.system.masses, np.float64)[:, None]))


def temperature(state: State) -> float:
    """In K, from the kinetic energy."""
    return 2 * kinetic_energy(state) / (max(1.0, float(state.degrees_of_freedom)) * BOLTZMANN)


_CELL_COLUMNS = (
    "pressure_bar",
    *(f"pressure_{axes}_bar" for axes in ("xx", "yy", "zz", "yz", "xz", "xy")),
    "density_g_per_cm3",
    "volume_A3",
    *(f"cell_{name}" for name in ("a_A", "b_A", "c_A", "alpha_deg", "beta_deg", "gamma_deg")),
)
_UNCERTAINTY_COLUMNS = ("energy_uncertainty_eV", "force_uncertainty_eV_per_A", "extrapolates")
_compiled_pressure = eqx.filter_jit(pressure)


def _cell_values(state: State, integrator: Composition) -> list[float]:
    tensor: Any = np.asarray(_compiled_pressure(state, integrator.freedom.constraints), np.float64) * EV_PER_A3_IN_BAR
    cell = np.asarray(state.system.cell, np.float64)
    volume = abs(float(np.linalg.det(cell)))
    density = float(np.sum(state.system.masses)) * ase.units._amu * 1e3 / (volume * 1e-24)
    pressures = [np.trace(tensor) / 3, *tensor[(0, 1, 2, 1, 0, 0), (0, 1, 2, 2, 2, 1)]]
    cell_values = [round(float(value), 5) for value in cell_to_cellpar(cell)]
    return [*(round(float(value), 3) for value in pressures), round(density, 6), round(volume, 4), *cell_values]


def _uncertainty_values(seen: Seen | None) -> list[float]:
    """Not a number at steps at which nothing was asked."""
    if seen is None:
        return [float("nan")] * len(_UNCERTAINTY_COLUMNS)
    return [round(seen.energy, _DECIMALS), round(seen.largest, _DECIMALS), int(seen.extrapolates)]


def _particles(start: Atoms, system: System, chosen: np.ndarray) -> Particles:
    pairs, _ = bonds(start)
    return Particles(
        ids=chosen,
        species=np.asarray(system.atomic_numbers)[chosen],
        masses=np.asarray(system.masses, np.float64)[chosen],
        bonds=pairs[np.isin(pairs, chosen).all(axis=1)],
        pbc=system.pbc,
    )


def _frame(
    state: State, system: System, settings: MDSettings, time_ps: float, chosen: np.ndarray, open_vectors: np.ndarray
) -> Frame:
    dtype, prediction = state.momenta.dtype, state.prediction
    quantities = {
        "velocities": ("velocity", state.velocities, 1000 * FS),
        "forces": ("force", prediction.forces, ase.units.mol / ase.units.kJ),
        "charges": ("charge", prediction.charges, 1),
        "hirshfeld_ratios": ("hirshfeld_ratio", prediction.hirshfeld_ratios, 1),
    }
    arrays = {"position": np.asarray(system.positions)[chosen]}
    for wanted, (name, values, unit) in quantities.items():
        if wanted in settings.save:
            arrays[name] = np.asarray(values)[chosen] * np.asarray(unit, dtype)
    if "energy_terms" in settings.save:
        total = np.asarray(prediction.atomic_energies, np.float64).sum()
        arrays |= {f"{ENERGY}{name}": np.asarray(value, np.float64) for name, value in prediction.energy_terms.items()}
        arrays[f"{ENERGY}potential"] = np.asarray(total)
    if any(state.system.pbc):
        periodic, cell = np.array(state.system.pbc)[:, None], np.asarray(state.system.cell)
        arrays["edges"] = np.where(periodic, cell, open_vectors).astype(cell.dtype)
    return Frame(int(state.step), time_ps, arrays)

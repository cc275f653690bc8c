"""What a run writes while it goes on: rows of the log and frames of the trajectory."""

from __future__ import annotations

import ase.units
import numpy as np

import helio
from helio.files.log import Log
from helio.files.run_folder import RunFolder
from helio.files.trajectory import Frame, TrajectoryWriter
from helio.simulate.settings import MDSettings
from helio.simulate.state import State
from helio.units import BOLTZMANN, FS

# Energies in the log have this many decimals (eV).
_DECIMALS = 8


class Recorder:
    """Writes a state to log and trajectory where its step is due."""

    def __init__(self, folder: RunFolder, state: State, settings: MDSettings, *, last_step: int | None = None) -> None:
        """Begin the records of a run, or with `last_step` go on with them, dropping all beyond that step."""
        self._settings = settings
        columns = [
            "step",
            "time_ps",
            "potential_eV",
            *(f"{name}_eV" for name in state.prediction.energy_terms),
            "kinetic_eV",
            "temperature_K",
            "total_eV",
            "conserved_eV",
            "ns_per_day",
        ]
        self._trajectory = TrajectoryWriter(
            folder.path,
            species=np.asarray(state.system.atomic_numbers),
            masses=np.asarray(state.system.masses, np.float64),
            pbc=state.system.pbc,
            creator=helio.__version__,
            last_step=last_step,
        )
        self._log = Log(folder.log, columns, last_step=last_step)

    def record(self, state: State, *, extra_energy: float, ns_per_day: float = 0.0) -> None:
        """Write what is due at this step; `extra_energy` (eV) makes the total energy the conserved quantity."""
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
                potential + kinetic + extra_energy,
            ]
            row = [step, round(time_ps, 7), *(round(value, _DECIMALS) for value in energies), round(ns_per_day, 4)]
            self._log.append(row)
        if step % settings.save_every == 0:
            self._trajectory.append(_frame(state, settings, time_ps))

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


def _frame(state: State, settings: MDSettings, time_ps: float) -> Frame:
    arrays = {"position": np.asarray(state.system.positions)}
    if "velocities" in settings.save:
        arrays["velocity"] = np.asarray(state.velocities) * np.asarray(1000 * FS, state.momenta.dtype)
    if "forces" in settings.save:
        unit = ase.units.kJ / ase.units.mol
        arrays["force"] = np.asarray(state.prediction.forces) / np.asarray(unit, state.momenta.dtype)
    if "charges" in settings.save:
        arrays["charge"] = np.asarray(state.prediction.charges)
    if any(state.system.pbc):
        arrays["edges"] = np.asarray(state.system.cell)
    return Frame(int(state.step), time_ps, arrays)

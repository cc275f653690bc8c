"""What a run would need and write, found by its first few steps."""

from __future__ import annotations

import time
from dataclasses import dataclass

import jax
import numpy as np
from ase import Atoms

from helio.force_field import ForceField
from helio.neighbors import NeighborPlans
from helio.precision import numerics
from helio.simulate.batch import Batch
from helio.simulate.engine import advance
from helio.simulate.processes import prepare_devices
from helio.simulate.saved_atoms import saved_atoms, topology_text
from helio.simulate.settings import MDSettings
from helio.simulate.setup import set_up

# Steps are timed for about this long (s).
_SECONDS = 1.0
# Numbers that the plain network and its gradient keep for each pair, layer and feature: 21.4 to 21.8 in water of 192 to
# 1536 atoms with the published model, as the compiler counts them for the CPU; up to 29 with 32 features for 128.
_KEPT_OF_PAIR = 22
# With compiled attention, which keeps nothing of pairs: for each atom, layer and feature (12.9 to 15.1 likewise).
_KEPT_OF_ATOM = 14


@dataclass(frozen=True)
class Estimate:
    """Needs of a run; memory is that of each device."""

    state_bytes: int
    list_bytes: int
    working_bytes: int
    steps_per_second: float
    ns_per_day: float
    frames: int
    saved_atoms: int
    written_bytes: int  # of the trajectory

    @property
    def memory_bytes(self) -> int:
        """All together."""
        return self.state_bytes + self.list_bytes + self.working_bytes


def estimate(atoms: Atoms, settings: MDSettings) -> Estimate:
    """Check everything that a run would check, take a few steps, and say what the whole would need.

    Memory is that of

    - the state: twice, since the loop holds the state before and after a step;
    - both neighbour lists, in the sizes that the first steps needed: twice, since new ones are made beside the old;
    - the work: the gradient of the network keeps, for each layer, about `_KEPT_OF_ATOM` rows of features of each atom
      if its attention is compiled, else `_KEPT_OF_PAIR` of each pair within its cutoff. All else is small beside that.

    The program and its compilation come on top, with 0.8 GB on a CPU. For 3456 to 24,000 atoms of water the process
    grew by 50 kB an atom with compiled attention, where this estimate has 42; plain, by 0.77 MB, and it has 0.73.

    Raises:
        HelioError: the run could not start, or becomes unstable at once.
    """
    prepare_devices(settings.devices)
    chosen = saved_atoms(topology_text(atoms), settings.save_atoms)
    with numerics(settings.precision):
        setup = set_up(atoms, settings)
        state, lists = Batch(settings, [setup], setup.integrator).start([None])
        steps, seconds = 0, 0.0
        while seconds < _SECONDS:
            block = max(1, steps)
            began = time.perf_counter()
            state, lists = advance(setup.potential, setup.integrator, state, lists, until=steps + block)
            seconds += time.perf_counter() - began
            steps += block
    frames = settings.steps // settings.save_every + 1
    return Estimate(
        state_bytes=2 * _nbytes(state),
        list_bytes=2 * _nbytes(lists) // settings.devices,
        working_bytes=_working_bytes(setup.force_field, lists.plans, len(setup.system), settings),
        steps_per_second=steps / seconds,
        ns_per_day=steps / seconds * settings.timestep * 1e-6 * 86400,
        frames=frames,
        saved_atoms=len(chosen),
        written_bytes=frames * _frame_bytes(len(chosen), len(state.prediction.energy_terms), settings, atoms),
    )


def _nbytes(tree: object) -> int:
    return sum(leaf.nbytes for leaf in jax.tree.leaves(tree))


def _working_bytes(force_field: ForceField, plans: NeighborPlans, atoms: int, settings: MDSettings) -> int:
    network = force_field.settings
    rows = _KEPT_OF_PAIR * (plans.short_within or plans.short.half_pairs or 0)
    if force_field.tables is not None:
        rows = _KEPT_OF_ATOM * -(-atoms // settings.devices)
    return rows * network.num_layers * network.features * np.dtype(settings.precision).itemsize


def _frame_bytes(count: int, terms: int, settings: MDSettings, atoms: Atoms) -> int:
    sizes = {"velocities": 3 * count, "forces": 3 * count, "charges": count, "hirshfeld_ratios": count}
    numbers = 3 * count + sum(sizes.get(name, 0) for name in settings.save) + 9 * bool(atoms.pbc.any())
    energies = terms + 1 if "energy_terms" in settings.save else 0
    return numbers * np.dtype(settings.precision).itemsize + 8 * (energies + 2)

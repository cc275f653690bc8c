"""How uncertain the forces of a running simulation are, and the structures where they are too uncertain."""

from __future__ import annotations

import io
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ase.io
import equinox as eqx
import jax
import numpy as np
from jaxtyping import Float

from helio.errors import HelioError
from helio.files.atomic import disk_errors, write_text
from helio.files.regular_file import read_text
from helio.force_field import ForceField
from helio.force_field.sharded import Sharded
from helio.simulate.lists import ActiveLists
from helio.simulate.state import State
from helio.system import System
from helio.uncertainty import UncertaintyEstimate, estimate_uncertainty
from helio.uncertainty.failures import in_words, known_failures


@dataclass(frozen=True)
class Seen:
    """What a model says about its errors for the real atoms of one state (host arrays)."""

    energy: float  # eV
    of_atoms: Float[np.ndarray, " N"]  # eV/A, of the forces
    limit: float  # eV/A
    failures: tuple[str, ...] = ()  # what about the structure the model is known to fail at

    @property
    def largest(self) -> float:
        """Of the atom whose force is least certain, eV/A."""
        return float(self.of_atoms.max())

    @property
    def extrapolates(self) -> bool:
        """Whether the structure is unlike what the model learned; also where the uncertainty is no number."""
        return bool(self.failures) or not self.largest <= self.limit


def look(potential: ForceField | Sharded, state: State, lists: ActiveLists, *, limit: float) -> list[Seen]:
    """The uncertainties of a state, or of each of a batch, whose lists are complete where its atoms are.

    Args:
        potential: with an uncertainty.
        state: of one system, or with a leading axis.
        lists: likewise.
        limit: in eV/A.
    """
    found = jax.device_get(_estimate(potential, state.system, lists))
    numbers = np.asarray(state.system.atomic_numbers)
    if numbers.ndim == 1:
        numbers, found = numbers[None], jax.tree.map(lambda leaf: leaf[None], found)
    of_atoms = np.asarray(found.of_atoms, np.float64)
    force_field = potential.force_field if isinstance(potential, Sharded) else potential
    assert force_field.uncertainty is not None  # or `_estimate` had refused
    unpaired = np.broadcast_to(np.asarray(state.system.unpaired_electrons), len(numbers))
    return [
        Seen(
            float(found.energy[i]),
            of_atoms[i][numbers[i] > 0],
            limit,
            known_failures(force_field.uncertainty, float(unpaired[i]), np.asarray(found.resemblance[i])),
        )
        for i in range(len(numbers))
    ]


@eqx.filter_jit
def _estimate(potential: Any, system: System, lists: ActiveLists) -> UncertaintyEstimate:
    if isinstance(potential, Sharded):
        return potential.evaluated(estimate_uncertainty, system, lists.neighbors)

    def one(system: System, lists: ActiveLists) -> UncertaintyEstimate:
        return estimate_uncertainty(potential, system, lists.neighbors)

    return one(system, lists) if system.positions.ndim == 2 else jax.vmap(one)(system, lists)


class UncertainStructures:
    """A file of structures beyond the limit: a few, apart in time, to be labelled and learned from."""

    def __init__(self, path: Path, *, most: int, steps_apart: float, last_step: int | None = None) -> None:
        """Begin a file with its first structure, or with `last_step` go on with one, dropping all beyond that step.

        Args:
            path: of extxyz, in the run folder.
            most: structures that it may hold.
            steps_apart: the fewest steps between two of them.
            last_step: of a run that goes on.
        """
        self.path, self._most, self._apart = path, most, steps_apart
        kept = [] if last_step is None else [entry for entry in _entries(path) if entry[0] <= last_step]
        self._steps = [step for step, _ in kept]
        if kept:
            write_text(path, "".join(text for _, text in kept))
        else:
            with disk_errors(path, "remove"):
                path.unlink(missing_ok=True)

    def __len__(self) -> int:
        return len(self._steps)

    def offer(self, system: System, seen: Seen, *, step: int, time_ps: float, last: bool = False) -> None:
        """Add the structure (host arrays) if it is beyond the limit and there is room; the `last` one in any case."""
        near = bool(self._steps) and step - self._steps[-1] < self._apart
        if not seen.extrapolates or (not last and (near or len(self) >= self._most)):
            return
        atoms = system.to_ase()
        atoms.info |= {"step": step, "time_ps": round(time_ps, 7), "largest_force_uncertainty": seen.largest}
        atoms.set_array("force_uncertainty", seen.of_atoms)
        text = io.StringIO()
        ase.io.write(text, atoms, format="extxyz")
        with disk_errors(self.path), self.path.open("a", encoding="utf-8") as file:
            file.write(text.getvalue())
            file.flush()
            os.fsync(file.fileno())
        self._steps.append(step)


def _entries(path: Path) -> list[tuple[int, str]]:
    """Step and text of each structure that is there in full; the end of one that was cut off is left out."""
    if not path.exists():
        return []
    lines = read_text(path, "file of uncertain structures", max_bytes=2**31).splitlines(keepends=True)
    found, place = [], 0
    while place < len(lines) and lines[place].endswith("\n"):
        count = lines[place].strip()
        entry = lines[place : place + int(count) + 2] if count.isdigit() else []
        step = re.search(r"\bstep=(\d+)", entry[1]) if len(entry) > 1 else None
        whole = bool(entry) and len(entry) == int(count) + 2 and entry[-1].endswith("\n")
        if count.isdigit() and not whole:
            break
        if step is None:
            raise HelioError(f"{path} was changed: line {place + 1} begins no structure of this run; move it elsewhere")
        found.append((int(step[1]), "".join(entry)))
        place += len(entry)
    return found


def least_certain(system: System, seen: Seen) -> str:
    """In words what the model is known to fail at about a structure, else the atom whose force is least certain."""
    if seen.failures:
        return f"the structure {in_words(seen.failures)}"
    atom = int(np.argmax(np.nan_to_num(seen.of_atoms, nan=np.inf)))
    symbol = system.to_ase().get_chemical_symbols()[atom]
    return (
        f"the force on atom {atom} ({symbol}) is uncertain by {seen.of_atoms[atom]:.3g} eV/A, beyond the limit of "
        f"{seen.limit:.3g} eV/A"
    )

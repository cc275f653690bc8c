"""Force fields as ASE calculators."""

from __future__ import annotations

import os
import threading
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator, PropertyNotImplementedError, all_changes
from ase.outputs import Properties, all_outputs
from ase.stress import full_3x3_to_voigt_6_stress
from jax._src import xla_bridge

from helio.electrons import stated_electrons
from helio.errors import HelioError
from helio.force_field import ForceField
from helio.force_field.force_field import Options
from helio.force_field.tabulation import Kernels
from helio.long_range import DispersionTail, Electrostatics, why_not_comparable
from helio.neighbors import Neighbors
from helio.neighbors.host import round_up
from helio.neighbors.widening import Sizes, sizes, widened
from helio.precision import Precision, numerics
from helio.prediction import Prediction, moved_back, without_padding
from helio.system import System


class HelioCalculator(Calculator):
    """An ASE calculator for any model of Helio.

    One calculator serves any number of molecules and cells in turn. Atoms and lists are padded to rounded sizes, so
    that few programs are compiled, and lists are reused until an atom has moved more than half the skin.

    The total charge and the number of unpaired electrons are read from `atoms.info["charge"]` and `atoms.info["spin"]`
    (0 for a singlet), or the other names in `helio.electrons`; changing them triggers a new calculation.

    Beside ASE's properties `results` holds `hirshfeld_ratios` (N,) and `energy_terms` (a dict, eV). The energy leaves
    out the free atoms' energies: only differences have a meaning. The stress exists where all three directions are
    periodic; its sign is ASE's, (1/V) dE/dstrain.

    Args:
        model: the name of a model ("so3lr"), a model file, or a `ForceField`.
        level: of theory, of a model by name or file that has several; by default the first that it names.
        long_range_cutoff: in A; None for 12 A where the atoms are periodic and all pairs where they are not, as in
            `helio md`.
        precision: "float32" or "float64".
        electrostatics: "shifted" (as published), "wolf" (with a self-term that keeps molecules what they are without a
            cutoff), "ewald" (exact periodic sum) or "pme" (the same on a mesh).
        dispersion_tail: dispersion beyond the cutoff of periodic systems: "none" (as published), "isotropic" (for
            liquids) or "mesh" (for crystals).
        kernels: "auto" computes with compiled operations where that is possible, "plain" never, "compiled" also where
            that is not proven.
        skin: in A, by how much lists reach beyond the cutoffs; larger means fewer new lists, each with more pairs.

    Of a `ForceField` the options that are not given here stay as they are. Threads may share a calculator; they
    calculate one after another. A forked process cannot use one: start processes by "spawn" or "forkserver".

    Raises:
        HelioError: at once for an unknown model or option; when calculating for atoms that the model cannot
            describe (elements, charge and spin, overlapping atoms, positions that are no numbers), and in a forked
            process.
    """

    implemented_properties: ClassVar[list[str]] = [
        "energy",
        "free_energy",
        "energies",
        "forces",
        "stress",
        "dipole",
        "charges",
    ]
    ignored_changes: ClassVar[set[str]] = {"initial_charges", "initial_magmoms"}

    def __init__(
        self,
        model: str | Path | ForceField = "so3lr",
        *,
        level: str | None = None,
        long_range_cutoff: float | None = None,
        precision: Precision = "float32",
        electrostatics: Electrostatics | None = None,
        dispersion_tail: DispersionTail | None = None,
        kernels: Kernels | None = None,
        skin: float = 0.5,
    ):
        super().__init__()
        _check_not_forked()
        if not skin >= 0:
            raise HelioError(f"the skin must not be negative: {skin}")
        options: Options = {}
        if long_range_cutoff is not None:
            options["long_range_cutoff"] = long_range_cutoff
        if electrostatics is not None:
            options["electrostatics"] = electrostatics
        if dispersion_tail is not None:
            options["dispersion_tail"] = dispersion_tail
        if kernels is not None:
            options["kernels"] = kernels
        force_field = _force_field(model, level).with_options(**options)
        with numerics(precision):
            self.force_field = force_field.astype(precision)
        self.precision: Precision = precision
        self.skin = skin
        self._lists: _Lists | None = None
        self._sizes: dict[tuple[int, tuple[bool, bool, bool]], Sizes] = {}
        self._cutoffs: set[float] = set()  # A, that energies were computed with
        self._lock = threading.RLock()

    def check_state(self, atoms: Atoms, tol: float = 1e-15) -> list[str]:
        """What has changed since the last calculation; charge and spin count as well."""
        changes = list(super().check_state(atoms, tol=tol))
        if self.atoms is not None and stated_electrons(self.atoms) != stated_electrons(atoms):
            changes.append("info")
        return changes

    def get_property(self, name: str, atoms: Atoms | None = None, allow_calculation: bool = True) -> Any:
        """One of the results for `atoms`, for one thread at a time."""
        with self._lock:
            return super().get_property(name, atoms, allow_calculation)

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: list[str] | tuple[str, ...] = ("energy",),
        system_changes: list[str] = all_changes,
    ) -> None:
        """Fill `results` for `atoms`."""
        _check_not_forked()
        self.results = {}
        super().calculate(atoms, properties, system_changes)
        assert self.atoms is not None
        if "stress" in properties and not self.atoms.pbc.all():
            raise PropertyNotImplementedError("the stress needs a cell that is periodic in all three directions")
        system = System.from_ase(self.atoms)
        self.force_field.check(system)
        prediction = self._predict(system)
        if not np.isfinite(prediction.energy):
            raise HelioError("the energy is not a finite number: the atoms are far from any structure the model knows")
        self.results = _results(prediction)
        self._compare_with(self.force_field.cutoff_for(system.pbc))

    def _compare_with(self, cutoff: float) -> None:
        """Warn once where energies of this calculator are not comparable with each other."""
        if cutoff not in self._cutoffs:
            self._cutoffs.add(cutoff)
            problem = why_not_comparable(self.force_field.electrostatics, self._cutoffs)
            if problem is not None and len(self._cutoffs) == 2:
                warnings.warn(problem, stacklevel=2)

    def export_properties(self) -> Properties:
        """The properties that ASE defines; `hirshfeld_ratios` and `energy_terms` are not among them."""
        return Properties({name: value for name, value in self.results.items() if name in all_outputs})

    def __getstate__(self) -> dict[str, Any]:
        """Copies and pickles hold the parameters as numpy arrays, which keep their precision anywhere."""
        state = {**self.__dict__, "force_field": jax.tree.map(np.asarray, self.force_field), "_lists": None}
        return {name: value for name, value in state.items() if name != "_lock"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._lock = threading.RLock()
        with numerics(self.precision):
            self.force_field = self.force_field.astype(self.precision)

    def _predict(self, system: System) -> Prediction:
        rows = round_up(len(system))
        with numerics(self.precision):
            if self._lists is None or not self._lists.serve(system, self.skin):
                self._lists = self._new_lists(system, rows)
            taken = self._lists.taken
            near = replace(system, positions=system.positions - taken)
            prediction = _predict(self.force_field, near.padded(rows).astype(self.precision), self._lists.neighbors)
            count = len(system)
            found = jax.device_get(prediction)
            return moved_back(without_padding(found, count), taken, total_charge=float(system.total_charge))

    def _new_lists(self, system: System, rows: int) -> _Lists:
        """Lists at least as wide as the last ones of this size, which are already compiled for."""
        key = (rows, system.pbc)
        near, taken = system.near_origin()
        neighbors = self.force_field.neighbors(near, skin=self.skin, rows=rows)
        needed = sizes(neighbors)
        self._sizes[key] = needed.union(self._sizes.get(key, needed))
        neighbors = widened(neighbors, self._sizes[key])
        return _Lists(system, jax.tree.map(jnp.asarray, neighbors), taken)


# JAX, once it has devices, has threads that a forked process lacks: it would wait for them for ever.
_forked = threading.Event()


def _after_fork() -> None:
    if xla_bridge.backends_are_initialized():
        _forked.set()


os.register_at_fork(after_in_child=_after_fork)


def _check_not_forked() -> None:
    if _forked.is_set():
        raise HelioError(
            "JAX does not survive the fork of a process that has used it: start worker processes by "
            'multiprocessing.get_context("spawn"), or "forkserver", and make or send the calculator there'
        )


class _Lists:
    """Neighbour lists, the system they were made for, and what they take off its positions (A)."""

    def __init__(self, system: System, neighbors: Neighbors, taken: np.ndarray):
        self.system = system
        self.neighbors = neighbors
        self.taken = taken

    def serve(self, system: System, skin: float) -> bool:
        """Whether the lists hold all pairs of `system`."""
        made = self.system
        if len(system) != len(made) or system.pbc != made.pbc or not np.array_equal(system.cell, made.cell):
            return False
        moved = np.linalg.norm(system.positions - made.positions, axis=1).max()
        return bool(moved <= skin / 2)


@eqx.filter_jit
def _predict(force_field: ForceField, system: System, neighbors: Neighbors) -> Prediction:
    return force_field(system, neighbors)


def _force_field(model: str | Path | ForceField, level: str | None) -> ForceField:
    if isinstance(model, str | Path):
        from helio.force_field import load_model

        return load_model(model, level=level)
    if level is not None:
        raise HelioError(f"a force field has one level of theory, so {level} cannot be chosen: give its model file")
    return model


def _results(prediction: Prediction) -> dict[str, Any]:
    """The parts of a prediction under the names of ASE, in float64."""

    def array(values: Any) -> np.ndarray:
        return np.array(values, np.float64)

    energy = float(prediction.energy)
    results = {
        "energy": energy,
        "free_energy": energy,
        "energies": array(prediction.atomic_energies),
        "forces": array(prediction.forces),
        "dipole": array(prediction.dipole),
        "charges": array(prediction.charges),
        "hirshfeld_ratios": array(prediction.hirshfeld_ratios),
        "energy_terms": {name: float(value) for name, value in prediction.energy_terms.items()},
    }
    if prediction.stress is not None:
        results["stress"] = full_3x3_to_voigt_6_stress(array(prediction.stress))
    return results

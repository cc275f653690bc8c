"""An energy of one's own on top of a potential: restraints, walls, biases along reaction coordinates."""

from __future__ import annotations

import importlib.util
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from helio.errors import HelioError
from helio.files.regular_file import regular_file
from helio.neighbors import NeighborList, NeighborPlans, Neighbors, Plan
from helio.precision import Precision
from helio.prediction import Prediction
from helio.system import System

Energy = Callable[[System], Float[Array, ""]]


class Biased(eqx.Module):
    """A potential plus an energy that is a function of the system; made by `add_bias`."""

    potential: Any  # offers `neighbors` and `(system, neighbors) -> Prediction`
    energy: Any  # System -> eV; a tree of arrays
    name: str = eqx.field(static=True)

    def neighbors(self, system: System, **options: Any) -> Neighbors:
        """The lists of the potential."""
        return self.potential.neighbors(system, **options)

    def plan(self, system: System, **options: Any) -> NeighborPlans:
        """The plans of the potential."""
        return self.potential.plan(system, **options)

    def make_list(self, system: System, plan: Plan) -> NeighborList:
        """A list of the potential."""
        return self.potential.make_list(system, plan)

    def placed(self, pairs: NeighborList) -> NeighborList:
        """A list where the potential has it."""
        return self.potential.placed(pairs)

    def check(self, system: System) -> None:
        """Raise `HelioError` if the potential cannot describe `system` or the energy fails for it (host arrays)."""
        self.potential.check(system)
        check_energy(self.energy, system, name=self.name)

    def astype(self, dtype: Precision) -> Biased:
        """The same with floating-point arrays in `dtype`."""
        return Biased(self.potential.astype(dtype), _cast(self.energy, dtype), self.name)

    def __call__(self, system: System, neighbors: Neighbors) -> Prediction:
        """The potential's prediction with the energy, its gradient and its strain derivative added."""
        prediction = self.potential(system, neighbors)
        if self.name in prediction.energy_terms:
            raise HelioError(f"there is an energy term {self.name!r} already; give the bias another name")
        energy, gradient, virial = _derivatives(self.energy, system)
        mask = system.atom_mask
        share = jnp.where(mask, energy / jnp.sum(mask).astype(energy.dtype), 0)
        stress = prediction.stress
        if stress is not None:
            stress = stress + (virial + virial.T) / (2 * system.volume)
        return Prediction(
            energy=prediction.energy + energy,
            energy_terms=prediction.energy_terms | {self.name: energy},
            atomic_energies=prediction.atomic_energies + share,
            forces=prediction.forces - jnp.where(mask[:, None], gradient, 0),
            stress=stress,
            charges=prediction.charges,
            hirshfeld_ratios=prediction.hirshfeld_ratios,
            dipole=prediction.dipole,
        )


def add_bias(potential: Any, energy: Energy, *, name: str = "bias") -> Biased:
    """The potential E(r) + E_bias(r): forces and stress follow from the sum, by automatic differentiation.

    Args:
        potential: a `ForceField` or anything with `neighbors(system, ...)` and `(system, neighbors) -> Prediction`.
        energy: a function `System -> eV` written with `jax.numpy`, or an `eqx.Module` that is called like one and
            holds arrays. Positions are unwrapped, in A, and padding atoms have the atomic number 0. For a stress
            it must depend on positions and cell as the strained system has them.
        name: of the term in `Prediction.energy_terms` and in the log.

    A bias has no natural share per atom: `atomic_energies` get it in equal parts, so that they sum to the energy.
    """
    return Biased(potential, as_tree(energy), name)


def as_tree(energy: Energy) -> Any:
    """The energy as a tree, which a plain function is not."""
    is_tree = isinstance(energy, eqx.Module | jax.tree_util.Partial)
    return energy if is_tree else jax.tree_util.Partial(energy)


def _cast(energy: Any, dtype: str) -> Any:
    """The same tree as JAX arrays, floating-point ones in `dtype`; what is no array stays."""

    def convert(leaf: Any) -> Any:
        if not isinstance(leaf, np.ndarray | np.generic | Array):
            return leaf
        if np.issubdtype(leaf.dtype, np.floating):
            return jnp.asarray(leaf, dtype)
        return jnp.asarray(leaf, jnp.int32 if np.issubdtype(leaf.dtype, np.integer) else None)

    return jax.tree.map(convert, energy)


def _derivatives(energy: Energy, system: System) -> tuple[Array, Array, Array]:
    """Energy in eV, dE/dr (N, 3) and dE/dstrain (3, 3)."""
    dtype = system.positions.dtype

    def of_strained(positions: Array, strain: Array) -> Array:
        places = (positions + positions @ strain, system.cell + system.cell @ strain)
        value = jnp.asarray(energy(eqx.tree_at(lambda s: (s.positions, s.cell), system, places)))
        if value.shape != ():
            raise HelioError(f"a bias must return one number, the energy in eV, not an array of shape {value.shape}")
        return value.astype(dtype)

    value, (gradient, virial) = jax.value_and_grad(of_strained, argnums=(0, 1))(
        system.positions, jnp.zeros((3, 3), dtype)
    )
    return value, gradient, virial


def load_bias(path: str | Path) -> Energy:
    """The function `energy(system)` that a Python file defines: a `System` with JAX arrays in, eV out.

    The file is a program and runs with all rights of the user, as any script does: use only files you trust, and
    `helio.simulate.bias_consent` where another file names it.

    Raises:
        HelioError: the file does not exist, fails when it is run, or defines no function `energy`.
    """
    path = regular_file(path, "file with a bias")
    name = f"helio_bias_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise HelioError(f"{path} is no Python file; its name must end in .py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # classes in the file look themselves up here
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # whatever the user's code raises
        raise HelioError(f"the bias in {path} cannot be loaded: {_where(error)}") from error
    energy = getattr(module, "energy", None)
    if not callable(energy):
        raise HelioError(f"{path} must define `energy(system)`, a function that returns the bias in eV")
    return cast(Energy, energy)


def check_energy(energy: Energy, system: System, *, name: str = "bias") -> None:
    """Evaluate a bias once, compiled as in a run.

    Raises:
        HelioError: it fails for `system` (host arrays), or gives no finite number or no finite forces.
    """
    dtype = jnp.result_type(float).name
    try:
        value, gradient, virial = eqx.filter_jit(_derivatives)(_cast(energy, dtype), system.astype(dtype))
    except HelioError:
        raise
    except Exception as error:  # whatever the user's code raises
        raise HelioError(
            f"the energy term {name!r} fails: {_where(error)}. It must be written with jax.numpy, without Python's "
            "`if`, `float` or numpy on positions"
        ) from error
    if not jnp.isfinite(value):
        raise HelioError(f"the energy term {name!r} is {float(value)} eV for the start structure, not a finite number")
    if not (jnp.isfinite(gradient).all() and jnp.isfinite(virial).all()):
        raise HelioError(f"the energy term {name!r} has forces that are not finite for the start structure")


def _where(error: Exception) -> str:
    """What happened, and the innermost line at fault of the code that was called from here."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = max((i for i, frame in enumerate(frames) if frame.filename == __file__), default=-1)
    theirs = [f for f in frames[ours + 1 :] if "site-packages" not in f.filename and f.filename[0] != "<"]
    line = f" (line {theirs[-1].lineno}: {theirs[-1].line})" if theirs else ""
    return f"{type(error).__name__}: {(str(error) or 'no message').splitlines()[0]}{line}"

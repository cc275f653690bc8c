"""Long-range pair terms on the CPU, as compiled operations; what they compute stands in `helio.physics.tiles`.

`long_range_forward` and `long_range_backward` are the bare operations on the rows of a list that one device owns: atoms
`row_start` to `row_start + R - 1` of N. What they read of neighbours are arrays of all N atoms, and the backward
operation reads the cotangents of all N atoms: lists are full, so the gradient of an atom is a sum over its own row and
nothing is scattered. `long_range_energies` is the differentiable operation, on one device or several.
"""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from helio.kernels.derivatives import refuse
from helio.kernels.library import call
from helio.rows import ALL_ROWS, Rows


class SmearedCharges(NamedTuple):
    """Constants of k_e q_i q_j erf(r/sigma)/r, shifted to zero at the cutoff if there is one."""

    coulomb: float  # k_e in eV A / e^2
    sigma: float  # A
    onset: float  # where the force shift sets in, as a fraction of the cutoff


class DrudeOscillators(NamedTuple):
    """Constants of the dispersion of quantum Drude oscillators, switched off before the cutoff if there is one."""

    hartree: float  # eV
    bohr: float  # A
    damping: float  # bohr; the damping radius over alpha^(1/7)
    length: tuple[float, float, float, float]  # bohr; the oscillators' length, a polynomial in alpha^(1/7)
    switch_width: float  # A


class LongRangeTerms(NamedTuple):
    """What is computed; at least one term."""

    cutoff: float | None  # A
    electrostatics: SmearedCharges | None
    dispersion: DrudeOscillators | None

    def attributes(self) -> dict[str, Any]:
        """For the compiled operations, where zero stands for what there is not."""
        charges = self.electrostatics or SmearedCharges(0.0, 1.0, 0.0)
        drude = self.dispersion or DrudeOscillators(0.0, 1.0, 1.0, (0.0, 0.0, 0.0, 0.0), 1.0)
        numbers = {"cutoff": self.cutoff or 0.0} | charges._asdict() | drude._asdict()
        length = np.array(numbers.pop("length"), np.float64)
        return {name: np.float64(value) for name, value in numbers.items()} | {"length": length}


class LongRangeGradients(NamedTuple):
    """Gradients of the own rows, and their part of the gradient of the cell."""

    charge: Float[Array, " R"]
    polarizability: Float[Array, " R"]
    c6: Float[Array, " R"]
    positions: Float[Array, "R 3"]
    cell: Float[Array, "3 3"]


class LongRangeAtoms(NamedTuple):
    """What the compiled operations read, in their order: all atoms, and the rows of the list that are computed here."""

    positions: Float[Array, "N 3"]  # A
    cell: Float[Array, "3 3"]  # row vectors in A
    index: Int[Array, "R K"]  # int32, rows of a full list; N stands for no neighbour
    shift: Int[Array, "R K 3"]  # int16, periodic shifts; (0, 0, 0) where nothing is periodic
    row_start: Int[Array, ""]  # int32, number of the first row's atom; may be traced
    charge: Float[Array, " N"]  # e
    polarizability: Float[Array, " N"]  # Hartree units, like `c6`
    c6: Float[Array, " N"]


def long_range_atoms(
    atomic: tuple[Float[Array, " N"], Float[Array, " N"], Float[Array, " N"]],
    positions: Float[Array, "N 3"],
    cell: Float[Array, "3 3"],
    index: Int[Array, "R K"],
    shift: Int[Array, "R K 3"] | None,
    row_start: Int[Array, ""] | int = 0,
) -> LongRangeAtoms:
    """From charges, polarizabilities and C6 coefficients of all atoms; `shift` is None where nothing is periodic."""
    shifts = jnp.zeros((0, 0, 0), jnp.int16) if shift is None else shift
    return LongRangeAtoms(positions, cell, index, shifts, jnp.asarray(row_start, jnp.int32), *atomic)


def long_range_forward(terms: LongRangeTerms, atoms: LongRangeAtoms) -> tuple[Float[Array, " R"], Float[Array, " R"]]:
    """Electrostatics and dispersion of the rows in eV: half of each pair's energy; zero where a term is left out."""
    return _forward(terms, *atoms)


def long_range_with_gradients(
    terms: LongRangeTerms, atoms: LongRangeAtoms
) -> tuple[tuple[Float[Array, " R"], Float[Array, " R"]], LongRangeGradients]:
    """Both energies, and gradients of their sum over all atoms, in one pass."""
    electrostatics, dispersion, *gradients = _with_gradients(terms, *atoms)
    return (electrostatics, dispersion), LongRangeGradients(*gradients)


def long_range_backward(
    terms: LongRangeTerms,
    atoms: LongRangeAtoms,
    electrostatics_cotangent: Float[Array, " N"],
    dispersion_cotangent: Float[Array, " N"],
    *,
    known: LongRangeGradients,
) -> LongRangeGradients:
    """Gradients of the rows from the cotangents of both energies of all atoms.

    `known` are those of `long_range_with_gradients`: where all cotangents are equal, they are scaled.
    """
    return LongRangeGradients(*_backward(terms, *atoms, electrostatics_cotangent, dispersion_cotangent, *known))


@partial(jax.custom_jvp, nondiff_argnums=(0,))
def _forward(terms: LongRangeTerms, *operands: Array) -> tuple[Array, Array]:
    positions, index = operands[0], operands[2]
    shape = jax.ShapeDtypeStruct(index.shape[:1], positions.dtype)
    electrostatics, dispersion = call("helio_long_range_forward", [shape, shape], operands, terms.attributes())
    return electrostatics, dispersion


@partial(jax.custom_jvp, nondiff_argnums=(0,))
def _with_gradients(terms: LongRangeTerms, *operands: Array) -> tuple[Array, ...]:
    energies = jax.ShapeDtypeStruct(operands[2].shape[:1], operands[0].dtype)
    results = [energies, energies, *_gradient_shapes(operands)]
    return tuple(call("helio_long_range_with_gradients", results, operands, terms.attributes()))


@partial(jax.custom_jvp, nondiff_argnums=(0,))
def _backward(terms: LongRangeTerms, *operands: Array) -> tuple[Array, ...]:
    return tuple(call("helio_long_range_backward", _gradient_shapes(operands), operands, terms.attributes()))


def _gradient_shapes(operands: tuple[Array, ...]) -> list[jax.ShapeDtypeStruct]:
    rows = len(operands[2])
    return [jax.ShapeDtypeStruct(shape, operands[0].dtype) for shape in [(rows,)] * 3 + [(rows, 3), (3, 3)]]


_forward.defjvp(refuse)
_with_gradients.defjvp(refuse)
_backward.defjvp(refuse)


def long_range_energies(
    terms: LongRangeTerms,
    charge: Float[Array, " R"],
    polarizability: Float[Array, " R"],
    c6: Float[Array, " R"],
    positions: Float[Array, "N 3"],
    cell: Float[Array, "3 3"],
    index: Int[Array, "R K"],
    shift: Int[Array, "R K 3"] | None,
    rows: Rows = ALL_ROWS,
) -> tuple[Float[Array, " R"], Float[Array, " R"]]:
    """Electrostatics and dispersion of the rows here, differentiable once.

    Values per atom are given for the rows here: they are gathered from the owners of the others in the forward
    operation, and with the cotangents in the backward operation. The rest is as in `long_range_atoms`.

    Raises:
        HelioError: where a second derivative is asked for.
    """
    return _energies(terms, rows, (charge, polarizability, c6), positions, cell, index, shift)


@partial(jax.custom_vjp, nondiff_argnums=(0, 1))
def _energies(
    terms: LongRangeTerms, rows: Rows, atomic: tuple[Array, Array, Array], *where: Any
) -> tuple[Array, Array]:
    return long_range_forward(terms, long_range_atoms(rows.gather(atomic), *where, row_start=rows.first(len(where[2]))))


def _energies_forward(terms: LongRangeTerms, rows: Rows, atomic: Any, *where: Any) -> tuple[tuple[Array, Array], tuple]:
    atoms = long_range_atoms(rows.gather(atomic), *where, row_start=rows.first(len(where[2])))
    energies, gradients = long_range_with_gradients(terms, atoms)
    return energies, (gradients, atoms)


def _energies_backward(terms: LongRangeTerms, rows: Rows, residuals: tuple, cotangents: tuple[Array, Array]) -> tuple:
    known, atoms = residuals
    *to_atomic, to_positions, to_cell = long_range_backward(terms, atoms, *rows.gather(cotangents), known=known)
    return tuple(to_atomic), rows.placed(to_positions), to_cell, None, None


_energies.defvjp(_energies_forward, _energies_backward)

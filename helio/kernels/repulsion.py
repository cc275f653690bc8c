"""Screened repulsion of nuclei on the CPU, as compiled operations; the plain version is `helio.physics.zbl`.

Rows of a full list that one device owns: the forward operation gives half of each pair's energy to either atom, the
backward operation gathers over own rows from the cotangents of all atoms. There are derivatives in positions and cell
only.
"""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from helio.kernels.derivatives import constants, numbers, refuse, values
from helio.kernels.library import call
from helio.rows import ALL_ROWS, Rows


class RepulsionSettings(NamedTuple):
    """What is fixed."""

    cutoff: float  # A, of the cutoff function
    reach: float  # A, beyond which there is no repulsion; at most the cutoff of the list
    coulomb: float  # k_e in eV A / e^2

    def attributes(self) -> dict[str, Any]:
        """As the compiled library takes them."""
        return {name: np.float64(value) for name, value in self._asdict().items()}


class Screening(NamedTuple):
    """Nuclei and how they are screened: Z_i Z_j / d sum_n c_n exp(-a_n d (s_i + s_j))."""

    charge: Float[Array, " N"]  # Z
    inverse_length: Float[Array, " N"]  # s, 1/A
    weights: Float[Array, " 4"]  # c_n
    exponents: Float[Array, " 4"]  # a_n


def repulsion_energies(
    settings: RepulsionSettings,
    screening: Screening,
    positions: Float[Array, "N 3"],
    cell: Float[Array, "3 3"],
    index: Int[Array, "R K"],
    shift: Int[Array, "R K 3"] | None,
    rows: Rows = ALL_ROWS,
) -> Float[Array, " R"]:
    """Energies of the rows here in eV, differentiable once in positions and cell.

    Args:
        settings: constants.
        screening: of all atoms.
        positions: of all atoms, in A.
        cell: row vectors in A.
        index: int32, the own rows of a full list; N stands for no neighbour.
        shift: int16, periodic shifts of the own rows; None where nothing is periodic.
        rows: which rows these are.

    Raises:
        HelioError: where another derivative is asked for.
    """
    return _energies(settings, rows, screening, positions, cell, index, shift)


@partial(jax.custom_jvp, nondiff_argnums=(0,))
def _forward(settings: RepulsionSettings, *operands: Array) -> Array:
    result = jax.ShapeDtypeStruct(operands[2].shape[:1], operands[0].dtype)
    return call("helio_repulsion_forward", result, operands, settings.attributes())


@partial(jax.custom_jvp, nondiff_argnums=(0,))
def _backward(settings: RepulsionSettings, *operands: Array) -> tuple[Array, Array]:
    results = [jax.ShapeDtypeStruct(shape, operands[0].dtype) for shape in ((len(operands[2]), 3), (3, 3))]
    return tuple(call("helio_repulsion_backward", results, operands, settings.attributes()))


_forward.defjvp(refuse)
_backward.defjvp(refuse)


@partial(jax.custom_vjp, nondiff_argnums=(0, 1))
def _energies(settings: RepulsionSettings, rows: Rows, screening: Screening, *where: Any) -> Array:
    return _forward(settings, *_operands(rows, screening, *where))


def _energies_forward(settings: RepulsionSettings, rows: Rows, screening: Any, *where: Any) -> tuple[Array, Any]:
    operands = _operands(rows, constants(screening), *values(where))
    return _forward(settings, *operands), operands


def _energies_backward(settings: RepulsionSettings, rows: Rows, operands: Any, cotangent: Any) -> tuple:
    to_positions, to_cell = _backward(settings, *operands, rows.gather(numbers(cotangent)))
    return Screening(*[None] * 4), rows.placed(to_positions), to_cell, None, None  # pyright: ignore[reportArgumentType]


_energies.defvjp(_energies_forward, _energies_backward, symbolic_zeros=True)


def _operands(
    rows: Rows, screening: Screening, positions: Array, cell: Array, index: Array, shift: Array | None
) -> tuple[Array, ...]:
    """In the order of the compiled operations; what there is none of is empty."""
    shifts = jnp.zeros((0, 0, 0), jnp.int16) if shift is None else shift
    return positions, cell, index, shifts, jnp.asarray(rows.first(len(index)), jnp.int32), *screening

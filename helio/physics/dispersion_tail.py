"""Dispersion beyond the long-range cutoff of a periodic system.

The pairs within the cutoff R count with s(r), which falls from 1 at R - w to 0 at R. What is left of a pair,

    phi_n(r) = -C_n (1 - s(r)) / r^n,   n = 6, 8, 10,

is smooth and zero within R - w, so that its lattice sum needs neither a self-term nor an exclusion, and its waves die
out soon:

    E = 1 / (2 V) sum_k sum_ij C6_ij phi_6(k) exp(i k (r_i - r_j))

- "isotropic": k = 0 alone, the energy if the density beyond the cutoff were uniform (as for liquids; Allen and
  Tildesley, Computer Simulation of Liquids, ch. 2.8);
- "mesh": all k of a particle mesh, for crystals.

C6_ij factorises: with C6 = x alpha^2, where x belongs to the element (the Hirshfeld ratio cancels),
C6_ij = alpha_i alpha_j X_ij with X_ij = 2 x_i x_j / (x_i + x_j), a matrix over elements of numerical rank three. C8 and
C10 count at k = 0 only, in proportion to C6 with the oscillator length of free atoms: together they are a tenth of the
tail, and their waves much less.

| symbol | variable |
|---|---|
| alpha_i | polarizability (Hartree atomic units) |
| X_ij | coupling |
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int
from scipy.interpolate import CubicSpline
from scipy.special import expit, sici

from helio.cells import determinant
from helio.physics import dispersion, pme
from helio.physics.free_atoms import free_atom_table
from helio.rows import ALL_ROWS, Rows
from helio.units import BOHR, HARTREE

SPACING = 0.4  # A, largest of the mesh
_LONGEST = 6.0  # 1/A; longer waves are left out, 0.76 of the longest that the mesh knows
_TAPERED = 4.0  # 1/A, from where on waves fade out
_STEP = 0.01  # 1/A, of the table of phi_6(k)
_RANK_TOLERANCE = 1e-5  # of the factors of the coupling that are left out, over the largest


def isotropic_energies(
    polarizability: Float[Array, " N"],
    atomic_numbers: Int[Array, " N"],
    cell: Float[Array, "3 3"],
    *,
    cutoff: float,
    switch_width: float,
    rows: Rows = ALL_ROWS,
) -> Float[Array, " N"]:
    """The wave k = 0, as energies per atom in eV.

    Args:
        polarizability: of the atoms in the molecule, in Hartree atomic units; zero for padding.
        atomic_numbers: of the same rows.
        cell: row vectors in A.
        cutoff: in A.
        switch_width: in A, over which the pairs within the cutoff are switched off.
        rows: whose atoms these are; sums go over all devices.
    """
    coupling = jnp.asarray(_uniform_coupling(cutoff, switch_width), cell.dtype)
    amounts = rows.sum(jax.ops.segment_sum(polarizability, atomic_numbers, num_segments=len(coupling)))
    return polarizability * (coupling @ amounts)[atomic_numbers] / (2 * jnp.abs(determinant(cell)))


def mesh_energies(
    polarizability: Float[Array, " N"],
    atomic_numbers: Int[Array, " N"],
    positions: Float[Array, "N 3"],
    cell: Float[Array, "3 3"],
    *,
    mesh: pme.Mesh,
    elements: Sequence[int],
    cutoff: float,
    switch_width: float,
    rows: Rows = ALL_ROWS,
) -> Float[Array, " N"]:
    """All waves that the mesh knows, as energies per atom in eV; arguments as for `isotropic_energies`.

    Args:
        polarizability: as there.
        atomic_numbers: as there.
        positions: in A, of the same rows.
        cell: as there.
        mesh: points along each cell vector (`mesh_for`).
        elements: atomic numbers that there may be.
        cutoff: as there.
        switch_width: as there.
        rows: as there.
    """
    uniform = isotropic_energies(
        polarizability, atomic_numbers, cell, cutoff=cutoff, switch_width=switch_width, rows=rows
    )
    factors = jnp.asarray(_factors(tuple(elements)), cell.dtype)[atomic_numbers]
    sources = polarizability[:, None] * factors

    def spectrum(square: Float[Array, "X Y Z"]) -> Float[Array, "X Y Z"]:
        return _interpolated(square, _wave_table(cutoff, switch_width)) / jnp.abs(determinant(cell))

    potential = pme.convolved(sources, positions, cell, mesh, pme.ORDER, spectrum, rows)
    itself = _known_part_at_zero(cutoff, switch_width) * sources
    return uniform + jnp.sum(sources * (potential - itself), axis=1) / 2


def mesh_for(cell: np.ndarray) -> pme.Mesh:
    """A mesh for a cell of row vectors in A (host array)."""
    reciprocal = np.linalg.inv(cell)
    heights = 1 / np.linalg.norm(reciprocal, axis=0)
    x, y, z = (pme.next_size(max(pme.ORDER, math.ceil(height / SPACING)) - 1) for height in heights)
    return x, y, z


def _interpolated(square: Float[Array, "X Y Z"], table: np.ndarray) -> Float[Array, "X Y Z"]:
    """A cubic spline in |k| at k^2; zero at k = 0, which `isotropic_energies` holds, and beyond the table."""
    outside = (square == 0) | (square >= _LONGEST**2)
    place = jnp.sqrt(jnp.where(outside, 1, square)) / _STEP
    interval = jnp.clip(place.astype(jnp.int32), 0, table.shape[1] - 1)
    t = place - interval.astype(place.dtype)
    a, b, c, d = jnp.asarray(table, square.dtype)[:, interval]
    return jnp.where(outside, 0, ((a * t + b) * t + c) * t + d)


def _atoms_x() -> np.ndarray:
    """C6 / alpha^2 by atomic number."""
    table = free_atom_table()
    return table[:, 1] / table[:, 0] ** 2


@cache
def _uniform_coupling(cutoff: float, switch_width: float) -> np.ndarray:
    """X (phi_6(0) + C8/C6 phi_8(0) + C10/C6 phi_10(0)) in eV A^3 by atomic numbers, for polarizabilities in bohr^3."""
    x = _atoms_x()
    coupling = 2 * x[:, None] * x / (x[:, None] + x)
    free = free_atom_table()[:, 0]
    root = ((free[:, None] + free) / 2) ** (1 / 7)
    length = np.polynomial.polynomial.polyval(root, dispersion.length_over_seventh_root())
    square = 2 * length**2
    ratios = {6: np.ones_like(root), 8: 5 * square, 10: 245 / 8 * square**2}
    waves = {n: BOHR**n * _waves(np.zeros(1), n, cutoff, switch_width)[0] for n in ratios}
    return HARTREE * coupling * sum(ratios[n] * waves[n] for n in ratios)


@cache
def _factors(elements: tuple[int, ...]) -> np.ndarray:
    """F by atomic numbers with F F^T = X over the elements that there may be; zero for others."""
    x = _atoms_x()[list(elements)]
    values, vectors = np.linalg.eigh(2 * x[:, None] * x / (x[:, None] + x))
    kept = values > _RANK_TOLERANCE * values[-1]
    factors = np.zeros((len(_atoms_x()), int(kept.sum())))
    factors[list(elements)] = vectors[:, kept] * np.sqrt(values[kept])
    return factors


@cache
def _wave_table(cutoff: float, switch_width: float) -> np.ndarray:
    """Coefficients (4, intervals) of a spline of phi_6(k) in eV A^3, for C6 in Hartree atomic units."""
    wave, values = _known_waves(cutoff, switch_width)
    return CubicSpline(np.arange(len(wave)), values).c


def _known_waves(cutoff: float, switch_width: float) -> tuple[np.ndarray, np.ndarray]:
    """Wave vectors in 1/A and phi_6(k) in eV A^3, which fades out towards the last."""
    wave = np.arange(0, _LONGEST + _STEP / 2, _STEP)
    values = HARTREE * BOHR**6 * _waves(wave, 6, cutoff, switch_width)
    return wave, values * _switch((wave - _TAPERED) / (_LONGEST - _TAPERED))


@cache
def _known_part_at_zero(cutoff: float, switch_width: float) -> float:
    """The known waves together at r = 0 in eV: what an atom has with itself, where phi(0) is zero."""
    wave, values = _known_waves(cutoff, switch_width)
    return float(np.trapezoid(wave**2 * values, wave) / (2 * math.pi**2))


def _waves(wave: np.ndarray, n: int, cutoff: float, switch_width: float) -> np.ndarray:
    """The Fourier transform of -(1 - s(r)) / r^n at wave vectors of these lengths (1/A), in A^(3-n)."""
    nodes, weights = np.polynomial.legendre.leggauss(256)
    half = switch_width / 2
    r = cutoff - half + half * nodes
    left = (1 - _switch((r - (cutoff - switch_width)) / switch_width)) * r ** (2.0 - n)
    switched = np.sinc(wave[:, None] * r / math.pi) @ (weights * half * left)
    return -4 * math.pi * (switched + _beyond(wave, n - 1, cutoff))


def _switch(s: np.ndarray) -> np.ndarray:
    """`helio.physics.switching.exponential_switch` on the host, in float64 whatever the precision of JAX."""
    inside = np.clip(s, 1e-6, 1 - 1e-6)
    return expit(1 / inside - 1 / (1 - inside))


def _beyond(wave: np.ndarray, n: int, cutoff: float) -> np.ndarray:
    """The integral of sin(k r) / (k r^n) from the cutoff R on, for odd n; R^(2-n) / (n-2) where k = 0."""
    k = np.where(wave == 0, 1.0, wave)
    sine, cosine = np.sin(k * cutoff), np.cos(k * cutoff)
    integral, is_sine = math.pi / 2 - sici(k * cutoff)[0], True  # of sin(k r) / r
    for power in range(2, n + 1):
        # By parts: int sin / r^p = [sin(kR) / R^(p-1) + k int cos / r^(p-1)] / (p-1), likewise cos with -k int sin.
        is_sine = not is_sine
        end = (sine if is_sine else cosine) / cutoff ** (power - 1)
        integral = (end + (k if is_sine else -k) * integral) / (power - 1)
    return np.where(wave == 0, cutoff ** (2.0 - n) / (n - 2), integral / k)

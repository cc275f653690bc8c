"""Energies that keep a system near where it should be, each a function `System -> eV` for `add_bias`.

| symbol | variable | unit |
|---|---|---|
| k | `stiffness` | eV/A^2; dihedrals eV/rad^2 |
| d, phi | computed | A, degrees |
| d_0, phi_0 | `length`, `angle` | A, degrees |
| R | `radius` | A |
| (x)_+ = max(0, x) | `_excess` | |

All have continuous forces, also where a flat bottom ends. `Distance`, `FlatDistance` and `Dihedral` depend on relative
positions alone, with minimum images in periodic directions (right for distances below half the cell's smallest
height); the others act at fixed places of space, on positions that are never wrapped.
"""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from helio.cells import inverse
from helio.system import System


class Restraints(eqx.Module):
    """The sum of several restraints."""

    parts: tuple[eqx.Module, ...]

    def __call__(self, system: System) -> Float[Array, ""]:
        """Energy in eV."""
        return sum((part(system) for part in self.parts), start=jnp.zeros((), system.positions.dtype))  # pyright: ignore


class Position(eqx.Module):
    """E = k/2 sum_i (r_i - r_i,0)^2."""

    atoms: Int[Any, " S"]
    reference: Float[Any, "S 3"]  # A
    stiffness: Float[Any, ""]

    def __call__(self, system: System) -> Float[Array, ""]:
        """Energy in eV."""
        return 0.5 * self.stiffness * jnp.sum((system.positions[self.atoms] - self.reference) ** 2)


class Distance(eqx.Module):
    """E = k/2 (d - d_0)^2, d between the centres of mass of two sets of atoms (each may be one atom)."""

    first: Int[Any, " S"]
    second: Int[Any, " T"]
    length: Float[Any, ""]  # A
    stiffness: Float[Any, ""]

    def __call__(self, system: System) -> Float[Array, ""]:
        """Energy in eV."""
        return 0.5 * self.stiffness * (_center_distance(system, self.first, self.second) - self.length) ** 2


class FlatDistance(eqx.Module):
    """E = k/2 (d - d_max)_+^2 + k/2 (d_min - d)_+^2, d between the centres of mass of two sets of atoms."""

    first: Int[Any, " S"]
    second: Int[Any, " T"]
    shortest: Float[Any, ""]  # A
    longest: Float[Any, ""]  # A, may be infinite
    stiffness: Float[Any, ""]

    def __call__(self, system: System) -> Float[Array, ""]:
        """Energy in eV."""
        distance = _center_distance(system, self.first, self.second)
        return 0.5 * self.stiffness * (_excess(distance - self.longest) + _excess(self.shortest - distance))


class Dihedral(eqx.Module):
    """E = k (1 - cos(phi - phi_0)), for small differences k/2 (phi - phi_0)^2, smooth all the way round.

    phi has the sign of IUPAC: positive if, seen along the middle bond, the far bond is turned clockwise.
    """

    atoms: Int[Any, " 4"]
    angle: Float[Any, ""]  # degrees
    stiffness: Float[Any, ""]  # eV/rad^2

    def __call__(self, system: System) -> Float[Array, ""]:
        """Energy in eV."""
        places = system.positions[self.atoms]
        first, middle, last = nearest_image(system, places[1:] - places[:-1])
        left, right = jnp.cross(first, middle), jnp.cross(middle, last)
        norm = jnp.sqrt(jnp.sum(left**2) * jnp.sum(right**2))
        cosine = jnp.sum(left * right) / norm
        sine = jnp.sum(jnp.cross(left, right) * middle) / (norm * jnp.sqrt(jnp.sum(middle**2)))
        target = jnp.deg2rad(self.angle)
        return self.stiffness * (1 - cosine * jnp.cos(target) - sine * jnp.sin(target))


class Sphere(eqx.Module):
    """E = k/2 sum_i (|r_i - c| - R)_+^2: atoms that leave a sphere are pulled back.

    The centre c is a point, or else the centre of mass of these atoms, which keeps a droplet together wherever it is.
    """

    atoms: Int[Any, " S"]
    center: Float[Any, " 3"] | None  # A
    radius: Float[Any, ""]  # A
    stiffness: Float[Any, ""]

    def __call__(self, system: System) -> Float[Array, ""]:
        """Energy in eV."""
        center = _center(system, self.atoms) if self.center is None else self.center
        distances = _length(system.positions[self.atoms] - center[None, :])
        return 0.5 * self.stiffness * jnp.sum(_excess(distances - self.radius))


class Walls(eqx.Module):
    """E = k/2 sum_i sum_x (x_i - x_max)_+^2 + (x_min - x_i)_+^2: a box, or a slab where bounds are infinite."""

    atoms: Int[Any, " S"]
    lower: Float[Any, " 3"]  # A
    upper: Float[Any, " 3"]  # A
    stiffness: Float[Any, ""]

    def __call__(self, system: System) -> Float[Array, ""]:
        """Energy in eV."""
        places = system.positions[self.atoms]
        outside = _excess(places - self.upper[None, :]) + _excess(self.lower[None, :] - places)
        return 0.5 * self.stiffness * jnp.sum(outside)


def nearest_image(system: System, vectors: Float[Array, "*S 3"]) -> Float[Array, "*S 3"]:
    """Vectors in A shifted by whole cells in periodic directions, so that their fractions lie within 1/2."""
    if not any(system.pbc):
        return vectors
    fractions = jax.lax.stop_gradient(vectors @ inverse(system.cell))
    shifts = jnp.where(np.asarray(system.pbc), jnp.round(fractions), 0)
    return vectors - shifts @ system.cell


def _center(system: System, atoms: Int[Array, " S"]) -> Float[Array, " 3"]:
    masses = system.masses[atoms]
    return masses @ system.positions[atoms] / jnp.sum(masses)


def _center_distance(system: System, first: Int[Array, " S"], second: Int[Array, " T"]) -> Float[Array, ""]:
    return _length(nearest_image(system, _center(system, second) - _center(system, first)))


def _length(vectors: Float[Array, "*S 3"]) -> Float[Array, "*S"]:
    """Lengths, with no slope instead of an undefined one at zero."""
    square = jnp.sum(vectors**2, axis=-1)
    return jnp.where(square > 0, jnp.sqrt(jnp.where(square > 0, square, 1)), 0)


def _excess(values: Float[Array, "*S"]) -> Float[Array, "*S"]:
    """The square of what is positive."""
    return jnp.maximum(values, 0) ** 2

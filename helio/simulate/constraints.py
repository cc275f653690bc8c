"""Distances between atoms that stay as they are, by M-SHAKE and RATTLE.

| symbol | variable |
|---|---|
| r, r', p, m | `positions` or `reference`, `moved`, `momenta`, `masses` |
| B, -1 and +1 at the two atoms of each constraint | `incidence` |
| L_k | `lengths` |
| s_k = sum_a B_ka r_a, d_k = sum_a B_ka r'_a | `directions`, `vectors` |
| K_kl = sum_a B_ka B_la / m_a | `coupling` |
| g_l | `multipliers` |

Positions (Kräutler, van Gunsteren and Hünenberger, J. Comput. Chem. 22, 501 (2001)): r'_a + sum_l B_la g_l s_l / m_a
with the g that give every length, abs(d_k + sum_l K_kl g_l s_l) = L_k, found by Newton's method. Momenta (Andersen,
J. Comput. Phys. 52, 24 (1983)): p_a + sum_l B_la g_l s_l with s_k . (v_j - v_i) = 0 for every constraint. Both
act along the bonds alone, so that the total and the angular momentum stay as they are.

Constraints that share atoms form a cluster (a water: three, a methyl group: three); clusters share no atoms, so each
is a small system of equations of its own, and all are solved at once.
"""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from helio.errors import HelioError
from helio.precision import numerics
from helio.system import System

# Largest relative error of a length that is left, a few times the round-off of the arithmetic.
_TOLERANCE = {"float32": 1e-6, "float64": 1e-12}
# Newton's method needs 3 to 6 steps; where it needs more the time step is far too long.
_MOST_ITERATIONS = 25
# The elimination is written out for each size: more than SF6-like centres need only makes compilation slow.
_LARGEST_CLUSTER = 8


class Constraints(eqx.Module):
    """Fixed distances in C clusters of up to M constraints and A atoms; host arrays until `astype`."""

    atoms: Int[Any, "C A"]  # free places repeat the cluster's first atom
    incidence: Float[Any, "C M A"]
    lengths: Float[Any, "C M"]  # A; 1 at free places
    place: Int[Any, " N"]  # where in the flattened (C, A) an atom stands; C A for atoms without constraints
    group: Int[Any, " N"]  # number of the cluster, from 0; atoms without constraints have groups of their own
    count: int = eqx.field(static=True)  # number of constraints

    @classmethod
    def from_pairs(cls, pairs: np.ndarray, lengths: np.ndarray, *, atoms: int) -> Constraints:
        """Constraints between pairs of atoms (P, 2) at distances (P,) in A, in a system of so many `atoms`.

        Raises:
            HelioError: a pair is named twice, or more than 8 constraints hang together.
        """
        pairs = np.asarray(pairs, np.int64).reshape(-1, 2)
        _check_pairs(pairs, atoms)
        graph = coo_array((np.ones(len(pairs), np.int8), (pairs[:, 0], pairs[:, 1])), shape=(atoms, atoms))
        group = np.asarray(connected_components(graph, directed=False)[1], np.int32)
        cluster_of_pair = np.unique(group[pairs[:, 0]], return_inverse=True)[1]
        column = _rank(cluster_of_pair)
        clusters, widest = int(cluster_of_pair.max(initial=-1)) + 1, int(column.max(initial=0)) + 1
        if widest > _LARGEST_CLUSTER:
            raise HelioError(
                f"{widest} fixed distances hang together (around atom {pairs[column.argmax(), 0]}); at most "
                f"{_LARGEST_CLUSTER} can"
            )

        members, place = _members(pairs, cluster_of_pair, atoms=atoms)
        rank = place[pairs] % members.shape[1]
        incidence = np.zeros((clusters, widest, members.shape[1]))
        incidence[cluster_of_pair, column, rank[:, 0]] = -1
        incidence[cluster_of_pair, column, rank[:, 1]] = 1
        padded_lengths = np.ones((clusters, widest))
        padded_lengths[cluster_of_pair, column] = lengths
        return cls(members, incidence, padded_lengths, place, group, len(pairs))

    def astype(self, dtype: str) -> Constraints:
        """The same constraints as JAX arrays, floating-point ones in `dtype`."""
        return jax.tree.map(lambda leaf: jnp.asarray(leaf, dtype if leaf.dtype.kind == "f" else jnp.int32), self)

    def project_positions(
        self, reference: Float[Array, "N 3"], moved: Float[Array, "N 3"], masses: Float[Array, " N"]
    ) -> Float[Array, "N 3"]:
        """Positions with all lengths, reached from `moved` (A) by forces along the bonds of `reference` (A).

        Masses are in amu, infinite for atoms that cannot move. Where lengths cannot be reached, as after a much too
        long step, all positions are NaN.
        """
        return moved + self.displacement(reference, moved, masses)

    def displacement(
        self, reference: Float[Array, "N 3"], moved: Float[Array, "N 3"], masses: Float[Array, " N"]
    ) -> Float[Array, "N 3"]:
        """What `project_positions` adds to `moved`, in A, without the round-off of large coordinates.

        The momenta of a drift over the time t change by m times this over t. In float32 take it from here and not
        from a difference of positions, whose round-off heats the system.
        """
        directions, vectors = self._pair_vectors(reference), self._pair_vectors(moved)
        multipliers, error = self._solve_lengths(directions, vectors, self._coupling(masses))
        impulses = self._impulses(multipliers, directions)
        solved = error <= _TOLERANCE[moved.dtype.name]
        return jnp.where(solved, self._per_atom(impulses) / masses[:, None], jnp.nan)

    def project_momenta(
        self, positions: Float[Array, "N 3"], momenta: Float[Array, "N 3"], masses: Float[Array, " N"]
    ) -> Float[Array, "N 3"]:
        """Momenta that change no length: the projection that is orthogonal in p^2 / m.

        Any unit of momentum; masses in amu, infinite for atoms that cannot move (they keep the momentum they have).
        """
        directions, velocities = self._pair_vectors(positions), self._pair_vectors(momenta / masses[:, None])
        matrix = self._coupling(masses) * _dots(directions, directions)
        speeds = jnp.sum(directions * velocities, axis=-1)
        impulses = self._impulses(-_solve(_with_unit_rows(matrix), speeds), directions)
        return momenta + jnp.where(jnp.isfinite(masses)[:, None], self._per_atom(impulses), 0)

    def group_means(self, values: Float[Array, "N 3"], masses: Float[Array, " N"]) -> Float[Array, "N 3"]:
        """The mean of each atom's group, weighted by mass: of positions its centre of mass, of velocities its speed.

        A barostat moves groups as a whole by these; atoms without constraints keep their own value.
        """
        weights = jnp.where(jnp.any(self.incidence != 0, axis=1), masses[self.atoms], 0)
        mean = jnp.sum(weights[:, :, None] * values[self.atoms], axis=1) / jnp.sum(weights, axis=1)[:, None]
        spread = self._per_atom(jnp.broadcast_to(mean[:, None, :], (*self.atoms.shape, 3)))
        return jnp.where((self.place < self.atoms.size)[:, None], spread, values)

    def internal_virial(
        self, positions: Float[Array, "N 3"], forces: Float[Array, "N 3"], masses: Float[Array, " N"]
    ) -> Float[Array, "3 3"]:
        """sum_i (r_i - R_i)_a F_ib in eV, R_i the centre of mass of the group of atom i.

        Added to dE/dstrain of all atoms it gives dE/dstrain of groups that are moved as a whole and keep their shape,
        r_i -> r_i + R_i @ strain; forces of constraints do not enter that.
        """
        return (positions - self.group_means(positions, masses)).T @ forces

    def violation(self, positions: Float[Array, "N 3"]) -> Float[Array, ""]:
        """Largest relative error of a length."""
        return self._error(self._pair_vectors(positions), jnp.any(self.incidence != 0, axis=2))

    def imposed(self, system: System) -> System:
        """The system (host arrays) with positions moved, as little as p^2 / m allows, to the given lengths.

        Raises:
            HelioError: the lengths cannot be reached from where the atoms are.
        """
        with numerics("float64"):
            positions, masses = jnp.asarray(system.positions), jnp.asarray(system.masses)
            found = np.asarray(_project_positions(self.astype("float64"), positions, positions, masses))
        if not np.isfinite(found).all():
            raise HelioError("the fixed distances cannot be reached from this structure; relax it first (helio opt)")
        return eqx.tree_at(lambda s: s.positions, system, found)

    def _pair_vectors(self, values: Float[Array, "N 3"]) -> Float[Array, "C M 3"]:
        """Second atom minus first; zero at free places."""
        return jnp.sum(self.incidence[:, :, :, None] * values[self.atoms][:, None], axis=2)

    def _coupling(self, masses: Float[Array, " N"]) -> Float[Array, "C M M"]:
        weighted = self.incidence / masses[self.atoms][:, None]
        return jnp.sum(weighted[:, :, None] * self.incidence[:, None], axis=-1)

    def _solve_lengths(
        self, directions: Float[Array, "C M 3"], vectors: Float[Array, "C M 3"], coupling: Float[Array, "C M M"]
    ) -> tuple[Float[Array, "C M"], Float[Array, ""]]:
        """Multipliers, and the largest relative error of a length that is left."""
        # Free places and pairs that cannot move have no part in it.
        active = jnp.diagonal(coupling, axis1=1, axis2=2) > 0

        def corrected(multipliers: Array) -> Array:
            return vectors + jnp.sum((coupling * multipliers[:, None])[..., None] * directions[:, None], axis=2)

        def newton(carry: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
            multipliers, _, iteration = carry
            now = corrected(multipliers)
            excess = jnp.where(active, jnp.sum(now**2, axis=-1) - self.lengths**2, 0)
            slope = _with_unit_rows(2 * coupling * _dots(now, directions))
            multipliers = multipliers - _solve(slope, excess)
            return multipliers, self._error(corrected(multipliers), active), iteration + 1

        def goes_on(carry: tuple[Array, Array, Array]) -> Array:
            _, error, iteration = carry
            return (error > _TOLERANCE[vectors.dtype.name]) & (iteration < _MOST_ITERATIONS)

        begin = jnp.zeros_like(self.lengths), self._error(vectors, active), jnp.int32(0)
        multipliers, error, _ = jax.lax.while_loop(goes_on, newton, begin)
        return multipliers, error

    def _error(self, vectors: Float[Array, "C M 3"], active: Array) -> Float[Array, ""]:
        relative = jnp.abs(jnp.sqrt(jnp.sum(vectors**2, axis=-1)) / self.lengths - 1)
        return jnp.max(jnp.where(active, relative, 0), initial=0.0)

    def _impulses(self, multipliers: Float[Array, "C M"], directions: Float[Array, "C M 3"]) -> Float[Array, "C A 3"]:
        along = multipliers[:, :, None] * directions
        return jnp.sum(self.incidence[..., None] * along[:, :, None], axis=1)

    def _per_atom(self, values: Float[Array, "C A 3"]) -> Float[Array, "N 3"]:
        """Values of the clusters' atoms in the order of all atoms; a gather, so the sums do not depend on timing."""
        flat = jnp.concatenate([values.reshape(-1, 3), jnp.zeros((1, 3), values.dtype)])
        return flat[self.place]


_project_positions = jax.jit(Constraints.project_positions)


def _check_pairs(pairs: np.ndarray, atoms: int) -> None:
    if pairs.size and not (pairs.min() >= 0 and pairs.max() < atoms):
        raise HelioError(f"fixed distances name atom {pairs.max()}, but atoms have the numbers 0 to {atoms - 1}")
    named, times = np.unique(np.sort(pairs, axis=1), axis=0, return_counts=True)
    if (named[:, 0] == named[:, 1]).any() or (times > 1).any():
        worst = named[(named[:, 0] == named[:, 1]) | (times > 1)][0].tolist()
        raise HelioError(f"a fixed distance needs two different atoms, and each pair once: {worst}")


def _members(pairs: np.ndarray, cluster_of_pair: np.ndarray, *, atoms: int) -> tuple[np.ndarray, np.ndarray]:
    """`Constraints.atoms` and `Constraints.place`."""
    bound = np.unique(pairs)
    cluster_of_atom = np.full(atoms, -1)
    cluster_of_atom[pairs] = cluster_of_pair[:, None]
    row = cluster_of_atom[bound]
    column = _rank(row)
    members = np.zeros((int(row.max(initial=-1)) + 1, int(column.max(initial=1)) + 1), np.int32)
    members[row[::-1]] = bound[::-1, None]  # the first atom comes last, and stays at free places
    members[row, column] = bound
    place = np.full(atoms, members.size, np.int32)
    place[bound] = row * members.shape[1] + column
    return members, place


def _rank(labels: np.ndarray) -> np.ndarray:
    """How often the label of each row has occurred before it."""
    order = np.argsort(labels, kind="stable")
    ordered = labels[order]
    rank = np.empty(len(labels), np.int64)
    rank[order] = np.arange(len(labels)) - np.searchsorted(ordered, ordered)
    return rank


def _dots(left: Float[Array, "C M 3"], right: Float[Array, "C M 3"]) -> Float[Array, "C M M"]:
    return jnp.sum(left[:, :, None] * right[:, None], axis=-1)


def _with_unit_rows(matrix: Float[Array, "C M M"]) -> Float[Array, "C M M"]:
    """The matrix with 1 on the diagonal of rows that are empty, for constraints without a part in it."""
    empty = jnp.diagonal(matrix, axis1=1, axis2=2) == 0
    return matrix + empty.astype(matrix.dtype)[:, :, None] * jnp.eye(matrix.shape[-1], dtype=matrix.dtype)[None]


def _solve(matrix: Float[Array, "C M M"], right: Float[Array, "C M"]) -> Float[Array, "C M"]:
    """Gauss-Jordan elimination for all clusters at once: for sizes of 1 to 4, LAPACK costs more in calls.

    The matrices are (nearly) symmetric and positive definite, so no pivot is needed.
    """
    rows = jnp.concatenate([matrix, right[:, :, None]], axis=2)
    for k in range(matrix.shape[-1]):
        pivot = rows[:, k] / rows[:, k, k][:, None]
        rows = (rows - rows[:, :, k][:, :, None] * pivot[:, None]).at[:, k].set(pivot)
    return rows[:, :, -1]

"""Smooth particle mesh: the sum of `ewald` in N log N operations (Essmann et al., J. Chem. Phys. 103, 8577 (1995)).

Charges are spread onto a mesh with B-splines, the mesh is convolved with the interaction by Fourier transforms, and
the potential is read at the atoms with the same splines:

    E = 1/2 sum_m Q(m) (G * Q)(m) - k_e sum_i q_i^2 / (sqrt(pi) sigma)

Spreading and reading are each other's transpose, so that energies per atom sum to E and derivatives are exact.
exp(i k r) is fitted by splines in the least mean square over r, which divides the interaction twice by

    U^2(k) / sum_n U^2(k + n K b),   U(k) = prod_d sinc(m_d / K_d)^p

(instead of the interpolating division in Essmann et al., which has no solution for odd orders at the mesh's end).

| symbol | variable |
|---|---|
| Q, G * Q | density, potential (on the mesh) |
| K_d | mesh |
| p | order (of the splines: degree + 1) |
| m | triples (of the reciprocal lattice b) |
"""

from __future__ import annotations

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from helio.cells import determinant, inverse
from helio.errors import HelioError
from helio.neighbors import reciprocal_vectors
from helio.rows import ALL_ROWS, Rows
from helio.units import COULOMB

ORDER = 6
LONGEST = 9.0  # over sigma: waves beyond add less than 1e-16 to the estimate of errors
SAFETY = 5.0  # below 2 for random charges; the long waves that forces are measured by are weak in a polar liquid
Mesh = tuple[int, int, int]


def atomic_energies(
    positions: Float[Array, "N 3"],
    charges: Float[Array, " N"],
    cell: Float[Array, "3 3"],
    mesh: Mesh,
    order: int,
    sigma: float,
    rows: Rows = ALL_ROWS,
) -> Float[Array, " N"]:
    """Electrostatic energy per atom in eV: half the charge times the potential of all others.

    Args:
        positions: in A, inside the cell or not.
        charges: in e; padding atoms have zero.
        cell: row vectors in A.
        mesh: points along each cell vector (`mesh_for`), at least `order` each.
        order: of the splines, 4 or more; energies have order - 2 continuous derivatives.
        sigma: smearing in A.
        rows: whose atoms these are; the mesh is summed over devices and transformed on each.
    """
    scale = COULOMB * 4 * math.pi / jnp.abs(determinant(cell))

    def spectrum(square: Float[Array, "X Y Z"]) -> Float[Array, "X Y Z"]:
        # The term k = 0 is left out: a neutralising background, as in `ewald`.
        safe = jnp.where(square == 0, 1, square)
        return scale * jnp.where(square == 0, 0, jnp.exp(-safe * sigma**2 / 4) / safe)

    potential = convolved(charges[:, None], positions, cell, mesh, order, spectrum, rows)[:, 0]
    return charges * potential / 2 - COULOMB * charges**2 / (math.sqrt(math.pi) * sigma)


def convolved(
    sources: Float[Array, "N S"],
    positions: Float[Array, "N 3"],
    cell: Float[Array, "3 3"],
    mesh: Mesh,
    order: int,
    spectrum: Callable[[Float[Array, "X Y Z"]], Float[Array, "X Y Z"]],
    rows: Rows = ALL_ROWS,
) -> Float[Array, "N S"]:
    """Sum over waves k and atoms j of spectrum(k^2) q_j exp(i k (r_i - r_j)), for each kind of source q apart.

    Args:
        sources: of each atom and kind; zero for padding.
        positions: in A.
        cell: row vectors in A.
        mesh: points along each cell vector.
        order: of the splines.
        spectrum: of k^2 in 1/A^2, which is exactly 0 for k = 0 alone.
        rows: whose atoms these are.
    """
    places, weights = _splines(positions @ inverse(cell), mesh, order)
    waves = _waves(cell, mesh, order, spectrum)
    potentials = []
    for source in sources.T:
        transform = jnp.fft.rfftn(rows.sum(_spread(source, places, weights, mesh)))
        potential = jnp.fft.irfftn(transform * waves.astype(transform.dtype), s=mesh)
        potentials.append(_read(potential, places, weights))
    return jnp.stack(potentials, axis=1)


def _splines(
    fractional: Float[Array, "N 3"], mesh: Mesh, order: int
) -> tuple[Int[Array, "N 3"], Float[Array, "3 N p"]]:
    """The first of the `order` mesh points that each atom reaches along each direction, and their weights."""
    size = jnp.asarray(mesh, fractional.dtype)
    # Whole cells are taken off first, for precision in float32. Rounding may leave a coordinate at the cell's end.
    place = jnp.minimum((fractional - jnp.floor(fractional)) * size[None, :], size[None, :])
    first = jnp.minimum(jnp.floor(place).astype(jnp.int32), jnp.asarray(mesh, jnp.int32)[None, :] - 1)
    return first, _weights((place - first.astype(place.dtype)).T, order)


def _weights(offset: Float[Array, "3 N"], order: int) -> Float[Array, "3 N p"]:
    """B-splines M_p at offset + p - 1, ..., offset + 1, offset: they sum to one."""
    # M_n(x) = [x M_(n-1)(x) + (n - x) M_(n-1)(x - 1)] / (n - 1), from M_2
    weights = [1 - offset, offset]
    for n in range(3, order + 1):
        below = [jnp.zeros_like(offset), *weights, jnp.zeros_like(offset)]
        # Place j of the new order lies at x = offset + n - 1 - j.
        weights = [((offset + (n - 1 - j)) * below[j] + (1 + j - offset) * below[j + 1]) / (n - 1) for j in range(n)]
    return jnp.stack(weights, axis=-1)


def _spread(
    charges: Float[Array, " N"], places: Int[Array, "N 3"], weights: Float[Array, "3 N p"], mesh: Mesh
) -> Float[Array, "X Y Z"]:
    """Charges on the mesh."""
    order = weights.shape[-1]
    x, y, z = weights
    blocks = (charges[:, None] * x)[:, :, None, None] * y[:, None, :, None] * z[:, None, None, :]
    # Whole blocks, one per atom, onto a mesh that is longer than the period; what sticks out is folded back.
    numbers = jax.lax.ScatterDimensionNumbers((1, 2, 3), (), (0, 1, 2))
    longer = jnp.zeros(tuple(size + order - 1 for size in mesh), charges.dtype)
    density = jax.lax.scatter_add(longer, places, blocks, numbers, mode="promise_in_bounds")
    for axis, size in enumerate(mesh):
        inner, outer = jnp.split(density, [size], axis=axis)
        start = (slice(None),) * axis + (slice(order - 1),)
        density = inner.at[start].add(outer)
    return density


def _read(
    potential: Float[Array, "X Y Z"], places: Int[Array, "N 3"], weights: Float[Array, "3 N p"]
) -> Float[Array, " N"]:
    """The mesh's values at the atoms: the transpose of `_spread`."""
    order = weights.shape[-1]
    longer = jnp.pad(potential, [(0, order - 1)] * 3, mode="wrap")
    numbers = jax.lax.GatherDimensionNumbers((1, 2, 3), (), (0, 1, 2))
    blocks = jax.lax.gather(longer, places, numbers, (order,) * 3, mode="promise_in_bounds")
    return jnp.einsum("nxyz,nx,ny,nz->n", blocks, *weights)


def _waves(
    cell: Float[Array, "3 3"],
    mesh: Mesh,
    order: int,
    spectrum: Callable[[Float[Array, "X Y Z"]], Float[Array, "X Y Z"]],
) -> Float[Array, "X Y Z"]:
    """The spectrum with the fit, for a potential that the inverse transform divides by the number of mesh points."""
    triples = np.stack(np.meshgrid(*_frequencies(mesh), indexing="ij"), axis=-1)
    fits = [_fit(m, size, order) for m, size in zip(_frequencies(mesh), mesh, strict=True)]
    fitted = fits[0][:, None, None] * fits[1][:, None] * fits[2]
    wave_vectors = 2 * math.pi * jnp.asarray(triples, cell.dtype) @ inverse(cell).T
    return math.prod(mesh) * spectrum(jnp.sum(wave_vectors**2, axis=-1)) * jnp.asarray(fitted, cell.dtype)


def _frequencies(mesh: Mesh) -> list[np.ndarray]:
    """The integers m_d, in the order of a real transform."""
    return [np.rint(np.fft.fftfreq(size) * size) for size in mesh[:2]] + [np.arange(mesh[2] // 2 + 1.0)]


def _fit(m: np.ndarray, size: int, order: int) -> np.ndarray:
    """U^2 / (sum_n U^2)^2 of one direction."""
    fit = _share(m, size, order, 0) / np.sinc(m / size) ** order
    # +size/2 and -size/2 are one point of the mesh, but not equally long in a triclinic cell: left out.
    return np.where(2 * np.abs(m) == size, 0, fit**2)


def _share(m: np.ndarray, size: int, order: int, image: int) -> np.ndarray:
    """Amplitude U(m) U(m + image K) / sum_n U^2(m + n K) of one image in the fit of the wave m."""
    images = np.arange(-50, 51)  # of which the farthest add less than 1e-13
    sums = np.sum(np.sinc(m[:, None] / size + images) ** (2 * order), axis=1)
    return np.sinc(m / size) ** order * np.sinc(m / size + image) ** order / sums


def mesh_for(cell: np.ndarray, sigma: float, tolerance: float, order: int = ORDER) -> Mesh:
    """A mesh for a relative error (root mean square) of the forces from k != 0, for charges at random places.

    Beside a wave k, splines along direction d bring waves k + n K_d b_d with the amplitudes of `_share`, and the mesh
    knows no waves from |m_d| = K_d / 2 on, whose forces are lost. With f = exp(-k^2 sigma^2 / 4) / k^2,

        error^2 = sum_d sum_k f^2 sum_(n != 0) share_n^2 (k + n K_d b_d)^2 / sum_k f^2 k^2

    of which each direction gets a third.

    Args:
        cell: row vectors in A (host array).
        sigma: smearing in A.
        tolerance: of the forces, relative to them.
        order: of the splines.

    Returns:
        Sizes, products of 2, 3, 5 and 7 of at least `order`.

    Raises:
        HelioError: an order below 4, or a tolerance out of (0, 1).
    """
    if order < 4 or not 0 < tolerance < 1:
        raise HelioError(f"a mesh needs an order of at least 4 and a tolerance in (0, 1), not {order} and {tolerance}")
    triples = reciprocal_vectors(cell, longest=LONGEST / sigma)
    reciprocal = 2 * math.pi * np.linalg.inv(cell).T
    wave_vectors = triples @ reciprocal
    square = np.sum(wave_vectors**2, axis=1)
    spectrum = np.exp(-square * sigma**2 / 2) / square**2 / np.sum(np.exp(-square * sigma**2 / 2) / square)
    sizes = []
    for m, along in zip(triples.T, reciprocal, strict=True):
        # Sums over the waves of equal m_d, the only number of a wave that its amplitudes depend on.
        moments = [np.bincount(np.abs(m), spectrum * w) for w in (1, square, np.sign(m) * (wave_vectors @ along))]
        size = order
        while _error(size, order, moments, along @ along) > (tolerance / SAFETY) ** 2 / 3:
            size = next_size(size)
        sizes.append(next_size(size - 1))
    return tuple(sizes)


def _error(size: int, order: int, moments: list[np.ndarray], reciprocal_square: float) -> float:
    """The error^2 of one direction, of which the moments are sums of f^2, f^2 k^2, f^2 k.b over waves of equal m."""
    m = np.arange(len(moments[0]))
    known = 2 * m < size
    forces = np.zeros(len(m))
    for image in (-2, -1, 1, 2):
        longer = image * size
        squares = moments[1] + 2 * longer * moments[2] + longer**2 * reciprocal_square * moments[0]
        forces += _share(m, size, order, image) ** 2 * squares
    return float(np.sum(np.where(known, forces, moments[1])))


def next_size(size: int) -> int:
    """The next product of 2, 3, 5 and 7 after this number: fast in Fourier transforms."""
    size += 1
    while math.gcd(size, 210**32) != size:
        size += 1
    return size

"""Radial filters as tables: for each knot, values and slopes of all features side by side.

A filter is R(b(d)) + S(inv(chi_j - chi_i)). R depends on the distance alone, so a table of cubic Hermite pieces stands
for it. Knots are equidistant in y = exp(-gamma d / 2): the Bernstein polynomials of x = y^2 have peaks of nearly one
width there, and y = 1 is d = 0, so that every distance from zero to the cutoff lies in the table. Where the Euclidean
variables are zero (first layer), S is a constant and stands in the table, too.

| symbol | variable |
|---|---|
| d, y | `distance`, `y` |
| b, db/dy | `basis`, `basis_slope` |
| R, dR/dy | `value`, `slope` |
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import equinox as eqx
import numpy as np
from jaxtyping import Array, Float
from scipy.special import gammaln

from helio.precision import Precision

FEWEST_KNOTS, MAX_KNOTS = 128, 16384
# Largest errors of a filter and of its slope (1/A) between knots, relative to the filter's largest value, by the
# precision that computes with the table. In the published model (water and docosahexaenoic acid) those of float32 make
# 5e-9 eV per atom and 5e-6 eV/A, those of float64 2e-11 eV per atom and 1e-9 eV/A, with 20 times as many knots.
TOLERANCES: dict[Precision, tuple[float, float]] = {"float32": (1.5e-8, 6e-6), "float64": (1e-13, 1e-9)}
NEAREST = 0.3  # A; errors below count nothing: no two atoms come so close, and the filters are steep there
_LANES = 16  # the hidden width of spherical filters is padded to a multiple of this


@dataclass(frozen=True)
class FilterParameters:
    """Weights of one filter, as host arrays; radial and spherical networks are dense -> silu -> dense."""

    radial: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]  # kernel (R, F), bias, kernel (F, F), bias
    spherical: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]  # kernel (L, D), bias, kernel (D, F), bias


class TabulatedFilters(eqx.Module):
    """Both filters of one layer in the layout of the compiled operations, and the constants of its attention."""

    table: Float[Array, "T 2 G"]  # G = 2F: attention 1, attention 2; values, then slopes times the distance of knots
    first: Float[Array, "L E"]  # E = 2D, likewise
    bias: Float[Array, " E"]
    second: Float[Array, "2 D F"]
    second_transposed: Float[Array, "2 F D"]
    num_heads: int = eqx.field(static=True)
    degrees: tuple[int, ...] = eqx.field(static=True)
    average_neighbors: float = eqx.field(static=True)
    cutoff: float = eqx.field(static=True)  # A
    decay: float = eqx.field(static=True)  # 1/A, gamma / 2
    precision: Precision = eqx.field(static=True)  # that the table is fine enough for
    error: float = eqx.field(static=True)  # of values between knots, relative to the largest
    slope_error: float = eqx.field(static=True)  # 1/A, likewise

    @property
    def knots(self) -> int:
        """Number of rows of the table."""
        return self.table.shape[-3]


def supports(features: int, num_heads: int, degrees: Sequence[int]) -> bool:
    """Whether the compiled operations know attention of these sizes."""
    heads = num_heads, len(degrees)
    return (
        all(features % (4 * count) == 0 for count in heads)
        and sum(heads) <= 32
        and len(degrees) <= 4
        and max(degrees) <= 4
    )


def supports_on_gpu(features: int, num_heads: int, degrees: Sequence[int], hidden: int) -> bool:
    """Whether the programs for GPUs know attention of these sizes: Triton takes powers of two, in products from 16 on.

    `hidden` is the inner width of spherical filters.
    """
    counts = num_heads, len(degrees)
    widths = [features // count for count in counts] + [hidden + -hidden % _LANES]
    whole = all(features % count == 0 for count in counts)
    return whole and all(width >= 16 and width & (width - 1) == 0 for width in widths) and max(degrees) <= 4


def tabulate(
    filters: tuple[FilterParameters, FilterParameters],
    *,
    first_layer: bool,
    num_heads: int,
    degrees: tuple[int, ...],
    average_neighbors: float,
    cutoff: float,
    gamma: float,
    precision: Precision = "float32",
    knots: int | None = None,
) -> TabulatedFilters:
    """Make the table of a layer in float64.

    Args:
        filters: of the features (1) and of the Euclidean variables (2).
        first_layer: whether the Euclidean variables are zero.
        num_heads: heads of attention 1; attention 2 has one per degree.
        degrees: degrees l of the Euclidean variables.
        average_neighbors: the constant n by which attention is divided.
        cutoff: in A.
        gamma: in 1/A, of the radial basis.
        precision: that will compute with the table; it sets the tolerances.
        knots: how many; by default as few as keep the errors below the tolerances.
    """
    decay, count = gamma / 2, knots or FEWEST_KNOTS
    table, error, slope_error = _table(filters, decay, cutoff, count)
    tolerance, slope_tolerance = TOLERANCES[precision]
    while knots is None and count < MAX_KNOTS and (error > tolerance or slope_error > slope_tolerance):
        needed = count * max((error / tolerance) ** (1 / 4), (slope_error / slope_tolerance) ** (1 / 3))
        count = min(MAX_KNOTS, 32 * math.ceil(1.02 * max(needed, count + 1) / 32))
        table, error, slope_error = _table(filters, decay, cutoff, count)
    table[:, 0] += np.concatenate([_constant(filter_, first_layer) for filter_ in filters])
    first, bias, second = _spherical(filters)
    return TabulatedFilters(
        table=table,  # pyright: ignore[reportArgumentType]
        first=first,  # pyright: ignore[reportArgumentType]
        bias=bias,  # pyright: ignore[reportArgumentType]
        second=second,  # pyright: ignore[reportArgumentType]
        second_transposed=np.ascontiguousarray(second.swapaxes(1, 2)),  # pyright: ignore[reportArgumentType]
        num_heads=num_heads,
        degrees=tuple(degrees),
        average_neighbors=average_neighbors,
        cutoff=cutoff,
        decay=decay,
        precision=precision,
        error=error,
        slope_error=slope_error,
    )


def _table(
    filters: tuple[FilterParameters, FilterParameters], decay: float, cutoff: float, knots: int
) -> tuple[np.ndarray, float, float]:
    """Values and slopes (knots, 2, 2F), and their largest errors between knots relative to the largest value."""

    def exact(y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        value, slope = zip(*(_radial(parameters, y) for parameters in filters), strict=True)
        return np.concatenate(value, axis=1), np.concatenate(slope, axis=1)

    y = np.linspace(np.exp(-decay * cutoff), 1, knots)
    step = y[1] - y[0]
    value, slope = exact(y)
    table = np.stack([value, slope * step], axis=1)
    left = (y < np.exp(-decay * NEAREST))[1:]
    before, after = table[:-1][left], table[1:][left]
    # The error of a cubic Hermite piece goes as t^2 (1-t)^2, that of its slope as t (1-t) (1-2t): each at its largest.
    middle = (before[:, 0] + after[:, 0]) / 2 + (before[:, 1] - after[:, 1]) / 8
    value_error = np.abs(middle - exact(y[:-1][left] + step / 2)[0]).max()
    t = (1 - 3**-0.5) / 2
    rise = 6 * t * (1 - t) * (after[:, 0] - before[:, 0])
    tilted = rise + (1 - t) * (1 - 3 * t) * before[:, 1] + t * (3 * t - 2) * after[:, 1]
    there = y[:-1][left] + t * step
    slope_error = np.abs((tilted / step - exact(there)[1]) * decay * there[:, None]).max()
    largest = np.abs(value).max()
    return table, float(value_error / largest), float(slope_error / largest)


def _radial(parameters: FilterParameters, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """R and dR/dy, both (T, F)."""
    kernel, bias, second_kernel, second_bias = (np.asarray(part, np.float64) for part in parameters.radial)
    basis, basis_slope = _bernstein(y, len(kernel))
    inner, inner_slope = _silu(basis @ kernel + bias)
    return inner @ second_kernel + second_bias, (inner_slope * (basis_slope @ kernel)) @ second_kernel


def _bernstein(y: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """b_k = binom(n, k) x^k (1 - x)^(n - k) with x = y^2, n = size - 1, and db_k/dy."""
    n = size - 1
    k = np.arange(size)
    binomial = np.exp(gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1))
    x = y[:, None] ** 2
    rest = 1 - x
    basis = binomial * x**k * rest ** (n - k)
    rising = k * x ** np.maximum(k - 1, 0) * rest ** (n - k)
    falling = (n - k) * x**k * rest ** np.maximum(n - k - 1, 0)
    return basis, binomial * (rising - falling) * 2 * y[:, None]


def _silu(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """silu(x) and its derivative."""
    sigmoid = 1 / (1 + np.exp(-x))
    return x * sigmoid, sigmoid * (1 + x * (1 - sigmoid))


def _constant(parameters: FilterParameters, first_layer: bool) -> np.ndarray:
    """What the spherical network adds whatever the Euclidean variables are: its bias, or in the first layer, all."""
    _, bias, second_kernel, second_bias = (np.asarray(part, np.float64) for part in parameters.spherical)
    return second_bias + _silu(bias)[0] @ second_kernel if first_layer else second_bias


def _spherical(filters: tuple[FilterParameters, FilterParameters]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Kernel, bias and second kernel of both spherical networks; free hidden places give silu(0) = 0."""
    first, bias, second = [], [], []
    for parameters in filters:
        kernel, inner_bias, second_kernel, _ = (np.asarray(part, np.float64) for part in parameters.spherical)
        free = (0, -len(inner_bias) % _LANES)
        first.append(np.pad(kernel, ((0, 0), free)))
        bias.append(np.pad(inner_bias, free))
        second.append(np.pad(second_kernel, (free, (0, 0))))
    return np.concatenate(first, axis=1), np.concatenate(bias), np.stack(second)

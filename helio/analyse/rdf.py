"""Radial distribution functions and coordination numbers."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations_with_replacement
from typing import Any

import numpy as np
from scipy.signal import find_peaks, savgol_filter

from helio.analyse.analysis import Analysis
from helio.analyse.frames import Frames
from helio.analyse.observable import Curve, Observable, Value
from helio.analyse.statistics import Blocks
from helio.errors import HelioError

# Elements of which all pairs are taken where none are named: the most frequent ones.
_ELEMENTS = 3
_MANY = 5_000  # atoms; among more, neighbours are found on a grid
_FARTHEST = 10.0  # A; the default range ends here or at half the box


@dataclass(frozen=True)
class _Kind:
    """One kind of pairs: atoms by their places among the chosen ones, and how often each pair is met."""

    name: str
    first: np.ndarray
    second: np.ndarray
    partners: float  # that an atom of the first side has on average
    same: bool


def rdf(
    frames: Frames,
    *,
    pairs: str | None = None,
    range_A: float | None = None,
    width_A: float = 0.05,
    within_molecules: bool = False,
    most_pairs: int = 10_000_000,
) -> Observable:
    """Radial distribution functions g(r) between elements, and coordination numbers.

    g_ab(r) = V n_ab(r) / (P_ab 4 pi r^2 dr), with n_ab the mean number of b at a distance r from an a, of P_ab there
    are: 1 for atoms without interaction. The coordination number is the mean number of b around a within r.

    Args:
        frames: of a periodic system.
        pairs: such as "O-O,O-H"; by default all of the three most frequent elements.
        range_A: largest distance; at most, and by default, half of the shortest height of the box (but 10 A).
        width_A: of a bin.
        within_molecules: also count pairs of one molecule.
        most_pairs: of one kind in all frames. Where there are more, a frame takes a part of the first atoms, and the
            next frame another part. Ten million leave an error of about 0.5 % in the first peak of a liquid.

    Raises:
        HelioError: there is no box, `range_A` is beyond half of it, or an element is not there.
    """
    frames.need_box()
    frames.need_frames(2)
    reach = _reach(frames, range_A)
    kinds = _kinds(frames, pairs, within_molecules)
    edges = np.arange(0, reach + 1e-9, width_A)
    if len(edges) < 10:
        raise HelioError(f"bins of {width_A} A are too wide for a range of {reach:.2f} A")
    blocks = [Blocks() for _ in kinds]
    labels = frames.molecules[frames.atoms.ix]
    sphere = 4 / 3 * np.pi * reach**3 / frames.first().volume
    strides = [_stride(kind, sphere, len(frames), most_pairs) for kind in kinds]
    for turn, moment in enumerate(frames):
        for kind, stride, block in zip(kinds, strides, blocks, strict=True):
            centers = kind.first[turn % stride :: stride]
            counts = _counts(frames.atoms.positions, moment.dimensions, kind, centers, edges, labels, within_molecules)
            block.add(np.stack([counts, counts * moment.volume]))  # each frame by its own density
    found = [_one(kind, block, edges) for kind, block in zip(kinds, blocks, strict=True)]
    return Observable(
        name="rdf",
        title="Radial distribution functions",
        values=tuple(value for values, _ in found for value in values),
        curves=tuple(curve for _, curves in found for curve in curves),
        notes=(
            f"{len(frames)} frames; distances up to {edges[-1]:.2f} Å in bins of {width_A:g} Å; pairs "
            f"{'with' if within_molecules else 'without'} those of one molecule.",
            *(
                f"{kind.name}: one in {stride} of the first atoms in each frame, in turn."
                for kind, stride in zip(kinds, strides, strict=True)
                if stride > 1
            ),
            *dict.fromkeys(note for block in blocks for note in block.notes()),
        ),
        method="Histograms of minimum-image distances; errors by blocking.",
        runs=(frames.label,),
    )


def _reach(frames: Frames, wanted: float | None) -> float:
    """Half of the smallest height of the box in any frame, or what is wanted."""
    half = frames.smallest_height_A / 2
    if wanted is not None and wanted > half + 1e-3:
        raise HelioError(f"a range of {wanted:g} A is beyond half of the box where it is smallest, {half:.2f} A")
    return min(half, _FARTHEST) if wanted is None else wanted


def _kinds(frames: Frames, pairs: str | None, within_molecules: bool) -> list[_Kind]:
    from ase.data import chemical_symbols

    symbols = np.array([chemical_symbols[number] for number in frames.atomic_numbers[frames.atoms.ix]])
    if pairs is None:
        names, counts = np.unique(symbols, return_counts=True)
        frequent = sorted(names[np.argsort(-counts, kind="stable")][:_ELEMENTS].tolist(), reverse=True)
        chosen = list(combinations_with_replacement(frequent, 2))
    else:
        chosen = [tuple(pair.strip().split("-")) for pair in pairs.split(",")]
    kinds = []
    for pair in chosen:
        if len(pair) != 2 or not all(symbol in symbols for symbol in pair):
            raise HelioError(f"{'-'.join(pair)} is no pair of elements of {frames.label}; give pairs such as O-O,O-H")
        first, second = (np.flatnonzero(symbols == symbol) for symbol in pair)
        same = pair[0] == pair[1]
        partners = len(second) - 1.0 if same else float(len(second))
        if not within_molecules:
            partners -= _inside_molecules(frames.molecules[frames.atoms.ix], first, second, same) / len(first)
        if partners > 0:
            kinds.append(_Kind("-".join(pair), first, second, partners, same))
    if not kinds:
        raise HelioError(f"{frames.label} has no two atoms of different molecules; count pairs within_molecules")
    return kinds


def _inside_molecules(labels: np.ndarray, first: np.ndarray, second: np.ndarray, same: bool) -> int:
    """Ordered pairs of different atoms within molecules."""
    one, other = (np.bincount(labels[part], minlength=labels.max() + 1) for part in (first, second))
    return int((one * (one - 1) if same else one * other).sum())


def _stride(kind: _Kind, sphere: float, frames: int, most_pairs: int) -> int:
    """Every which of the first atoms is taken; `sphere` is the share of the box that the range fills."""
    expected = len(kind.first) * kind.partners * sphere * frames * (0.5 if kind.same else 1)
    return min(len(kind.first), max(1, round(expected / max(1, most_pairs))))


def _counts(
    positions: np.ndarray,
    box: np.ndarray,
    kind: _Kind,
    centers: np.ndarray,
    edges: np.ndarray,
    labels: np.ndarray,
    within: bool,
) -> np.ndarray:
    """The mean number of second atoms around one of `centers`, in each bin."""
    from MDAnalysis.lib.distances import capped_distance, self_capped_distance

    ordered = not (kind.same and len(centers) == len(kind.first))
    # What MDAnalysis chooses by itself is slow for few atoms among many.
    how: Any = {"max_cutoff": edges[-1], "box": box, "method": "nsgrid" if len(kind.second) > _MANY else None}
    if ordered:
        found, distances = capped_distance(positions[centers], positions[kind.second], **how)
    else:
        found, distances = self_capped_distance(positions[centers], **how)
    one, other = centers[found[:, 0]], kind.second[found[:, 1]]
    kept = labels[one] != labels[other] if not within else one != other
    return np.histogram(distances[kept], edges)[0] * ((1 if ordered else 2) / len(centers))


def _one(kind: _Kind, block: Blocks, edges: np.ndarray) -> tuple[list[Value], list[Curve]]:
    """Values and curves from blocks of counts, and of counts times the volume of their frames (2, bins)."""
    middles = 0.5 * (edges[1:] + edges[:-1])
    to_g = 1 / (kind.partners * 4 / 3 * np.pi * np.diff(edges**3))
    running = Blocks()
    for counts, _ in block.means():
        running.add(np.cumsum(counts))
    (mean, weighted), (_, error) = block.mean(), block.error()
    labels = ("r (Å)", "neighbours within r")
    curves = [
        Curve(kind.name, middles, weighted * to_g, error * to_g, "r (Å)", "g(r)"),
        Curve(f"{kind.name} number", edges[1:], np.cumsum(mean), running.error(), *labels),
    ]
    return _features(kind, block, middles, to_g), curves


def _features(kind: _Kind, block: Blocks, middles: np.ndarray, to_g: np.ndarray) -> list[Value]:
    """First peak, first minimum and coordination number, where there is a peak."""
    smooth = _smoothed(block.mean()[1] * to_g, middles)
    peaks, _ = find_peaks(smooth, height=0.3, prominence=max(0.15, 0.05 * smooth.max()))
    if len(peaks) == 0:
        return []
    peak = float(middles[peaks[0]])
    behind = (middles > peak) & (middles < (middles[peaks[1]] if len(peaks) > 1 else 1.8 * peak))
    if not behind.any():
        return []
    lowest = float(middles[behind][np.argmin(smooth[behind])])

    def features(mean: np.ndarray) -> np.ndarray:
        counts, weighted = mean
        g = _smoothed(weighted * to_g, middles)
        top, bottom = _extremum(middles, g, peak, 1), _extremum(middles, g, lowest, -1)
        return np.array([*top, *bottom, np.interp(bottom[0], middles, np.cumsum(counts))])

    values, errors = block.jackknife(features)
    sides = kind.name.split("-")
    names = (
        ("first peak at", "Å"),
        ("height of the first peak", ""),
        ("first minimum at", "Å"),
        ("depth of the first minimum", ""),
        (f"{sides[1]} around {sides[0]} up to the minimum", ""),
    )
    return [
        Value(f"{kind.name} {name}", float(value), float(error), unit)
        for (name, unit), value, error in zip(names, values, errors, strict=True)
    ]


def _smoothed(g: np.ndarray, middles: np.ndarray) -> np.ndarray:
    """By a cubic over 0.3 A, so that noise makes no peaks; heights of peaks change by about a percent."""
    window = max(5, 2 * round(0.15 / (middles[1] - middles[0])) + 1)
    return np.asarray(savgol_filter(g, min(window, len(g) // 2 * 2 - 1), 3))


def _extremum(middles: np.ndarray, g: np.ndarray, near: float, sign: int) -> tuple[float, float]:
    """Place and height of the maximum (minimum) within 0.3 A of `near`, by a parabola through three points."""
    inside = np.flatnonzero(np.abs(middles - near) < 0.3)
    best = int(inside[np.argmax(sign * g[inside])])
    best = min(max(best, 1), len(g) - 2)
    left, middle, right = g[best - 1 : best + 2]
    curvature = left - 2 * middle + right
    shift = 0.0 if curvature == 0 else float(np.clip(0.5 * (left - right) / curvature, -1, 1))
    height = middle - 0.25 * (left - right) * shift
    return float(middles[best] + shift * (middles[1] - middles[0])), float(height)


def _fits(frames: Frames) -> bool:
    return frames.has_box() and len(frames) > 1 and int(frames.molecules.max()) >= 9


ANALYSIS = Analysis(
    name="rdf",
    title="Radial distribution functions",
    help="Distances between elements of different molecules, and coordination numbers.",
    function=rdf,
    fits=_fits,
)

"""Curves and distances between them, of one system as a model and as simulation has it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from helio.coarse.evaluation import distribution
from helio.coarse.evaluation.contacts import bond_length, contact_error, contact_map
from helio.coarse.evaluation.correlation import autocorrelation
from helio.coarse.evaluation.pair_distribution import PairDistribution, pair_distribution, pair_distribution_error
from helio.coarse.evaluation.properties import Gyration, diffusions, gyration_series
from helio.coarse.evaluation.track import CHAIN, Track

_POINTS = 120
_CONTACT = 1.5  # root mean square lengths of a bond between groups within which two of them touch
_MOST_FRAMES = 1000  # that contacts and pair distributions are counted in


@dataclass(frozen=True)
class Reference:
    """The simulation of a system, and what follows from it for all that is compared with it."""

    track: Track
    gyration: Gyration
    contact_length: float | None = field(init=False)
    edges: np.ndarray | None = field(init=False)  # of the histogram of Rg^2
    reach: float | None = field(init=False)  # of pair distributions

    def __post_init__(self) -> None:
        chains = CHAIN in self.track.kinds
        length = _CONTACT * bond_length(self.track.centers, self.track.bonds) if chains else None
        edges = None
        if chains:
            series = gyration_series(self.track, self.gyration)
            edges = np.linspace(0.0, 1.25 * series.max(), 61)
        reach = None if self.track.boxes is None else float(self.track.boxes.min() / 2)
        for name, value in (("contact_length", length), ("edges", edges), ("reach", reach)):
            object.__setattr__(self, name, value)


@dataclass(frozen=True)
class Curves:
    """Of one track of a system; where something does not apply, it is None or empty."""

    series: np.ndarray | None  # Rg^2 (T, C) of the chains
    histogram: np.ndarray | None  # of it, at the reference's edges
    lags: np.ndarray | None  # of its autocorrelation
    correlation: np.ndarray | None
    contacts: np.ndarray | None  # (G, G)
    pairs: dict[str, PairDistribution]
    squares: dict[str, tuple[np.ndarray, np.ndarray]]  # lags and mean squared displacement of each kind of molecules


def curves_of(track: Track, reference: Reference, *, longest: float) -> Curves:
    """All curves of a track; the autocorrelation up to the lag `longest`."""
    thin = track.centers[:: max(1, len(track) // _MOST_FRAMES)]
    boxes = None if track.boxes is None else track.boxes[:: max(1, len(track) // _MOST_FRAMES)]
    series = histogram = lags = correlation = None
    if reference.edges is not None:
        series = gyration_series(track, reference.gyration)
        histogram = distribution.histogram(series, reference.edges)
        if len(series) >= 4:
            correlation = autocorrelation(series)[: max(2, round(longest / track.interval))]
            lags = np.arange(len(correlation)) * track.interval
    contacts = None
    if reference.contact_length is not None:
        box = None if boxes is None else boxes.mean(axis=0)
        contacts = contact_map(thin, cutoff=reference.contact_length, box=box)
    moved = diffusions(track)
    return Curves(
        series=series,
        histogram=histogram,
        lags=lags,
        correlation=correlation,
        contacts=contacts,
        pairs={} if boxes is None or len(thin) < 8 else _pairs(track, thin, boxes, reference.reach),
        squares={kind: (found.times, found.squares) for kind, found in moved.items()},
    )


def distances(found: Curves, exact: Curves, bonds: np.ndarray) -> dict[str, float]:
    """How far two sets of curves are apart; 0 for the same."""
    apart: dict[str, float] = {}
    if found.series is not None and exact.series is not None:
        apart["earth mover's distance of Rg²"] = distribution.earth_mover_distance(found.series, exact.series)
    if found.contacts is not None and exact.contacts is not None:
        apart["contact map, mean absolute difference"] = contact_error(found.contacts, exact.contacts, bonds)
    for name in found.pairs.keys() & exact.pairs.keys():
        apart[f"g(r) of {name}, mean absolute difference"] = pair_distribution_error(
            found.pairs[name], exact.pairs[name]
        )
    return apart


def thinned(x: np.ndarray, y: np.ndarray) -> tuple[list[float], list[float]]:
    """A curve with at most 120 points, for a record."""
    chosen = np.unique(np.linspace(0, len(x) - 1, _POINTS).astype(int))
    return x[chosen].tolist(), y[chosen].tolist()


def _pairs(track: Track, centers: np.ndarray, boxes: np.ndarray, reach: float | None) -> dict[str, PairDistribution]:
    """g(r) of all kinds of groups: those of chains, and single molecules; without pairs of one molecule."""
    assert reach is not None
    kinds = sorted(set(track.kinds))
    groups = {kind: track.groups_of_kind(kind) for kind in kinds}
    most = min(reach, float(boxes.min()) / 2)
    found = {}
    for i, first in enumerate(kinds):
        for second in kinds[i:]:
            if first == second and len(track.of_kind(first)) < 2:
                continue
            found[f"{first} and {second}"] = pair_distribution(
                centers, groups[first], groups[second], boxes, reach=most, molecules=track.molecules
            )
    return found

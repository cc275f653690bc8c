"""Membranes: area per lipid, thickness from the electron density, order of the tails.

| symbol | variable | |
|---|---|---|
| A | `area` | of the box in x and y, A^2 |
| D_HH | `thickness` | distance of the maxima of the electron density, A |
| S_CD | | <3 cos^2(theta) - 1> / 2, theta between a C-H bond and z |
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from helio.analyse.analysis import Analysis
from helio.analyse.frames import Frames
from helio.analyse.lipids import Tail, tails
from helio.analyse.observable import Curve, Observable, Value
from helio.analyse.segments import waters
from helio.analyse.statistics import Blocks, few_notes, mean_and_error, spread_error
from helio.errors import HelioError

# The maximum of the density is that of a parabola through the bins within this distance (A) of the highest one.
_PEAK = 3.0
# Fewer lipids in a leaflet make no membrane.
_FEWEST = 2


@dataclass(frozen=True)
class _Bilayer:
    """Numbers of atoms in the universe."""

    tails: list[Tail]
    lipids: int
    upper: int  # lipids whose tails point to -z
    ends: np.ndarray  # methyl carbons at the tails' ends, around which the middle is
    carbons: np.ndarray  # (M,) of each C-H bond of tails
    hydrogens: np.ndarray  # (M,)


def membrane(frames: Frames, *, width_A: float = 0.5) -> Observable:
    """Area per lipid, head-to-head thickness D_HH and order parameters -S_CD of each tail's carbons.

    The normal is z. The area is that of the box over half of the lipids; D_HH is the distance between the maxima of the
    electron density (of neutral atoms, made symmetric about the middle, which the ends of the tails mark).
    S_CD = <3 cos^2(theta) - 1> / 2, with theta between C-H and z, averaged over lipids and time; its error is the
    spread between lipids.

    Args:
        frames: of a bilayer with its normal along z, periodic.
        width_A: of a bin of the density.

    Raises:
        HelioError: there is no box, its z is not normal to x and y, or there are no two leaflets of lipids.
    """
    bilayer = _bilayer(frames)
    edges = _edges(frames, width_A)
    parts = _parts(frames)
    electrons = frames.atomic_numbers.astype(float)
    areas = np.empty(len(frames))
    density = Blocks()
    cosines = np.zeros(len(bilayer.carbons))
    for i, moment in enumerate(frames):
        areas[i] = _area(moment.dimensions)
        heights = _heights(moment.positions[:, 2], bilayer.ends, float(moment.dimensions[2]))
        density.add(np.stack([_profile(heights[part], electrons[part], edges) / areas[i] for part in parts.values()]))
        cosines += _squared_cosines(moment.positions, moment.dimensions, bilayer)
    per_lipid = areas / (bilayer.lipids / 2)
    thickness, error = density.jackknife(lambda mean: _thickness(mean[0], edges)) if len(frames) > 1 else (
        _thickness(density.mean()[0], edges), np.float64("nan"))  # fmt: skip
    order_values, order_curves = _order(bilayer.tails, order_parameters(cosines / len(frames)))
    values = (
        Value("area per lipid", *mean_and_error(per_lipid), "Å²"),
        Value("D_HH", float(thickness), float(error), "Å", note="between the maxima of the electron density"),
        *order_values,
    )
    area = Curve("area per lipid", frames.times_ps, per_lipid, None, "time (ps)", "area per lipid (Å²)")
    return Observable(
        name="membrane",
        title="Membrane",
        values=values,
        curves=(*_density_curves(list(parts), density, edges), *order_curves, area),
        notes=(
            f"{len(frames)} frames; {bilayer.lipids} lipids with tails, {bilayer.upper} in the upper leaflet.",
            "Electrons are those of neutral atoms; errors of order parameters are from the spread between lipids.",
            *dict.fromkeys((*density.notes(), *few_notes([per_lipid]))),
        ),
        method="Normal along z; -S_CD = -<3 cos²θ - 1>/2 of C-H bonds.",
        runs=(frames.label,),
    )


def order_parameters(squared_cosines: np.ndarray) -> np.ndarray:
    """S = (3 <cos^2 theta> - 1) / 2, element by element."""
    return 0.5 * (3 * squared_cosines - 1)


def _bilayer(frames: Frames) -> _Bilayer:
    frames.need_box()
    dimensions = frames.first().dimensions
    if not np.allclose(dimensions[3:5], 90.0, atol=0.1):
        raise HelioError(f"the box of {frames.label} has its third edge not along z, which this analysis needs")
    found = tails(frames)
    first = frames.first()
    along = np.array([_reach(first, tail) for tail in found])
    upper = len({tail.molecule for tail, z in zip(found, along, strict=True) if z < 0})
    lipids = len({tail.molecule for tail in found})
    if min(upper, lipids - upper) < _FEWEST:
        raise HelioError(
            f"{frames.label} holds no bilayer along z: {lipids} molecules with acyl chains, {upper} of them with tails "
            "that point down"
        )
    pairs = [(c, h) for tail in found for c, hs in zip(tail.carbons, tail.hydrogens, strict=True) for h in hs]
    carbons, hydrogens = np.array(pairs).T
    return _Bilayer(found, lipids, upper, np.array([tail.carbons[-1] for tail in found]), carbons, hydrogens)


def _reach(moment, tail: Tail) -> float:
    """Height of the tail's end above its beginning, summed bond by bond so that a box may cut it."""
    from MDAnalysis.lib.distances import minimize_vectors

    steps = np.diff(moment.positions[list(tail.carbons)], axis=0)
    return float(minimize_vectors(steps, moment.dimensions)[:, 2].sum())


def _edges(frames: Frames, width: float) -> np.ndarray:
    """Of bins that are symmetric about 0; one A less than the box on either side, for boxes that change."""
    half = float(frames.first().dimensions[2]) / 2 - 1.0
    count = int(half / width) if width > 0 else 0
    if count < 20:
        raise HelioError(f"bins of {width:g} A are too wide for a box of {2 * half + 2:.1f} A")
    return np.arange(-count, count + 1) * width


def _parts(frames: Frames) -> dict[str, np.ndarray]:
    water = waters(frames).ravel()
    parts = {"all but water": np.setdiff1d(frames.atoms.ix, water), "water": water} if len(water) else {}
    return {"all": frames.atoms.ix} | parts


def _area(dimensions: np.ndarray) -> float:
    return float(dimensions[0] * dimensions[1] * np.sin(np.radians(dimensions[5])))


def _heights(z: np.ndarray, ends: np.ndarray, length: float) -> np.ndarray:
    """Heights above the middle, which is the mean of the tails' ends on the circle that z is, from -L/2 to L/2."""
    angles = 2 * np.pi * z[ends] / length
    middle = np.angle(np.exp(1j * angles).mean()) * length / (2 * np.pi)
    return (z - middle + length / 2) % length - length / 2


def _profile(heights: np.ndarray, electrons: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Electrons per A."""
    counts, _ = np.histogram(heights, bins=edges, weights=electrons)
    return counts / (edges[1] - edges[0])


def _squared_cosines(positions: np.ndarray, dimensions: np.ndarray, bilayer: _Bilayer) -> np.ndarray:
    from MDAnalysis.lib.distances import minimize_vectors

    vectors = minimize_vectors(positions[bilayer.hydrogens] - positions[bilayer.carbons], dimensions).astype(float)
    return vectors[:, 2] ** 2 / np.square(vectors).sum(axis=1)


def _thickness(profile: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Twice the height of the maximum of the symmetric profile."""
    middles = 0.5 * (edges[1:] + edges[:-1])
    symmetric = 0.5 * (profile + profile[::-1])
    height = abs(middles[np.argmax(symmetric)])
    near = np.abs(middles - height) <= _PEAK
    a, b, _ = np.polyfit(middles[near] - height, symmetric[near], 2)
    top = -b / (2 * a) if a < 0 else 0.0
    return np.asarray(2 * (height + np.clip(top, -_PEAK, _PEAK)))


def _order(found: list[Tail], parameters: np.ndarray) -> tuple[list[Value], list[Curve]]:
    """-S_CD of each kind of tail against the carbon's number, from S of each C-H bond in the order of the tails."""
    kinds: dict[tuple[str, tuple[int, ...]], list[np.ndarray]] = {}
    begin = 0
    for tail in found:
        counts = tuple(len(hydrogens) for hydrogens in tail.hydrogens)
        own = parameters[begin : begin + sum(counts)]
        begin += sum(counts)
        sums = np.bincount(np.repeat(np.arange(len(counts)), counts), own, minlength=len(counts))
        carrying = np.array(counts) > 0
        kinds.setdefault((tail.name, counts), []).append(-sums[carrying] / np.array(counts)[carrying])
    values, curves = [], []
    for (name, counts), tails_of_kind in kinds.items():
        label = f"{name} ({_formula(counts)})"
        each = np.stack(tails_of_kind)
        curves.append(Curve(label, np.flatnonzero(counts) + 1.0, *_mean_of_lipids(each), "carbon", "-S_CD"))
        mean, error = _mean_of_lipids(each.mean(axis=1))
        values.append(Value(f"mean -S_CD, {label}", float(mean), float(error), note="of all its carbons"))
    return values, curves


def _formula(hydrogens: tuple[int, ...]) -> str:
    """Carbons and double bonds of a chain, such as 18:1."""
    return f"{len(hydrogens)}:{sum(count == 1 for count in hydrogens) // 2}"


def _mean_of_lipids(each: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean over the first axis, and its error; NaN for one lipid."""
    return each.mean(axis=0), spread_error(each)


def _density_curves(names: list[str], density: Blocks, edges: np.ndarray) -> list[Curve]:
    middles = 0.5 * (edges[1:] + edges[:-1])
    labels = ("z (Å)", "electron density (e/Å³)")
    mean, error = density.mean(), density.error()
    return [Curve(name, middles, mean[k], error[k], *labels) for k, name in enumerate(names)]


def _fits(frames: Frames) -> bool:
    return frames.has_box() and len({tail.molecule for tail in tails(frames)}) >= 2 * _FEWEST


ANALYSIS = Analysis(
    name="membrane",
    title="Membrane",
    help="Area per lipid, thickness from the electron density, and order parameters of the tails.",
    function=membrane,
    fits=_fits,
)

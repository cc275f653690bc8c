"""X-ray and neutron structure factors, from sums over the wave vectors that fit the box.

| symbol | variable | |
|---|---|---|
| A_ab(q) = <rho_a(k) rho_b(-k)> / N | `partial` | rho_a(k) = sum_{i in a} exp(i k.r_i); mean over k of norm q |
| S(q) = 1 + (sum_ab f_a f_b A_ab - sum_a c_a f_a^2) / (sum_a c_a f_a)^2 | `_total` | Faber and Ziman (1965) |
| f_a(q) | `_weights` | form factor of X-rays, Waasmaier and Kirfel (1995), or coherent scattering length of neutrons |
"""

from __future__ import annotations

from itertools import combinations_with_replacement

import numpy as np

from helio.analyse.analysis import Analysis
from helio.analyse.frames import Frames
from helio.analyse.observable import Curve, Observable, Value
from helio.analyse.statistics import Blocks
from helio.errors import HelioError

_PER_BIN = 60  # wave vectors; more than this many of one length are chosen from at random
_SMALL = 0.2  # <f>^2 below this share of <f^2> is too small to divide by
_AT_ONCE = 4_000_000  # phases in memory
_PHASES = 500_000_000  # in all; they take about ten seconds


def structure_factor(
    frames: Frames,
    *,
    highest_per_A: float = 12.0,
    width_per_A: float = 0.1,
    most_frames: int | None = None,
    deuterated: bool = False,
) -> Observable:
    """Structure factors of X-rays and neutrons in the form of Faber and Ziman: 1 far away, all pairs counted.

    Where scattering lengths nearly cancel, as of neutrons in light water, <b>^2 is almost nothing, and the intensity is
    divided by <b^2> instead.

    Args:
        frames: of a periodic system.
        highest_per_A: the range of q ends here, in 1/A.
        width_per_A: of a bin of q.
        most_frames: evenly chosen where there are more; by default 100, and fewer for large systems.
        deuterated: neutrons see hydrogen as deuterium.

    Raises:
        HelioError: no box, a box too small for the bins.
    """
    frames.need_box()
    frames.need_frames(2)
    if not 0 < width_per_A < highest_per_A:
        raise HelioError(f"q in bins of {width_per_A:g} up to {highest_per_A:g} 1/A makes no sense")
    cell = np.asarray(frames.first().triclinic_dimensions, float)
    indices = _wave_vectors(cell, highest_per_A, width_per_A)
    symbols = np.array(frames.atoms.elements)
    elements = sorted(set(symbols.tolist()))
    groups = [np.flatnonzero(symbols == element) for element in elements]
    edges = np.arange(0, highest_per_A + 1e-9, width_per_A)
    blocks = Blocks(most=128)
    affordable = _PHASES // (len(indices) * len(symbols))
    most = max(8, min(100, affordable)) if most_frames is None else most_frames
    numbers = [frames.numbers[i] for i in np.unique(np.linspace(0, len(frames) - 1, most).astype(int))]
    # A bin is filled or not: lengths are those in the first box, so that a changing box does not move them to and fro.
    place = np.digitize(np.linalg.norm(indices @ _reciprocal(cell), axis=1), edges) - 1
    filled = np.flatnonzero(np.bincount(place, minlength=len(edges) - 1))
    lengths = Blocks(most=4)
    for number in numbers:
        moment = frames.moment(number)
        vectors = indices @ _reciprocal(moment.triclinic_dimensions.astype(float))
        lengths.add(_binned(np.linalg.norm(vectors, axis=1)[None], place)[0, filled])
        blocks.add(_partial(frames.atoms.positions.astype(float), vectors, groups, place)[:, filled])
    return _observable(frames, elements, groups, lengths.mean(), blocks, deuterated=deuterated, used=len(numbers))


def _reciprocal(cell: np.ndarray) -> np.ndarray:
    """Rows are the wave vectors of the box, in 1/A."""
    return 2 * np.pi * np.linalg.inv(cell).T


def _wave_vectors(cell: np.ndarray, highest: float, width: float) -> np.ndarray:
    """Whole numbers (K, 3) of the wave vectors to sum over: half of space, and of each length not too many."""
    most = np.floor(highest * np.linalg.norm(cell, axis=1) / (2 * np.pi)).astype(int)
    across = np.meshgrid(np.arange(-most[1], most[1] + 1), np.arange(-most[2], most[2] + 1), indexing="ij")
    grid = np.stack(across, axis=-1).reshape(-1, 2)
    planes, places = [], []
    for first in range(most[0] + 1):
        plane = np.column_stack([np.full(len(grid), first), grid])
        if first == 0:  # k and -k give the same
            plane = plane[(plane[:, 1] > 0) | ((plane[:, 1] == 0) & (plane[:, 2] > 0))]
        lengths = np.linalg.norm(plane @ _reciprocal(cell), axis=1)
        planes.append(plane[lengths < highest])
        places.append((lengths[lengths < highest] / width).astype(int))
    vectors, place = np.concatenate(planes), np.concatenate(places)
    if len(vectors) == 0:
        raise HelioError(f"the box is too small for wave vectors up to {highest:g} 1/A")
    chance = _PER_BIN / np.bincount(place)[place]
    return vectors[np.random.default_rng(0).uniform(size=len(vectors)) < chance]


def _binned(rows: np.ndarray, place: np.ndarray) -> np.ndarray:
    """Means of rows (R, K) over the wave vectors of each bin, (R, bins); 0 where a bin has none."""
    counts = np.bincount(place)
    return np.stack([np.bincount(place, row) for row in rows]) / np.maximum(counts, 1)


def _partial(positions: np.ndarray, vectors: np.ndarray, groups: list[np.ndarray], place: np.ndarray) -> np.ndarray:
    """A_ab (pairs, bins), over the pairs of groups in the order of `combinations_with_replacement`."""
    densities = np.empty((len(groups), len(vectors)), complex)
    at_once = max(1, _AT_ONCE // max(len(group) for group in groups))
    for row, group in enumerate(groups):
        for begin in range(0, len(vectors), at_once):
            phases = (vectors[begin : begin + at_once] @ positions[group].T).astype(np.float32)
            densities[row, begin : begin + at_once] = np.exp(1j * phases).sum(axis=1)
    pairs = combinations_with_replacement(range(len(groups)), 2)
    products = np.stack([(densities[a] * densities[b].conj()).real for a, b in pairs]) / len(positions)
    return _binned(products, place)


def _observable(
    frames: Frames,
    elements: list[str],
    groups: list[np.ndarray],
    q: np.ndarray,
    blocks: Blocks,
    *,
    deuterated: bool,
    used: int,
) -> Observable:
    shares = np.array([len(group) for group in groups]) / sum(len(group) for group in groups)
    curves, values = [], []
    notes = []
    for name, weights in _weights(elements, q, deuterated).items():
        small = bool(((shares @ weights) ** 2 < _SMALL * (shares @ weights**2)).any())
        scale = shares @ weights**2 if small else (shares @ weights) ** 2
        mean, error = blocks.jackknife(lambda partial, w=weights, s=scale: _total(partial, w, shares, s))
        curves.append(Curve(name, q, mean, error, "q (1/Å)", "I(q) / ⟨b²⟩" if small else "S(q)"))
        if small:
            notes.append(
                f"Scattering lengths of {name}s cancel on average ({float((shares @ weights)[0]):.2f} fm), so that the "
                "form of Faber and Ziman would divide by almost nothing: shown is the intensity over the mean square "
                "of the lengths." + ("" if deuterated else " deuterated=yes shows the heavy liquid, as in experiments.")
            )
        best = int(np.argmax(mean))
        values.append(Value(f"{name}, highest at", float(q[best]), float(np.diff(q).mean() / 2), "1/Å", "half a bin"))
        values.append(Value(f"{name}, height", float(mean[best]), float(error[best])))
    return Observable(
        name="structure_factor",
        title="Structure factors",
        values=tuple(values),
        curves=tuple(curves),
        notes=(
            f"{used} frames; q above {2 * np.pi / np.cbrt(frames.first().volume):.2f} 1/Å fits the box; up to about "
            f"{_PER_BIN} wave vectors in each bin. Form factors are those of free atoms"
            + ("; hydrogen is deuterium to neutrons." if deuterated else "."),
            *notes,
            *blocks.notes(),
        ),
        method="Squares of the Fourier components of the density at wave vectors of the box, Faber-Ziman weights; "
        "errors by the jackknife over parts of the time.",
        runs=(frames.label,),
    )


def _weights(elements: list[str], q: np.ndarray, deuterated: bool) -> dict[str, np.ndarray]:
    """f_a(q), (elements, bins), in electrons and in fm."""
    import periodictable
    from periodictable.cromermann import fxrayatq

    atoms = {symbol: getattr(periodictable, "D" if deuterated and symbol == "H" else symbol) for symbol in elements}
    lengths = np.array([atoms[symbol].neutron.b_c for symbol in elements], float)
    return {
        "X-ray": np.stack([np.asarray(fxrayatq(symbol, q), float) for symbol in elements]),
        "neutron": np.repeat(lengths[:, None], len(q), axis=1),
    }


def _total(partial: np.ndarray, weights: np.ndarray, shares: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """1 + (I(q) - <f^2>) / scale from A_ab: S(q) with scale <f>^2, I(q) / <f^2> with <f^2>."""
    pairs = list(combinations_with_replacement(range(len(shares)), 2))
    terms = [(1 if a == b else 2) * weights[a] * weights[b] * partial[row] for row, (a, b) in enumerate(pairs)]
    intensity = np.sum(terms, axis=0)
    return 1 + (intensity - shares @ weights**2) / scale


def _fits(frames: Frames) -> bool:
    return frames.has_box() and len(frames) > 1 and int(frames.molecules.max()) >= 9


ANALYSIS = Analysis(
    name="structure_factor",
    title="Structure factors",
    help="Structure factors of X-rays and neutrons.",
    function=structure_factor,
    fits=_fits,
)

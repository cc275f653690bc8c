"""Self-diffusion from mean squared displacements.

| symbol | variable | |
|---|---|---|
| MSD(t) = <(r(s + t) - r(s))^2> | `squares` | per direction here, of centres of mass of molecules |
| D = dMSD/dt / 2 per direction | `slopes` / 2 | Einstein (1905) |
| D_inf = D + 2.837297 k T / (6 pi eta L) | | in a cubic box of edge L (Yeh and Hummer, J. Phys. Chem. B 108, 15873) |
"""

from __future__ import annotations

import numpy as np

from helio.analyse.analysis import Analysis
from helio.analyse.frames import Frames
from helio.analyse.molecule_kinds import MoleculeKind, molecule_kinds
from helio.analyse.observable import Curve, Observable, Value
from helio.analyse.statistics import spread_error
from helio.analyse.unwrapping import Reader, centers, particle_series, whole_positions
from helio.errors import HelioError

_BOLTZMANN_J = 1.380649e-23  # J/K, exact in the SI
_XI = 2.837297  # of a cubic lattice, Yeh and Hummer (2004)
_LAGS = 200  # at which the MSD is kept
_ENOUGH = 30  # independent series (particles times directions) from which on time is not divided
_SEGMENTS = 5
_FAR = 4.0  # A^2; molecules that have moved less may not have left their neighbours
_STAYS = 4.0  # from a lag to this many times it
_LINEAR = 0.1  # the MSD counts as diffusive where its exponent is this near to 1


def diffusion(
    frames: Frames,
    *,
    fit_begin_ps: float | None = None,
    fit_end_ps: float | None = None,
    viscosity_mPa_s: float | None = None,
    temperature_K: float | None = None,
) -> Observable:
    """Self-diffusion coefficient of each kind of molecule.

    Args:
        frames: at least 20, equally far apart.
        fit_begin_ps: the line is fitted from this lag on; by default from where MSD(2t)/MSD(t) stays at 2
            within seven per cent (an exponent within 0.1 of 1).
        fit_end_ps: to this lag; by default ten times `fit_begin_ps` and at least 20 ps, at most a quarter of the time.
        viscosity_mPa_s: of the liquid; with it the finite-size correction is added (cubic boxes).
        temperature_K: for that correction; by default the mean of the run's log.

    Raises:
        HelioError: too few frames or frames not equally far apart, an empty window, or a correction asked for without
            a cubic box or a temperature.
    """
    frames.need_frames(20)
    interval = frames.interval_ps
    kinds = molecule_kinds(frames)
    lags, per_sample = _squares(frames, kinds)
    times = lags * interval
    values, curves, notes = [], [], []
    for kind, samples in zip(kinds, per_sample, strict=True):
        mean = samples.mean(axis=0)
        begin, end, linear = _window(times, 3 * mean, fit_begin_ps, fit_end_ps)
        inside = (times >= begin - 1e-9) & (times <= end + 1e-9)
        if inside.sum() < 3:
            raise HelioError(
                f"the window from {begin:g} to {end:g} ps holds {inside.sum()} of the lags; at least 3 are needed"
            )
        estimate = _slope(times[inside], samples[:, inside])
        # A^2/ps is 1e-8 m^2/s.
        values.append(
            Value(f"diffusion of {kind.formula}", 5 * estimate.mean(), 5 * float(spread_error(estimate)), "1e-9 m²/s")
        )
        curves += _curves(kind, times, samples, inside, estimate.mean())
        notes.append(
            f"{kind.formula}: line fitted from {begin:.3g} to {end:.3g} ps"
            + (
                "."
                if linear
                else "; the mean squared displacement is not linear there, or below 4 Å²: doubt the value."
            )
        )
    if viscosity_mPa_s is not None:
        shift = _finite_size(frames, viscosity_mPa_s, temperature_K)
        values += [
            Value(f"{v.name}, infinite box", v.value + shift, v.error, v.unit, f"+{shift:.3g} by Yeh-Hummer")
            for v in values
        ]
    elif frames.has_box():
        notes.append("Not corrected for the size of the box; give viscosity_mPa_s for that.")
    return Observable(
        name="diffusion",
        title="Self-diffusion",
        values=tuple(values),
        curves=tuple(curves),
        notes=tuple(notes),
        method="Einstein relation for centres of mass, the drift of the whole system removed in periodic boxes; "
        "errors from the spread between molecules and directions.",
        runs=(frames.label,),
    )


def _squares(frames: Frames, kinds: list[MoleculeKind]) -> tuple[np.ndarray, list[np.ndarray]]:
    """Lags (L,) in frames, and for each kind the MSD of each molecule, direction and segment of time (S, L), in A^2."""
    numbers = np.concatenate([kind.molecules for kind in kinds])
    groups = np.full(frames.molecules.max() + 1, -1)
    groups[numbers] = np.arange(len(numbers))
    matrix = centers(frames, groups[frames.molecules])
    everything = centers(frames, np.zeros(len(frames.molecules), int))
    drift = frames.has_box()

    def make_reader() -> Reader:
        whole = whole_positions(frames)

        def read(moment) -> np.ndarray:
            positions = whole(moment)
            found = matrix @ positions
            return found - everything @ positions if drift else found

        return read

    ends = np.cumsum([len(kind.molecules) for kind in kinds])
    segments = 1 if 3 * min(len(kind.molecules) for kind in kinds) >= _ENOUGH else _SEGMENTS
    length = len(frames) // segments
    lags = np.unique(np.linspace(1, max(3, length // 2), _LAGS).astype(int))
    found: list[list[np.ndarray]] = [[] for _ in kinds]
    for part, series in particle_series(frames, make_reader, len(numbers)):
        for one in range(segments):
            squares = mean_squared_displacement(series[one * length : (one + 1) * length], lags)  # (L, p, 3)
            for number, end in enumerate(ends):
                begin = end - len(kinds[number].molecules)
                mine = squares[:, max(begin - part.start, 0) : max(end - part.start, 0)]
                found[number].append(mine.reshape(len(lags), -1).T)
    return lags, [np.concatenate(samples) for samples in found]


def mean_squared_displacement(series: np.ndarray, lags: np.ndarray) -> np.ndarray:
    """<(x(s + t) - x(s))^2> over all s, at each lag, for each column of a series (T, ...): (L, ...).

    By a Fourier transform, in a time that grows as T log T (Kneller et al., Comput. Phys. Commun. 91, 191 (1995)).
    """
    count = len(series)
    shape = series.shape[1:]
    columns = series.reshape(count, -1)
    out = np.empty((len(lags), columns.shape[1]))
    at_once = max(1, 4_000_000 // count)
    for begin in range(0, columns.shape[1], at_once):
        x = columns[:, begin : begin + at_once].astype(float)
        x -= x[0]
        spectrum = np.fft.rfft(x, 2 * count, axis=0)
        products = np.fft.irfft(np.abs(spectrum) ** 2, axis=0)[lags]
        sums = np.concatenate([np.zeros((1, x.shape[1])), np.cumsum(x**2, axis=0)])
        squares = sums[count - lags] + sums[count] - sums[lags]
        out[:, begin : begin + at_once] = (squares - 2 * products) / (count - lags)[:, None]
    return out.reshape(len(lags), *shape)


def _window(
    times: np.ndarray, msd: np.ndarray, wanted_begin: float | None, wanted_end: float | None
) -> tuple[float, float, bool]:
    """Begin and end of the fit, and whether the MSD is linear and large there."""
    last = times[-1] / 2  # a quarter of the whole time
    begin = wanted_begin
    if begin is None:
        exponents = np.log2(np.maximum(np.interp(2 * times, times, msd), 1e-12) / np.maximum(msd, 1e-12))
        crooked = np.abs(exponents - 1) > _LINEAR
        # On the way from flying to being caged the exponent passes 1: it must stay there.
        stays = [t for t in times[times <= last / _STAYS] if not crooked[(times >= t) & (times <= _STAYS * t)].any()]
        begin = float(stays[0]) if stays else 0.2 * last
    end = min(last, max(10 * begin, 20.0)) if wanted_end is None else wanted_end
    if not begin < end <= times[-1]:
        raise HelioError(
            f"the window from {begin:g} to {end:g} ps is empty or beyond {times[-1]:g} ps, half of the time"
        )
    ends = np.interp([begin, end], times, msd)
    exponent = np.log(ends[1] / ends[0]) / np.log(end / begin) if (ends > 0).all() else 0.0
    return begin, end, bool(abs(exponent - 1) < 1.5 * _LINEAR and ends[1] > _FAR)


def _slope(times: np.ndarray, samples: np.ndarray) -> np.ndarray:
    """Of the line of least squares through each row, (S,)."""
    centered = times - times.mean()
    return samples @ centered / (centered @ centered)


def _curves(
    kind: MoleculeKind, times: np.ndarray, samples: np.ndarray, inside: np.ndarray, slope: float
) -> list[Curve]:
    labels = ("t (ps)", "mean squared displacement (Å²)")
    mean, error = 3 * samples.mean(axis=0), 3 * spread_error(samples)
    window = times[inside]
    line = mean[inside].mean() + 3 * slope * (window - window.mean())
    return [
        Curve(kind.formula, times, mean, error, *labels),
        Curve(f"{kind.formula}, fit", window, line, None, *labels),
    ]


def _finite_size(frames: Frames, viscosity: float, temperature: float | None) -> float:
    """What is to be added for the size of the box, in 1e-9 m^2/s."""
    frames.need_box()
    box = np.mean([moment.dimensions for moment in frames], axis=0)
    if np.ptp(box[:3]) > 0.02 * box[0] or np.abs(box[3:] - 90).max() > 0.5:
        raise HelioError("the finite-size correction is for cubic boxes; leave viscosity_mPa_s out")
    if viscosity <= 0:
        raise HelioError(f"a viscosity of {viscosity:g} mPa s makes no sense")
    if temperature is None:
        frames.need_log("temperature_K")
        temperature = float(frames.log["temperature_K"].mean())
    meters = float(box[:3].mean()) * 1e-10
    return _XI * _BOLTZMANN_J * temperature / (6 * np.pi * viscosity * 1e-3 * meters) * 1e9


ANALYSIS = Analysis(
    name="diffusion",
    title="Self-diffusion",
    help="Diffusion coefficients of molecules from their mean squared displacements.",
    function=diffusion,
    fits=lambda frames: len(frames) >= 20 and int(frames.molecules.max()) >= 9,
)

"""How far structures move: RMSD from a reference and between times, fluctuations of atoms, radius of gyration."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from helio.analyse.analysis import Analysis
from helio.analyse.frames import Frames, open_frames
from helio.analyse.observable import Curve, Observable, Value
from helio.analyse.segments import has_solute, segments, series_of
from helio.analyse.statistics import correlated_error, few_notes, mean_and_error
from helio.analyse.superposition import mean_structure, rmsd, superposed
from helio.errors import HelioError

# At most this many delays dt, spread evenly on a logarithmic scale, and start times for each.
_DELAYS, _STARTS = 40, 500


def structural_change(frames: Frames, *, reference: str | None = None) -> Observable:
    """RMSD from the first frame or a reference, RMSD(t, t + dt) averaged over t, RMSF and radius of gyration.

    All are of heavy atoms after superposition, for protein, carbohydrate and the whole solute.

    Args:
        frames: with a solute, not only solvent.
        reference: file with a structure of the same atoms; by default the first frame.

    Raises:
        HelioError: there is no solute, there are fewer than two frames, or the reference has other atoms.
    """
    frames.need_frames(2)
    parts = segments(frames)
    positions = series_of(frames, parts["all"])
    start = positions[0] if reference is None else _reference(frames, reference)[parts["all"]]
    values: list[Value] = []
    curves: list[Curve] = []
    for name, atoms in parts.items():
        places = np.searchsorted(parts["all"], atoms)
        own = positions[:, places]
        more_values, more_curves = _of_segment(frames, name, atoms, own, start[places])
        values += more_values
        curves += more_curves
    whence = "the first frame" if reference is None else Path(reference).name
    counts = ", ".join(f"{name} {len(atoms)}" for name, atoms in parts.items())
    return Observable(
        name="rmsd",
        title="Structural change",
        values=tuple(values),
        curves=tuple(curves),
        notes=(
            f"{len(frames)} frames; RMSD from {whence}; heavy atoms: {counts}.",
            f"RMSD(t, t + dt): up to {_STARTS} start times for each delay, delays of up to half the time.",
            *few_notes(curve.y for curve in curves if curve.x_label == "time (ps)"),
        ),
        method="Superposition as in Kabsch, Acta Cryst. A 32, 922 (1976); RMSF about the mean structure.",
        runs=(frames.label,),
    )


def rmsd_between_times(positions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """RMSD(t, t + dt) averaged over t, of structures (T, n, 3) equally far apart in time.

    Returns:
        Delays in frames (D,), means (D,) in A, and their standard errors from blocks of start times (NaN for fewer than
        four of them).
    """
    longest = len(positions) // 2
    delays = np.unique(np.round(np.geomspace(1, max(1, longest), _DELAYS)).astype(int))
    means, errors = np.empty(len(delays)), np.full(len(delays), np.nan)
    for i, delay in enumerate(delays):
        every = max(1, -(-(len(positions) - delay) // _STARTS))
        found = rmsd(positions[:-delay:every], positions[delay::every])
        means[i] = found.mean()
        if len(found) >= 4:
            errors[i] = correlated_error(found)
    return delays, means, errors


def _of_segment(
    frames: Frames, name: str, atoms: np.ndarray, positions: np.ndarray, start: np.ndarray
) -> tuple[list[Value], list[Curve]]:
    series = {"RMSD": rmsd(positions, start), "radius of gyration": _gyration(positions, frames, atoms)}
    values = [Value(f"{what}, {name}", *mean_and_error(found), "Å") for what, found in series.items()]
    rmsd_curve, gyration_curve = (
        Curve(f"{what}, {name}", frames.times_ps, found, None, "time (ps)", f"{what} (Å)")
        for what, found in series.items()
    )
    delays, means, errors = rmsd_between_times(positions)
    delays_ps = delays * frames.interval_ps
    labels = ("dt (ps)", "RMSD(t, t + dt) (Å)")
    lag = Curve(f"RMSD between times, {name}", delays_ps, means, errors, *labels, log_x=True)
    squared = _squared_deviations(positions)
    fluctuation, error = _root_mean(squared)
    x, y, e, label = _by_residue(frames, atoms, fluctuation, error)
    rmsf = Curve(f"RMSF, {name}", x, y, e, label, "RMSF (Å)")
    overall, uncertainty = _root_mean(squared.mean(axis=1))
    values.append(Value(f"RMSF, {name}", float(overall), float(uncertainty), "Å", note="root mean square of all atoms"))
    return values, [rmsd_curve, lag, rmsf, gyration_curve]


def _reference(frames: Frames, path: str) -> np.ndarray:
    """Positions (n, 3) of all atoms of the universe in a structure file, made whole."""
    other = open_frames(path)
    if not np.array_equal(other.atomic_numbers, frames.atomic_numbers):
        raise HelioError(
            f"the reference {path} ({len(other.atomic_numbers)} atoms) does not hold the atoms of {frames.label} "
            f"({len(frames.atomic_numbers)} atoms) in the same order"
        )
    return series_of(other, np.arange(len(other.atomic_numbers)))[0]


def _gyration(positions: np.ndarray, frames: Frames, atoms: np.ndarray) -> np.ndarray:
    """Radius of gyration (T,), weighted by masses."""
    weights = np.asarray(frames.universe.atoms.masses, float)[atoms]
    weights = weights / weights.sum()
    centres = np.einsum("tnx,n->tx", positions, weights)
    return np.sqrt(np.einsum("tnx,n->t", np.square(positions - centres[:, None]), weights))


def _squared_deviations(positions: np.ndarray) -> np.ndarray:
    """Of each atom from its mean place, (T, n)."""
    mean = mean_structure(positions)
    return np.square(superposed(positions, mean) - mean).sum(axis=2)


def _root_mean(squared: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Root of the mean over frames (T, ...), and its error by blocking (NaN for fewer than four frames)."""
    found = np.sqrt(squared.mean(axis=0))
    if len(squared) < 4:
        return found, np.full(np.shape(found), np.nan)
    return found, correlated_error(squared) / np.maximum(2 * found, 1e-12)


def _by_residue(
    frames: Frames, atoms: np.ndarray, fluctuation: np.ndarray, error: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, str]:
    """Root mean square over each residue's atoms, where there are at least two residues, else of each atom."""
    residue = frames.universe.atoms.resindices[atoms]
    numbers, inverse, counts = np.unique(residue, return_inverse=True, return_counts=True)
    if len(numbers) < 2:
        return atoms.astype(float), fluctuation, error, "atom"
    found = np.sqrt(np.bincount(inverse, fluctuation**2) / counts)
    spread = np.bincount(inverse, fluctuation * error) / (counts * np.maximum(found, 1e-12))
    return numbers + 1.0, found, spread, "residue"


ANALYSIS = Analysis(
    name="rmsd",
    title="Structural change",
    help="RMSD from a reference and between times, RMSF and radius of gyration of protein, carbohydrate and solute.",
    function=structural_change,
    fits=has_solute,
)

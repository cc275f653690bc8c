"""The numbers that are compared: of one system each, from its track."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from helio.coarse.evaluation import distribution
from helio.coarse.evaluation.chains import centers_of_mass, end_to_end, gyration_of_groups
from helio.coarse.evaluation.correlation import decay_time
from helio.coarse.evaluation.displacement import Diffusion, diffusion, without_drift
from helio.coarse.evaluation.estimate import Estimate
from helio.coarse.evaluation.ions import ideal_transport, transport
from helio.coarse.evaluation.track import CHAIN, Track
from helio.errors import HelioError

LEAST_FRAMES = 41  # from which on everything can be estimated, if badly
Gyration = Literal["beads", "groups"]
_NOTHING = Estimate(float("nan"), float("nan"))


@dataclass(frozen=True)
class Property:
    """What is compared; times and diffusivities on a logarithmic scale."""

    name: str
    title: str
    unit: str
    log: bool


def properties_of(track: Track, *, length_unit: str, time_unit: str) -> list[Property]:
    """Those that a system like this one has."""
    found, area = [], f"{length_unit}²"
    if CHAIN in track.kinds:
        found += [
            Property("rg_squared", "mean Rg²", area, False),
            Property("rg_squared_spread", "standard deviation of Rg²", area, False),
            Property("rg_squared_time", "relaxation time of Rg²", time_unit, True),
        ]
        if end_to_end(track.part(0, 1)) is not None:
            found.append(Property("end_to_end_time", "relaxation time of the end-to-end vector", time_unit, True))
    for kind in sorted(set(track.kinds)):
        found.append(Property(f"diffusivity {kind}", f"diffusivity of {kind}", f"{area}/{time_unit}", True))
    if ion_kinds(track) is not None:
        found += [
            Property("ideal_transference", "transference number of cations, ions independent", "", False),
            Property("transference", "transference number of cations", "", False),
        ]
    return found


def measure(
    track: Track, *, gyration: Gyration, windows: dict[str, tuple[float, float]] | None = None
) -> dict[str, Estimate]:
    """Every property of a system by name, not a number where the track is too short.

    Args:
        track: of the system.
        gyration: radii from all `beads` (as simulated or predicted) or from the centres of the `groups`.
        windows: of lags for the diffusivity of each kind of molecules, such as those that a reference was fitted in.
    """
    found: dict[str, Estimate] = {}
    if CHAIN in track.kinds:
        series = gyration_series(track, gyration)
        found["rg_squared"] = distribution.mean(series)
        found["rg_squared_spread"] = distribution.spread(series)
        found["rg_squared_time"] = decay_time(series, track.interval) if len(series) >= 4 else _NOTHING
        vectors = end_to_end(track)
        if vectors is not None and len(vectors) >= 4:
            flat = vectors.reshape(len(vectors), -1)
            found["end_to_end_time"] = decay_time(flat, track.interval, mean="zero")
    moved = diffusions(track, windows=windows)
    for kind in set(track.kinds):
        found[f"diffusivity {kind}"] = moved[kind].diffusivity if kind in moved else _NOTHING
    return found | _transference(track, moved)


def gyration_series(track: Track, gyration: Gyration) -> np.ndarray:
    """Squared radii of gyration (T, C) of the chains."""
    if gyration == "groups":
        return gyration_of_groups(track)
    if track.rg_squared is None:
        raise HelioError(f"the roll-out of {track.name} holds no radii of gyration of all beads")
    return track.rg_squared[:, track.of_kind(CHAIN)]


def diffusions(track: Track, *, windows: dict[str, tuple[float, float]] | None = None) -> dict[str, Diffusion]:
    """Diffusion of each kind of molecules; the drift of a periodic box is removed. None for fewer than 40 frames."""
    if len(track) < LEAST_FRAMES - 1:
        return {}
    still = track.centers if track.boxes is None else without_drift(track.centers, track.masses)
    fixed = replace(track, centers=still)
    windows = windows or {}
    return {
        kind: diffusion(centers_of_mass(fixed, kind), track.interval, window=windows.get(kind))
        for kind in sorted(set(track.kinds))
    }


def ion_kinds(track: Track) -> tuple[str, str] | None:
    """The cation and the anion: kinds of molecules whose names end with a sign; None unless there is one of each."""
    plus = [kind for kind in set(track.kinds) if kind.endswith("+")]
    minus = [kind for kind in set(track.kinds) if kind.endswith("-")]
    return (plus[0], minus[0]) if len(plus) == len(minus) == 1 and track.boxes is not None else None


def _transference(track: Track, moved: dict[str, Diffusion]) -> dict[str, Estimate]:
    kinds = ion_kinds(track)
    if kinds is None or track.boxes is None:
        return {}
    if not moved:
        return {"ideal_transference": _NOTHING, "transference": _NOTHING}
    numbers = (len(track.of_kind(kinds[0])), len(track.of_kind(kinds[1])))
    ratio = numbers[0] / numbers[1]  # of the charges, as the box is neutral
    volume = float(track.boxes.prod(axis=1).mean())
    ideal = ideal_transport(moved[kinds[0]], moved[kinds[1]], numbers=numbers, charges=(1.0, -ratio), volume=volume)
    ions = np.concatenate([track.groups_of_kind(kind) for kind in kinds])
    still = without_drift(track.centers, track.masses)[:, ions]
    charges = np.repeat([1.0, -ratio], [len(track.groups_of_kind(kind)) for kind in kinds])
    try:
        real = transport(still, charges, track.interval, window=moved[kinds[0]].window[:2], volume=volume).transference
    except HelioError:  # too short a time for the window
        real = _NOTHING
    return {"ideal_transference": ideal.transference, "transference": real}

"""One plane for several trajectories, in which each visits its own places or those of the others."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from helio.analyse.analysis import Analysis
from helio.analyse.backbone import find_backbone
from helio.analyse.features import Features, features
from helio.analyse.frames import Frames
from helio.analyse.free_energy import free_energy
from helio.analyse.observable import Curve, Map, Observable, Value
from helio.analyse.projection import Projection, fit_pca, fit_tica, fit_umap, load_projection
from helio.analyse.sugars import find_glycosidic_bonds
from helio.errors import HelioError

_METHODS = {
    "pca": "Principal components.",
    "tica": "Time-lagged independent components (Pérez-Hernández et al., J. Chem. Phys. 139, 015102 (2013)).",
    "umap": "UMAP (McInnes, Healy and Melville, arXiv:1802.03426); its distances between groups mean little.",
}


def embedding(
    runs: Frames | Sequence[Frames],
    *,
    method: str = "pca",
    describe: str = "dihedrals",
    lag_ps: float | None = None,
    neighbors: int = 15,
    bins: int = 40,
    seed: int = 0,
    use: str | None = None,
    keep: str | None = None,
) -> Observable:
    """Project trajectories of the same atoms onto one plane that was fitted to all of them, or that was kept.

    Args:
        runs: one or several trajectories.
        method: pca, tica or umap.
        describe: by dihedrals or distances (`helio.analyse.features`).
        lag_ps: of tica; by default a twentieth of the shortest trajectory.
        neighbors: of umap, about the size of the groups that it keeps together.
        bins: of the maps in each direction.
        seed: of umap.
        use: file that an earlier call kept: nothing is fitted, `method` and `describe` are those of the file.
        keep: .npz file to write the fitted plane to.

    Raises:
        HelioError: the trajectories differ in what describes them, there are too few frames, or a file cannot be used.
    """
    trajectories = [runs] if isinstance(runs, Frames) else list(runs)
    projection = None if use is None else load_projection(use)
    kind = describe if projection is None else projection.kind
    described = [features(frames, kind) for frames in trajectories]
    _same(trajectories, described, projection, use)
    if projection is None:
        projection = _fitted(trajectories, described, method, kind, lag_ps, neighbors, seed)
    if keep is not None:
        projection.save(keep)
    labels = _labels(trajectories)
    places = {label: projection.place(d.values) for label, d in zip(labels, described, strict=True)}
    curves = [
        Curve(
            f"{label}, component {k + 1}", frames.times_ps, places[label][:, k], None, "time (ps)", f"component {k + 1}"
        )
        for k in range(2)
        for label, frames in zip(labels, trajectories, strict=True)
    ]
    whence = f"Fitted to {sum(map(len, trajectories))} frames" if use is None else f"As fitted before ({use})"
    return Observable(
        name="embedding",
        title="Shared embedding",
        values=tuple(_strengths(projection)),
        curves=tuple(curves),
        maps=tuple(_maps(places, bins)),
        notes=(f"{whence}, described by {len(projection.names)} {_WORDS[kind]}.", *_about(projection)),
        method=_METHODS[projection.method],
        runs=tuple(frames.label for frames in trajectories),
    )


_AXES = ("component 1", "component 2")
_WORDS = {"dihedrals": "sines and cosines of torsions", "distances": "distances"}


def _same(
    trajectories: list[Frames], described: list[Features], projection: Projection | None, use: str | None
) -> None:
    """Raise `HelioError` unless all are described by the same features."""
    wanted = described[0].names if projection is None else projection.names
    for frames, found in zip(trajectories, described, strict=True):
        if found.names != wanted:
            whose = trajectories[0].label if projection is None else str(use)
            raise HelioError(
                f"{frames.label} ({len(found.names)} features) and {whose} ({len(wanted)} features) are not of the "
                "same molecule, or name its residues differently"
            )


def _fitted(
    trajectories: list[Frames],
    described: list[Features],
    method: str,
    kind: str,
    lag_ps: float | None,
    neighbors: int,
    seed: int,
) -> Projection:
    for frames in trajectories:
        frames.need_frames(3)
    series = [found.values for found in described]
    what = {"kind": kind, "names": described[0].names}
    if method == "pca":
        return fit_pca(series, **what)
    if method == "tica":
        lag, lag_ps = _lag(trajectories, lag_ps)
        return fit_tica(series, lag=lag, lag_ps=lag_ps, **what)
    if method == "umap":
        return fit_umap(series, neighbors=neighbors, seed=seed, **what)
    raise HelioError(f"the method of an embedding is {', '.join(_METHODS)}, not {method!r}")


def _lag(trajectories: list[Frames], lag_ps: float | None) -> tuple[int, float]:
    """In frames and in ps."""
    interval = trajectories[0].interval_ps
    for frames in trajectories[1:]:
        if not np.isclose(frames.interval_ps, interval, rtol=1e-3):
            raise HelioError(
                f"the frames of {trajectories[0].label} are {interval:g} ps apart and those of {frames.label} "
                f"{frames.interval_ps:g} ps: tica needs the same; use --every"
            )
    shortest = min(map(len, trajectories))
    lag = max(1, shortest // 20 if lag_ps is None else round(lag_ps / interval))
    return lag, lag * interval


def _labels(trajectories: list[Frames]) -> list[str]:
    """Of the runs, numbered where two are the same."""
    labels = [frames.label for frames in trajectories]
    return labels if len(set(labels)) == len(labels) else [f"{label} ({i + 1})" for i, label in enumerate(labels)]


def _strengths(projection: Projection) -> list[Value]:
    unknown = float("nan")
    if projection.method == "pca":
        return [Value(f"share of the variance, component {k + 1}", float(share), unknown)
                for k, share in enumerate(projection.strengths)]  # fmt: skip
    if projection.method == "tica":
        return [
            Value(f"time scale, component {k + 1}", float(-projection.lag_ps / np.log(strength)), unknown, "ps")
            if 0 < strength < 1
            else Value(f"time scale, component {k + 1}", unknown, unknown, "ps", "no slow direction")
            for k, strength in enumerate(projection.strengths)
        ]
    return []


def _about(projection: Projection) -> list[str]:
    if projection.method == "tica":
        return [f"Delay: {projection.lag_ps:g} ps."]
    if projection.method == "umap":
        return ["Frames lie at the mean of the nearest of those that UMAP was fitted to."]
    return []


def _maps(places: dict[str, np.ndarray], bins: int) -> list[Map]:
    """-ln(p / p_max) of all runs together and of each, over the same bins."""
    if bins < 4:
        raise HelioError(f"a map needs at least 4 bins in each direction, not {bins}")
    joined = np.concatenate(list(places.values()))
    low, high = joined.min(axis=0), joined.max(axis=0)
    margin = 0.02 * np.maximum(high - low, 1e-9)
    edges = [np.linspace(low[k] - margin[k], high[k] + margin[k], bins + 1) for k in range(2)]
    middles = [0.5 * (e[1:] + e[:-1]) for e in edges]
    several = {"all runs": joined} if len(places) > 1 else {}
    maps = []
    for name, found in (several | places).items():
        energy, error = free_energy(found[:, 0], found[:, 1], *edges, thermal=1.0)
        maps.append(Map(name, middles[0], middles[1], energy, *_AXES, "free energy", "kT", error))
    return maps


def _fits(frames: Frames) -> bool:
    torsions = any(r.phi_psi is not None for r in find_backbone(frames)) or bool(find_glycosidic_bonds(frames))
    return torsions and len(frames) >= 3


ANALYSIS = Analysis(
    name="embedding",
    title="Shared embedding",
    help="One plane for several runs (PCA, TICA or UMAP of torsions or distances), fitted once and kept for others.",
    function=embedding,
    fits=_fits,
    together=True,
)

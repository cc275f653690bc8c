"""Maps from many features to a plane, fitted once to some trajectories and kept for others.

| symbol | variable | |
|---|---|---|
| x | `features` | (T, F) of one trajectory |
| C_0, C_tau | | covariances of x(t) with itself and with x(t + tau), made symmetric |
| lambda | | solutions of C_tau v = lambda C_0 v |
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from helio.errors import HelioError, excerpt
from helio.files.atomic import atomic_path
from helio.files.npz import open_npz
from helio.packages import need

# Directions with less than this share of the largest variance are noise that TICA must not divide by.
_LEAST_VARIANCE = 1e-6
# UMAP is fitted to at most this many frames, and places others among this many nearest of them.
_MOST_FITTED, _NEAREST = 5000, 5


@dataclass(frozen=True)
class Projection:
    """A fitted map to a plane. `strengths` are shares of the variance (PCA) or lambda (TICA), (2,), NaN for UMAP."""

    method: str  # "pca", "tica" or "umap"
    kind: str  # of the features
    names: tuple[str, ...]  # of the features, (F,)
    lag_ps: float  # of TICA, NaN else
    strengths: np.ndarray
    mean: np.ndarray  # (F,)
    axes: np.ndarray  # (F, 2); empty for UMAP
    known: np.ndarray  # (S, F): what UMAP was fitted to; empty else
    places: np.ndarray  # (S, 2): where UMAP put it

    def place(self, features: np.ndarray) -> np.ndarray:
        """Where features (T, F) come to lie, (T, 2).

        PCA and TICA are linear. UMAP itself cannot be kept without the objects of its library: frames come to lie at
        the mean of the five nearest of the frames it was fitted to, weighted by the inverse of the distance. So nothing
        comes to lie outside of what was there, and what was fitted stays where it was.
        """
        if self.method != "umap":
            return (features - self.mean) @ self.axes
        from scipy.spatial import KDTree

        distance, nearest = KDTree(self.known).query(features, k=min(_NEAREST, len(self.known)))
        weights = 1.0 / np.maximum(np.asarray(distance).reshape(len(features), -1), 1e-9)
        weights /= weights.sum(axis=1, keepdims=True)
        return np.einsum("tk,tkx->tx", weights, self.places[np.asarray(nearest).reshape(len(features), -1)])

    def save(self, path: str | Path) -> None:
        """Write an .npz file, whole or not at all."""
        if Path(path).suffix != ".npz":
            raise HelioError(f"a projection is kept in an .npz file, not in {path}")
        with atomic_path(path) as temporary:
            np.savez(temporary, allow_pickle=False, **{f.name: np.array(getattr(self, f.name)) for f in fields(self)})


def load_projection(path: str | Path) -> Projection:
    """Read what `Projection.save` wrote; `HelioError` for anything else."""
    try:
        with open_npz(path, "projection") as content:
            arrays = {f.name: content[f.name] for f in fields(Projection)}
        return _checked(arrays)
    except (HelioError, TypeError, ValueError) as error:
        raise HelioError(f"{path} cannot be read as a projection that was kept: {error}") from error


def _checked(arrays: dict[str, np.ndarray]) -> Projection:
    """The projection of these arrays; raises `ValueError` where their types and shapes do not fit each other."""
    names = tuple(map(str, np.atleast_1d(arrays["names"])))
    texts = {"method": str(arrays["method"]), "kind": str(arrays["kind"]), "names": names}
    features, samples = len(names), len(np.atleast_1d(arrays["known"]))
    if texts["method"] not in ("pca", "tica", "umap"):
        raise ValueError(f"there is no method {excerpt(texts['method'])}")
    shapes: dict[str, tuple[int, ...]] = {"strengths": (2,), "mean": (features,)}
    if texts["method"] == "umap":
        shapes |= {"known": (samples, features), "places": (samples, 2)}
    else:
        shapes["axes"] = features, 2
    for name, shape in shapes.items():
        if arrays[name].shape != shape or arrays[name].dtype.kind not in "iuf":
            raise ValueError(f"{name} has the shape {arrays[name].shape}")
    return Projection(**(arrays | texts | {"lag_ps": float(arrays["lag_ps"])}))  # pyright: ignore[reportArgumentType]


def fit_pca(series: Sequence[np.ndarray], *, kind: str, names: tuple[str, ...]) -> Projection:
    """The two directions of largest variance of features (T, F) of several trajectories together."""
    joined = np.concatenate(series)
    mean = joined.mean(axis=0)
    variances, vectors = np.linalg.eigh(np.cov(joined.T, bias=True).reshape(len(names), -1))
    shares = variances[::-1][:2] / max(variances.sum(), 1e-300)
    return _linear("pca", kind, names, mean, _signed(vectors[:, ::-1][:, :2]), shares, float("nan"))


def fit_tica(series: Sequence[np.ndarray], *, lag: int, lag_ps: float, kind: str, names: tuple[str, ...]) -> Projection:
    """The two slowest directions: C_tau v = lambda C_0 v with the largest lambda, with variance 1.

    Pérez-Hernández et al., J. Chem. Phys. 139, 015102 (2013). Covariances are over all pairs x(t), x(t + lag), made
    symmetric in time; a direction's time scale is -tau / ln(lambda).

    Raises:
        HelioError: a trajectory is not longer than the lag, or features do not change.
    """
    if min(len(x) for x in series) <= lag + 1:
        raise HelioError(
            f"a delay of {lag_ps:g} ps is too long for a trajectory of {min(len(x) for x in series)} frames"
        )
    early, late = np.concatenate([x[:-lag] for x in series]), np.concatenate([x[lag:] for x in series])
    mean = 0.5 * (early.mean(axis=0) + late.mean(axis=0))
    early, late = early - mean, late - mean
    instant = (early.T @ early + late.T @ late) / (2 * len(early))
    delayed = early.T @ late / len(early)
    variances, vectors = np.linalg.eigh(instant)
    kept = variances > _LEAST_VARIANCE * variances.max()
    if variances.max() <= 0 or kept.sum() < 2:
        raise HelioError("the features hardly change along the trajectories: there are no two slow directions")
    whitening = vectors[:, kept] / np.sqrt(variances[kept])
    eigenvalues, rotation = np.linalg.eigh(whitening.T @ (0.5 * (delayed + delayed.T)) @ whitening)
    axes = (whitening @ rotation)[:, ::-1][:, :2]
    return _linear("tica", kind, names, mean, _signed(axes), eigenvalues[::-1][:2], lag_ps)


def fit_umap(
    series: Sequence[np.ndarray], *, neighbors: int, seed: int, kind: str, names: tuple[str, ...]
) -> Projection:
    """A plane that keeps neighbours (McInnes, Healy and Melville, arXiv:1802.03426), of evenly chosen frames.

    Raises:
        HelioError: umap-learn is missing, or there are fewer frames than neighbours.
    """
    joined = np.concatenate(series)
    known = joined[np.unique(np.linspace(0, len(joined) - 1, min(len(joined), _MOST_FITTED)).round().astype(int))]
    if len(known) <= neighbors:
        raise HelioError(f"UMAP with {neighbors} neighbours needs more frames than {len(known)}")
    need("umap", extra="analysis")
    import umap

    fitted = umap.UMAP(n_components=2, n_neighbors=neighbors, random_state=seed, n_jobs=1)
    places = np.asarray(fitted.fit_transform(known), float)
    nothing = np.full(2, np.nan)
    return Projection("umap", kind, names, float("nan"), nothing, joined.mean(axis=0), np.empty((0, 2)), known, places)


def _linear(
    method: str,
    kind: str,
    names: tuple[str, ...],
    mean: np.ndarray,
    axes: np.ndarray,
    strengths: np.ndarray,
    lag: float,
) -> Projection:
    nothing = np.empty((0, len(names))), np.empty((0, 2))
    return Projection(method, kind, names, lag, strengths, mean, axes, *nothing)


def _signed(axes: np.ndarray) -> np.ndarray:
    """With the largest entry of each axis positive, so that a fit gives the same each time."""
    largest = axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])]
    return axes * np.where(largest < 0, -1.0, 1.0)

"""The trajectory of a run as a scene for the viewer: whole molecules in their box, thinned to what a page can hold."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.sparse import coo_array
from scipy.sparse.csgraph import breadth_first_order

from helio.analyse import Frames
from helio.report.page.scene import Scene
from helio.report.page.viewer import thinned

# More atoms than this are neither seen on a screen nor drawn fluently.
_MOST_ATOMS = 60_000


@dataclass(frozen=True)
class Shown:
    """A scene, which frames of the trajectory it shows, and what was left out, in sentences."""

    scene: Scene
    numbers: list[int]
    left_out: tuple[str, ...]


def run_scene(frames: Frames, *, most_bytes: int) -> Shown:
    """What of a trajectory a page shows in `most_bytes`.

    Molecules are made whole along their bonds and put into the box by their centres. A molecule that is larger than
    all others, such as a protein in water, is kept in the middle, and so is what has no box.
    """
    atoms, left_out = _atoms(frames)
    chosen = thinned(len(frames), len(atoms), most_bytes=most_bytes)
    numbers = [frames.numbers[int(i)] for i in chosen]
    if len(numbers) < len(frames):
        left_out.append(f"The view shows {len(numbers):,} of {len(frames):,} frames, evenly spaced.")
    water = waters(frames)[atoms]
    pairs = np.asarray(frames.universe.bonds.indices, int).reshape(-1, 2)
    whole = _Whole(pairs, frames)
    positions = np.empty((len(numbers), len(atoms), 3), np.float32)
    cells = []
    for i, number in enumerate(numbers):
        moment = frames.moment(number)
        cell = None
        if moment.dimensions is not None and any(frames.periodic):
            cell = moment.triclinic_dimensions * np.array(frames.periodic)[:, None]  # open directions have no vector
            cells.append(cell)
        positions[i] = whole(moment.positions.astype(float), cell)[atoms]
    if cells and np.allclose(cells, cells[0], atol=1e-4):
        cells = cells[:1]
    place = np.full(len(frames.universe.atoms), -1)
    place[atoms] = np.arange(len(atoms))
    bonds = place[pairs]
    scene = Scene(
        numbers=frames.atomic_numbers[atoms],
        positions=positions,
        bonds=bonds[(bonds >= 0).all(axis=1)],
        labels=[f"{time:.6g} ps" for time in frames.times_ps[chosen]],
        cells=np.array(cells).reshape(-1, 3, 3),
        corners=np.zeros((1 if cells else 0, 3)),
        water=water,
    )
    return Shown(scene, numbers, tuple(left_out))


def waters(frames: Frames) -> Bool[np.ndarray, " N"]:
    """Which atoms belong to water: molecules of one oxygen and two hydrogens."""
    molecules, numbers = frames.molecules, frames.atomic_numbers
    sizes = np.bincount(molecules)
    oxygens, hydrogens = np.bincount(molecules, numbers == 8), np.bincount(molecules, numbers == 1)
    return ((sizes == 3) & (oxygens == 1) & (hydrogens == 2))[molecules]


def _atoms(frames: Frames) -> tuple[Int[np.ndarray, " n"], list[str]]:
    """Numbers of the atoms to show, and a sentence where these are not all."""
    every, water, heavy = frames.atoms.indices, waters(frames), frames.atomic_numbers > 1
    for shown, words in (
        (every, ""),
        (every[~water[every]], "The view leaves out the water"),
        (every[~water[every] & heavy[every]], "The view leaves out water and hydrogen"),
    ):
        if 0 < len(shown) <= _MOST_ATOMS:
            count = f", {len(every) - len(shown):,} of {len(every):,} atoms."
            return shown, [words + count] if words else []
    spaced = every[heavy[every]][:: -(-int(heavy[every].sum()) // _MOST_ATOMS)]
    return spaced, [f"The view shows {len(spaced):,} of {len(every):,} atoms, as many as can be drawn."]


class _Whole:
    """Molecules whole, in the box; along its open directions, about its plane or line."""

    def __init__(self, pairs: Int[np.ndarray, "P 2"], frames: Frames) -> None:
        self._molecules, self._periodic = frames.molecules, np.array(frames.periodic)
        self._levels = _levels(pairs, self._molecules)
        self._counts = np.bincount(self._molecules)
        ranked = np.argsort(self._counts)
        single = len(self._counts) == 1 or self._counts[ranked[-1]] > 1.5 * self._counts[ranked[-2]]
        self._middle = self._molecules == ranked[-1] if single else None
        self._height: np.ndarray | None = None  # (3,) of the first frame's middle above the plane or line of the box

    def __call__(self, positions: Float[np.ndarray, "N 3"], cell: np.ndarray | None) -> Float[np.ndarray, "N 3"]:
        if cell is None:
            kept = positions if self._middle is None else positions[self._middle]
            return positions - kept.mean(axis=0)
        back = np.linalg.pinv(cell)  # of open directions, whose vectors are zero, no part remains
        for parents, children in self._levels:
            bond = positions[children] - positions[parents]
            positions[children] -= np.rint(bond @ back) @ cell
        if self._middle is not None:
            positions += 0.5 * cell.sum(axis=0) - positions[self._middle].mean(axis=0)
        elif not self._periodic.all():
            if self._height is None:
                mean = positions.mean(axis=0)
                self._height = mean - mean @ back @ cell
            positions -= self._height
        sums = np.stack([np.bincount(self._molecules, positions[:, k]) for k in range(3)], axis=1)
        outside = np.floor(sums / self._counts[:, None] @ back)
        return positions - (outside @ cell)[self._molecules]


def _levels(pairs: Int[np.ndarray, "P 2"], molecules: Int[np.ndarray, " N"]) -> list[tuple[np.ndarray, np.ndarray]]:
    """For each step from the first atoms of all molecules outward: atoms that are placed, and those they place."""
    count = len(molecules)
    roots = np.unique(molecules, return_index=True)[1]
    edges = np.concatenate([pairs, np.stack([np.full(len(roots), count), roots], axis=1)])
    graph = coo_array((np.ones(len(edges)), edges.T), shape=(count + 1, count + 1)).tocsr()
    order, before = breadth_first_order(graph, count, directed=False)
    depth = np.zeros(count + 1, int)
    for atom in order[1:]:
        depth[atom] = depth[before[atom]] + 1
    ranked = order[np.argsort(depth[order], kind="stable")]
    ends = np.searchsorted(depth[ranked], np.arange(2, depth.max() + 2))
    return [(before[part], part) for part in np.split(ranked, ends)[1:-1] if len(part)]

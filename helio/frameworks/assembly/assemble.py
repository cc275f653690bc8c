"""From a framework whose rotations are not known to one whose blocks are turned and joined."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from ase.geometry import minkowski_reduce

from helio.errors import HelioError
from helio.frameworks.assembly.annealing import Start, annealed
from helio.frameworks.assembly.first_turns import first_turns, partly
from helio.frameworks.assembly.fitting import Pose, fitted
from helio.frameworks.assembly.matching import Matching, matched
from helio.frameworks.assembly.sites import Joints, joints
from helio.frameworks.assembly.spinning import spun
from helio.frameworks.framework import Framework
from helio.frameworks.library import Library
from helio.frameworks.periodic_graph import fragments

_MEET = 0.5  # A; connections further apart do not meet
_NEAREST = 1.0  # A: blocks whose centres are closer cannot both be there


@dataclass(frozen=True)
class _Round:
    """So many starts for each framework, and so many frameworks at once."""

    starts: int
    batch: int
    anew: bool = True  # else from the best way so far, with some of the blocks turned anew


@dataclass(frozen=True)
class _Search:
    """How long ways to join a framework are looked for.

    A framework goes into the next round where its mean gap is still above `good`, or where its places may adapt and it
    is no net in three dimensions yet.
    """

    rounds: tuple[_Round, ...]
    good: float  # A
    fitted: int  # of the starts, those with the smallest misfits


_BROAD = (_Round(8, 16), _Round(48, 4))
# Places that are right tell the right way to join them from the next best by hundredths of an A.
_RIGID = _Search((*_BROAD, _Round(192, 1), *[_Round(64, 1, anew=False)] * 3), good=0.02, fitted=6)
_ADAPTIVE = _Search(_BROAD, good=0.05, fitted=8)


@dataclass(frozen=True)
class Assembled:
    """A framework with rotations, edges and ends, and the gaps (E,) in A between connections that meet."""

    framework: Framework
    gaps: np.ndarray

    @property
    def mean_gap(self) -> float:
        """In A."""
        return float(self.gaps.mean())


def assemble(framework: Framework, library: Library, *, adapt: bool = False, seed: int = 0) -> Assembled:
    """Turn and join the blocks of one framework; as `assemble_all`, raising what makes it impossible."""
    found = assemble_all([framework], library, adapt=adapt, seed=seed)[0]
    if isinstance(found, HelioError):
        raise found
    return found


def assemble_all(
    frameworks: Sequence[Framework], library: Library, *, adapt: bool = False, dimensions: int = 3, seed: int = 0
) -> list[Assembled | HelioError]:
    """Turn and join the blocks of frameworks, whose rotations and edges are not looked at.

    Args:
        frameworks: cell, centres and blocks.
        library: of the blocks.
        adapt: let centres and cell give way so that connections meet; for frameworks whose places are about right.
            Several ways to join them are then tried, and one that makes a single net is preferred.
        dimensions: in which that net has to go on, at least.
        seed: of the first rotations; the same seed gives the same frameworks.

    Returns:
        For each framework what it became, or why it cannot be assembled.
    """
    found: list[Assembled | HelioError | None] = [None] * len(frameworks)
    poses: dict[int, tuple[Joints, Pose]] = {}
    for place, framework in enumerate(frameworks):
        try:
            poses[place] = joints(framework, library), _pose(framework)
        except HelioError as error:
            found[place] = error
    best: dict[int, _Fit] = {}
    search, whole_from = (_ADAPTIVE, dimensions) if adapt else (_RIGID, None)
    for number, round_ in enumerate(search.rounds):
        open_ = [place for place in poses if place not in best or not best[place].good(search)]
        for begin in range(0, len(open_), round_.batch):
            places = open_[begin : begin + round_.batch]
            starts = [_start(*poses[place], round_, best.get(place), (seed, number)) for place in places]
            for place, start, turns in zip(places, starts, annealed(starts), strict=True):
                new = _best(start.joints, poses[place][1], turns, search.fitted, whole_from)
                best[place] = min(best.get(place, new), new, key=_Fit.order)
    for place, fit in best.items():
        found[place] = _finished(frameworks[place], library, poses[place][0], fit, adapt=adapt)
    return [one for one in found if one is not None]


def _pose(framework: Framework) -> Pose:
    """With a reduced cell; the blocks stay where they are."""
    if abs(np.linalg.det(framework.cell)) < 1.0 or not np.isfinite(framework.centers).all():
        raise HelioError(f"{framework.name} cannot be assembled: its cell or its centres make no sense")
    cell = _reduced(framework.cell)
    centers = framework.centers @ framework.cell
    for i in range(len(centers)):
        between = (centers[i + 1 :] - centers[i]) @ np.linalg.inv(cell)
        apart = np.linalg.norm((between - np.rint(between)) @ cell, axis=1)
        if (apart < _NEAREST).any():
            raise HelioError(
                f"{framework.name} cannot be assembled: two of its blocks are {apart.min():.2f} A from each other"
            )
    return Pose(centers, np.tile(np.eye(3), (len(centers), 1, 1)), cell)


def _reduced(cell: np.ndarray) -> np.ndarray:
    """Minkowski's form of the same lattice: the nearest of 27 images is then the nearest of all."""
    return np.asarray(minkowski_reduce(cell)[0])


@dataclass(frozen=True)
class _Fit:
    """A way to join the blocks, and whether that makes one net in all dimensions (where it matters; else True)."""

    pose: Pose
    matching: Matching
    whole: bool

    def good(self, search: _Search) -> bool:
        return self.whole and float(self.matching.gaps.mean()) <= search.good

    def order(self) -> tuple[bool, float]:
        """The smallest is the best: whole nets whose connections meet before all others, then small misfits."""
        return not (self.whole and float(self.matching.gaps.mean()) <= _MEET), float(self.matching.misfits.sum())


def _start(own: Joints, pose: Pose, round_: _Round, best: _Fit | None, seed: tuple[int, int]) -> Start:
    """What a round begins from, the same for a framework whichever others are with it."""
    random = np.random.default_rng(seed)
    turns = first_turns(own, pose.centers, pose.cell, starts=round_.starts, random=random)
    if best is not None and not round_.anew:
        turns = partly(best.pose.rotations, turns, random)
    return Start(own, pose.centers, pose.cell, turns)


def _best(own: Joints, pose: Pose, turns: np.ndarray, most: int, dimensions: int | None) -> _Fit:
    """The best of so many starts, the rotations of some of them fitted; with `dimensions` places and cell adapt."""
    tried = [replace(pose, rotations=one) for one in turns]
    matchings = [_matching(own, one) for one in tried]
    order = np.argsort([matching.misfits.sum() for matching in matchings], kind="stable")
    fits: list[_Fit] = []
    for i in order[:most]:
        pose, matching = _refitted(own, tried[i], matchings[i], cell=False)
        whole = True
        if dimensions is not None:
            pose, matching = _refitted(own, pose, matching, cell=True)
            ranks = _ranks(own, pose, matching)
            whole = len(ranks) == 1 and ranks[0] >= dimensions
        fits.append(_Fit(pose, matching, whole))
    return min(fits, key=_Fit.order)


def _ranks(own: Joints, pose: Pose, matching: Matching) -> list[int]:
    """In how many dimensions each net of joined blocks goes on."""
    pairs = np.stack([own.nodes.block, own.linkers.block[matching.linker]], axis=1)
    images = np.rint(matching.shifts @ np.linalg.inv(pose.cell)).astype(int)
    return fragments(len(pose.centers), pairs, images).ranks.tolist()


def _refitted(own: Joints, pose: Pose, matching: Matching, *, cell: bool) -> tuple[Pose, Matching]:
    """Fitted, matched anew, and fitted once more where that changed who meets whom."""
    pose = fitted(pose, own, matching, cell=cell)
    again = _matching(own, pose)
    if (again.linker != matching.linker).any():
        pose = fitted(pose, own, again, cell=cell)
        again = _matching(own, pose)
    return pose, again


def _matching(own: Joints, pose: Pose) -> Matching:
    nodes, linkers = (sites.placed(pose.centers, pose.rotations) for sites in (own.nodes, own.linkers))
    return matched(nodes, linkers, pose.cell)


def _finished(framework: Framework, library: Library, own: Joints, fit: _Fit, *, adapt: bool) -> Assembled:
    pose, matching = fit.pose, fit.matching
    cell, centers, wrapped = framework.cell, framework.centers, np.zeros((len(framework), 3))
    if adapt:
        cell = cell @ np.linalg.solve(_reduced(cell), pose.cell)
        centers = pose.centers @ np.linalg.inv(cell)
        wrapped = np.floor(centers.round(9))  # a rounding error below zero is no other cell
        centers = np.maximum(centers - wrapped, 0.0)
    node, linker = own.nodes.block, own.linkers.block[matching.linker]
    images = np.rint(matching.shifts @ np.linalg.inv(cell)) + wrapped[linker] - wrapped[node]
    edges = np.concatenate([node[:, None], linker[:, None], images], axis=1).astype(np.int32)
    ends = np.stack([own.nodes.connection, own.linkers.connection[matching.linker]], axis=1).astype(np.int32)
    joined = replace(framework, cell=cell, centers=centers, rotations=pose.rotations, edges=edges, ends=ends)
    return Assembled(replace(joined, rotations=spun(joined, library)), matching.gaps)

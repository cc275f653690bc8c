"""Lipid bilayers in water."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from ase import Atoms

from helio.build.lipid import Lipid
from helio.build.packing import AMU_PER_A3, Group, pack
from helio.build.water import DENSITY, water
from helio.errors import HelioError

# How far (A) the marked atoms may stand from where a straight lipid would have them.
_PLAY = 2.0
# Volume of head groups per mass, A^3/amu, from 1.25 g/cm3 (glycerophosphocholine: 331 A^3; Nagle et al., Biophys. J.
# 70, 1419, 1996), with room for packing.
_HEAD_VOLUME = AMU_PER_A3 / 1.0


def bilayer(
    lipids: Sequence[Lipid],
    *,
    per_leaflet: int,
    ratio: Sequence[float] | None = None,
    area_per_lipid: float = 75.0,
    waters_per_lipid: int = 40,
    seed: int = 0,
    report: Callable[[str], None] = lambda text: None,
) -> Atoms:
    """A periodic bilayer in the xy plane, with water above and below; the middle of the membrane is that of the box.

    The lipids are rigid and straight, so that the membrane begins thicker and emptier than it will be: let it
    equilibrate at constant pressure, semi-isotropic where possible.

    Args:
        lipids: one of each kind, from `read_lipid`.
        per_leaflet: lipids in each of the two leaflets.
        ratio: shares of the kinds in each leaflet; by default equal.
        area_per_lipid: of the start, A^2; rigid lipids do not pack as densely as those of a real membrane (60 to 70).
        waters_per_lipid: molecules of water for each lipid.
        seed: of the random arrangement.
        report: is told what was built, in words.

    Raises:
        HelioError: for counts or an area below one, or lipids that do not fit.
    """
    if per_leaflet < 1 or waters_per_lipid < 0 or not 0 < area_per_lipid < float("inf"):
        raise HelioError("a bilayer needs at least one lipid per leaflet, an area above zero and no negative waters")
    counts = _shares(per_leaflet, [1.0] * len(lipids) if ratio is None else ratio, len(lipids))
    area = per_leaflet * area_per_lipid
    length = max(lipid.length for lipid in lipids)
    layer = _water_layer(lipids, counts, waters_per_lipid * per_leaflet, area)
    edges = np.array([area**0.5, area**0.5, 2 * (layer + length)])
    half = edges[2] / 2
    report(
        f"packing {' + '.join(map(str, counts))} lipids per leaflet and {2 * waters_per_lipid * per_leaflet} waters "
        f"into {' x '.join(f'{edge:.1f}' for edge in edges)} A"
    )
    membrane = pack(
        [_leaflet(lipid, n, half, up) for lipid, n in zip(lipids, counts, strict=True) for up in (True, False)],
        edges,
        seed=seed,
    )
    # Water comes second: packed together with it, lipids take far longer to find their places.
    groups = [Group(membrane, 1, fixed=True)]
    for low, high in ((half + length, edges[2]), (0.0, half - length)):
        constraints = (f"over plane 0. 0. 1. {low:.4f}", f"below plane 0. 0. 1. {high:.4f}")
        groups.append(Group(water(), waters_per_lipid * per_leaflet, constraints))
    return pack(groups, edges, seed=seed)


def _shares(total: int, ratio: Sequence[float], kinds: int) -> list[int]:
    """Whole numbers in `ratio` that sum to `total`, by largest remainders."""
    if len(ratio) != kinds or not (min(ratio) >= 0 and 0 < sum(ratio) < float("inf")):
        raise HelioError(f"the ratio {','.join(f'{share:g}' for share in ratio)} must have one share for each lipid")
    exact = np.array(ratio, float) / sum(ratio) * total
    counts = np.floor(exact).astype(int)
    for index in np.argsort(counts - exact, kind="stable")[: total - counts.sum()]:
        counts[index] += 1
    return [int(count) for count in counts]


def _water_layer(lipids: Sequence[Lipid], counts: Sequence[int], waters: int, area: float) -> float:
    """Thickness in A of one of the two layers that hold the waters and what stands above the marked head atoms."""
    heads = sum(count * lipid.mass_above_head for lipid, count in zip(lipids, counts, strict=True))
    volume = waters * water().get_masses().sum() * AMU_PER_A3 / DENSITY + heads * _HEAD_VOLUME
    return volume / area + _PLAY


def _leaflet(lipid: Lipid, count: int, middle: float, up: bool) -> Group:
    """The lipids of one leaflet, held by their head and tail atoms; packmol counts atoms from 1."""
    sign = 1 if up else -1

    def between(atom: int, near: float, far: float) -> tuple[str, ...]:
        low, high = sorted((middle + sign * near, middle + sign * far))
        planes = (f"over plane 0. 0. 1. {low:.4f}", f"below plane 0. 0. 1. {high:.4f}")
        return (f"atoms {atom + 1}", *(f"  {plane}" for plane in planes), "end atoms")

    z = lipid.atoms.positions[:, 2]
    head = between(lipid.head, lipid.length - _PLAY, lipid.length + _PLAY)
    tails = [line for tail in lipid.tails for line in between(tail, z[tail] - _PLAY, z[tail] + _PLAY)]
    return Group(lipid.atoms, count, (*head, *tails))

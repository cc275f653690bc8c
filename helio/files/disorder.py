"""Sites that a structure file says are occupied only in part, of which a simulation can hold one alternative."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from helio.errors import HelioError, counted

if TYPE_CHECKING:
    from ase import Atoms

LARGEST = "largest"
# Two partly occupied sites this close are alternatives: shorter than any bond between heavy atoms but 1.2 A.
_ALTERNATIVES = 1.3  # A
_LISTED = 6
_FULL = 0.999


@dataclass(frozen=True)
class Site:
    """A site that is partly occupied."""

    name: str
    occupancy: float
    altloc: str = ""


def refusal(sites: Sequence[Site], remedy: str) -> HelioError:
    """The error that names the sites and says what to do."""
    listed = [f"{s.name}{f' (location {s.altloc})' if s.altloc else ''} {s.occupancy:g}" for s in sites[:_LISTED]]
    more = f" and {len(sites) - _LISTED} more" if len(sites) > _LISTED else ""
    return HelioError(
        f"{counted(len(sites), 'atom', 'are')} alternative or occupied only in part: "
        f"{', '.join(listed)}{more}. A simulation holds each atom once: {remedy}"
    )


def without_alternatives(atoms: Atoms, altloc: str | None) -> tuple[Atoms, list[str]]:
    """A structure as ASE reads it, with one of the alternatives of each site that is shared.

    Args:
        atoms: with `occupancy` in `info` (of a CIF, by the number of the site in `spacegroup_kinds`) or as an array.
        altloc: "largest" keeps the site of the larger occupancy, the first of equals; None refuses.

    Raises:
        HelioError: sites are occupied in part and `altloc` is not "largest".
    """
    sites = _partly_occupied(atoms)
    if not sites:
        return atoms, []
    if altloc != LARGEST:
        different = {site.name: site for site in sites.values()}
        raise refusal(list(different.values()), "give --altloc largest to keep the larger of each, or edit the file")
    partly = list(sites)
    order = sorted(range(len(partly)), key=lambda row: (-sites[partly[row]].occupancy, partly[row]))
    shared = cast("Atoms", atoms[partly])
    distances = shared.get_all_distances(mic=bool(atoms.pbc.any()))
    kept: list[int] = []
    for row in order:
        if all(distances[row, other] > _ALTERNATIVES for other in kept):
            kept.append(row)
    mask = np.ones(len(atoms), bool)
    mask[[partly[row] for row in set(order) - set(kept)]] = False
    chosen = cast("Atoms", atoms[mask])
    chosen.info.pop("occupancy", None)
    chosen.arrays.pop("occupancy", None)
    left_out = len(partly) - len(kept)
    return chosen, [
        f"{counted(len(kept), 'partly occupied atom', 'are')} taken as if fully occupied, "
        f"{counted(left_out, 'alternative')} left out"
    ]


def _partly_occupied(atoms: Atoms) -> dict[int, Site]:
    """The sites that are not fully occupied by one element, by the numbers of their atoms."""
    occupancy: Any = atoms.info.get("occupancy")
    kinds, symbols = atoms.arrays.get("spacegroup_kinds"), atoms.get_chemical_symbols()
    if isinstance(occupancy, dict) and kinds is not None:
        sites = {}
        for i, (kind, symbol) in enumerate(zip(kinds, symbols, strict=True)):
            site = occupancy.get(str(kind), {})
            share = float(site.get(symbol, 1.0))
            if share < _FULL or len(site) > 1:
                sites[i] = Site(f"{symbol} at site {kind}", share)
        return sites
    shares: Any = atoms.arrays.get("occupancy")
    if shares is None or shares.dtype.kind != "f":
        return {}
    # 0 is written by programs that know no occupancy.
    partly = np.flatnonzero((shares > 0) & (shares < _FULL))
    return {int(i): Site(f"{symbols[i]} (atom {i})", float(shares[i])) for i in partly}

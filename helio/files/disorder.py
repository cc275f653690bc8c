"""Sites that a structure file says are occupied only in part, of which a simulation can hold one alternative."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from helio.errors import HelioError

if TYPE_CHECKING:
    from ase import Atoms

LARGEST = "largest"
# Two partly occupied sites this close are alternatives: shorter than any bond between heavy atoms but 1.2 A.
_ALTERNATIVES = 1.3  # A
_LISTED = 6


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
        f"{len(sites)} atoms are alternatives or occupied only in part: {', '.join(listed)}{more}. A simulation holds "
        f"each atom once: {remedy}"
    )


def without_alternatives(atoms: Atoms, altloc: str | None) -> tuple[Atoms, list[str]]:
    """A crystal as ASE reads it, with one of the alternatives of each site that is shared.

    Args:
        atoms: with `occupancy` in `info` (by the number of the site in `spacegroup_kinds`), or without.
        altloc: "largest" keeps the site of the larger occupancy, the first of equals; None refuses.

    Raises:
        HelioError: sites are occupied in part and `altloc` is not "largest".
    """
    occupancy: Any = atoms.info.get("occupancy")
    kinds = atoms.arrays.get("spacegroup_kinds")
    if not isinstance(occupancy, dict) or kinds is None:
        return atoms, []
    symbols = atoms.get_chemical_symbols()
    sites = [occupancy.get(str(kind), {}) for kind in kinds]
    shares = np.array([float(site.get(symbol, 1.0)) for site, symbol in zip(sites, symbols, strict=True)])
    mixed = [len(site) > 1 for site in sites]
    partly = np.flatnonzero((shares < 0.999) | mixed)
    if len(partly) == 0:
        return atoms, []
    if altloc != LARGEST:
        shared = {int(kinds[i]): Site(f"{symbols[i]} at site {kinds[i]}", float(shares[i])) for i in partly}
        raise refusal(list(shared.values()), "give --altloc largest to keep the larger of each, or edit the file")
    order = sorted(partly.tolist(), key=lambda i: (-shares[i], i))
    distances = atoms[partly].get_all_distances(mic=bool(atoms.pbc.any()))  # pyright: ignore[reportAttributeAccessIssue]
    place = {int(i): row for row, i in enumerate(partly)}
    kept: list[int] = []
    for i in order:
        if all(distances[place[i], place[j]] > _ALTERNATIVES for j in kept):
            kept.append(i)
    dropped = sorted(set(order) - set(kept))
    mask = np.ones(len(atoms), bool)
    mask[dropped] = False
    notes = [f"{len(kept)} partly occupied atoms are taken as if fully occupied, {len(dropped)} alternatives left out"]
    return atoms[mask], notes  # pyright: ignore[reportReturnType]

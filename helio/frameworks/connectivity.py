"""The nets of a crystal: what its bonds hold together, and in how many dimensions each goes on."""

from __future__ import annotations

import numpy as np

from helio.frameworks.crystal import Crystal
from helio.frameworks.periodic_graph import fragments


def nets(crystal: Crystal) -> list[tuple[int, int]]:
    """Atoms in a cell and dimensions of each connected net, the largest first.

    A molecule has no dimensions, a layer two, a framework three.
    """
    found = fragments(len(crystal), crystal.bonds, crystal.images)
    return sorted(zip(np.bincount(found.member).tolist(), found.ranks.tolist(), strict=True), reverse=True)

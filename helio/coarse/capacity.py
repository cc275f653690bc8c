"""How many places lists of groups need."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.spatial import KDTree

from helio.coarse.store import Store
from helio.errors import HelioError
from helio.neighbors import round_up

# Frames of every system that are looked at, and what is needed at most in them is multiplied by.
_FRAMES = 10
_SPARE = 1.3


def most_within(store: Store, names: Sequence[str], radius: float) -> int:
    """Columns for lists of all groups within `radius` of another, with room to spare.

    Raises:
        HelioError: half of an edge of a box is less than the radius.
    """
    most = 1
    for name in names:
        for frame in np.unique(np.linspace(0, store.frames(name) - 1, _FRAMES).astype(int)):
            boxes = store.boxes(name, frame, frame + 1)
            assert boxes is not None
            box = boxes[0]
            if box.min() < 2 * radius:
                raise HelioError(
                    f"the radius of {radius:g} {store.length_unit} is more than half of the box of {name}, whose edges "
                    f"are {', '.join(f'{edge:g}' for edge in box)}"
                )
            positions = store.centers(name, frame, frame + 1)[0].astype(np.float64)
            wrapped = np.minimum(positions - box * np.floor(positions / box), np.nextafter(box, 0))
            counts = KDTree(wrapped, boxsize=box).query_ball_point(wrapped, radius, return_length=True)
            most = max(most, int(counts.max()) - 1)
    return round_up(int(np.ceil(_SPARE * most)))

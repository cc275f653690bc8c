"""Dipole moments of molecules from the charges that a model gives its atoms."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.sparse import coo_array, csr_array

from helio.analyse.frames import Frames
from helio.analyse.unwrapping import centers, whole_positions

DEBYE = 0.20819433  # e A, CODATA 2018 (3.33564e-30 C m)


def molecular_dipoles(frames: Frames) -> Callable[[Any], np.ndarray]:
    """A function from consecutive moments to the dipoles (M, 3) of all molecules, in e A.

    sum_i q_i (r_i - R) over the atoms of a molecule with its centre of mass R, so that it is defined also where
    charge flows between molecules; what such a flow adds to the dipole of the whole is left out.
    """
    groups = frames.molecules
    matrix = centers(frames, groups)
    count = len(groups)
    shape = (int(groups.max()) + 1, count)
    members: csr_array = csr_array(coo_array((np.ones(count), (groups, np.arange(count))), shape=shape))
    whole = whole_positions(frames)

    def dipoles(moment: Any) -> np.ndarray:
        positions = whole(moment)
        from_center = positions - (matrix @ positions)[groups]
        return members @ (np.asarray(moment.data["charge"], float)[:, None] * from_center)

    return dipoles

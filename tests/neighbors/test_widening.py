from __future__ import annotations

import numpy as np
from ase.build import molecule

from helio.neighbors.widening import Sizes, sizes, widened
from helio.system import System


def test_wider_lists_hold_the_same_pairs(small_force_field):
    force_field = small_force_field.with_options(long_range_cutoff=6.0, electrostatics="ewald")
    system = System.from_ase(molecule("CH3CH2OH", vacuum=2.0, pbc=True))
    made = force_field.neighbors(system, rows=12)
    size = Sizes(*(number + 4 for number in sizes(made)))
    wide = widened(made, size)
    assert sizes(wide) == size
    for narrow, wider in ((made.short, wide.short), (made.long, wide.long)):
        assert wider.mask.sum() == narrow.mask.sum()
    assert (np.asarray(wide.short.half)[:, 0] < 12).sum() == (np.asarray(made.short.half)[:, 0] < 12).sum()
    assert wide.long.half is None
    assert sizes(widened(made, Sizes(0, 0, 0, 0))) == sizes(made)

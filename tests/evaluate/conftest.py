from __future__ import annotations

import pytest

from helio.force_field import ForceField


@pytest.fixture(scope="session")
def force_field(small_force_field: ForceField) -> ForceField:
    """The small model for complexes of any size."""
    return small_force_field.with_options(long_range_cutoff=1000.0)

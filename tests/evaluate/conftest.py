from __future__ import annotations

from dataclasses import replace

import pytest

from helio.force_field import ForceField


@pytest.fixture(scope="session")
def force_field(small_force_field: ForceField) -> ForceField:
    """A model of one layer, quick to compile, for complexes of any size."""
    settings = replace(small_force_field.settings, num_layers=1)
    return ForceField.initialise(settings, 7).with_options(long_range_cutoff=1000.0)

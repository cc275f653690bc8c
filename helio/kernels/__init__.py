"""Fast versions of hot operations, each beside a plain version in a higher folder that it must equal.

| operation | plain version | where |
|---|---|---|
| attention of one layer: two sums over each atom's neighbours | `helio.network.attention` | CPU: C++; GPU: Pallas |
| what a layer does to single atoms: projections, residual network, exchange | `helio.network.layer` | CPU: C++ |
| long-range terms: electrostatics and dispersion of each atom | `helio.physics.tiles` | CPU: C++ |
| repulsion of nuclei, of each atom | `helio.physics.zbl` | CPU: C++ |

In: arrays of all atoms, a padded full list (or the rows of it that a device owns), filters tabulated once from a
model's parameters. Out: sums over the rows, and gradients for the atoms of these rows. Pair vectors are measured
inside, pairs beyond the cutoff count nothing, no array over pairs is ever stored. Numbers equal those of the plain
version to round-off, except for the table's error, which is measured when it is made.

The library is compiled when Helio is installed (`hatch_build.py`); `why_unavailable` says why it cannot be used here.
Programs for GPUs are compiled by JAX where they run.
Operations differentiate once, in positions, cell and values per atom: neither in parameters nor twice, which the
plain versions do. May import `helio.rows`, `helio.errors` and numerical libraries only.
"""

from helio.kernels.atoms import UpdateSettings, UpdateWeights, projected, updated
from helio.kernels.attention import attention_backward, attention_forward, tabulated_attention
from helio.kernels.library import available, why_unavailable
from helio.kernels.long_range import (
    DrudeOscillators,
    LongRangeAtoms,
    LongRangeTerms,
    SmearedCharges,
    long_range_atoms,
    long_range_backward,
    long_range_energies,
    long_range_forward,
    long_range_with_gradients,
)
from helio.kernels.repulsion import RepulsionSettings, Screening, repulsion_energies
from helio.kernels.tables import FilterParameters, TabulatedFilters, supports, supports_on_gpu, tabulate

__all__ = [
    "DrudeOscillators",
    "FilterParameters",
    "LongRangeAtoms",
    "LongRangeTerms",
    "RepulsionSettings",
    "Screening",
    "SmearedCharges",
    "TabulatedFilters",
    "UpdateSettings",
    "UpdateWeights",
    "attention_backward",
    "attention_forward",
    "available",
    "long_range_atoms",
    "long_range_backward",
    "long_range_energies",
    "long_range_forward",
    "long_range_with_gradients",
    "projected",
    "repulsion_energies",
    "supports",
    "supports_on_gpu",
    "tabulate",
    "tabulated_attention",
    "updated",
    "why_unavailable",
]

"""The long-range terms of `tiles` by the compiled operation of `helio.kernels`, which gets its constants here."""

from __future__ import annotations

from jaxtyping import Array, Float

from helio.kernels import DrudeOscillators, LongRangeTerms, SmearedCharges, long_range_energies
from helio.neighbors import NeighborList
from helio.physics import coulomb, dispersion
from helio.physics.tiles import LongRangePair
from helio.rows import ALL_ROWS, Rows
from helio.units import BOHR, COULOMB, HARTREE


def compiled_atomic_energies(
    pair: LongRangePair,
    atomic: dict[str, Float[Array, " N"]],
    positions: Float[Array, "N 3"],
    cell: Float[Array, "3 3"],
    neighbors: NeighborList,
    *,
    rows: Rows = ALL_ROWS,
) -> dict[str, Float[Array, " N"]]:
    """As `tiled_atomic_energies` with this pair energy and its cutoff; differentiable once, in reverse mode."""
    values = atomic["charge"], atomic["polarizability"], atomic["c6"]
    where = positions, cell, neighbors.index, neighbors.shift
    energies = long_range_energies(compiled_terms(pair), *values, *where, rows)
    wanted = {"electrostatics": pair.sigma, "dispersion": pair.dispersion_scale}
    return {name: values for (name, given), values in zip(wanted.items(), energies, strict=True) if given is not None}


def compiled_terms(pair: LongRangePair) -> LongRangeTerms:
    """The pair energy in the constants that the compiled operation takes."""
    charges = drude = None
    if pair.sigma is not None:
        charges = SmearedCharges(coulomb=COULOMB, sigma=pair.sigma, onset=coulomb.ONSET)
    if pair.dispersion_scale is not None:
        drude = DrudeOscillators(
            hartree=HARTREE,
            bohr=BOHR,
            damping=pair.dispersion_scale * dispersion.DAMPING,
            length=dispersion.length_over_seventh_root(),
            switch_width=pair.switch_width,
        )
    return LongRangeTerms(cutoff=pair.cutoff, electrostatics=charges, dispersion=drude)

"""Terms over pairs by the compiled operations of `helio.kernels`, which get their constants here."""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from helio.kernels import (
    DrudeOscillators,
    LongRangeTerms,
    RepulsionSettings,
    Screening,
    SmearedCharges,
    long_range_energies,
    repulsion_energies,
)
from helio.neighbors import NeighborList
from helio.physics import coulomb, dispersion
from helio.physics.tiles import LongRangePair
from helio.physics.zbl import ZBL
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


def compiled_repulsion(
    zbl: ZBL,
    atomic_numbers: Int[Array, " N"],
    positions: Float[Array, "N 3"],
    cell: Float[Array, "3 3"],
    neighbors: NeighborList,
    *,
    cutoff: float,
    reach: float,
    rows: Rows = ALL_ROWS,
) -> Float[Array, " R"]:
    """Nuclear repulsion of each atom in eV, as `pair.zbl_energies` shared equally; differentiable once."""
    charge = jnp.maximum(atomic_numbers, 1).astype(positions.dtype)
    settings = RepulsionSettings(cutoff=cutoff, reach=reach, coulomb=COULOMB)
    screening = Screening(charge, zbl.screening(charge), *zbl.terms())
    return repulsion_energies(settings, screening, positions, cell, neighbors.index, neighbors.shift, rows)

"""How a system is arranged for its evaluation: sizes of lists, order of rows, blocks of rows, strained cells."""

from __future__ import annotations

import math
from dataclasses import replace

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from helio.force_field.settings import ForceFieldSettings
from helio.force_field.tabulation import physics_compiled
from helio.kernels import TabulatedFilters
from helio.neighbors import (
    NeighborPlans,
    Neighbors,
    cell_order,
    half_pairs,
    host_list,
    most_pairs,
    plan_list,
    round_up,
    trimmed,
)
from helio.network.geometry import PairGeometry
from helio.network.tabulated import TabulatedPairs
from helio.physics import pair
from helio.prediction import Prediction
from helio.rows import Rows
from helio.system import System

# A cutoff that no molecule reaches (A).


def plan_lists(
    system: System,
    *,
    cutoff: float,
    long_range_cutoff: float,
    short_skin: float,
    long_skin: float,
    spare: float,
    all_within: bool,
    devices: int,
    reciprocal: np.ndarray | None,
    mesh: tuple[int, int, int] | None,
) -> NeighborPlans:
    """Plans for `ForceField.plan`, which says what the arguments mean; lengths in A, host arrays."""
    where = system.positions, system.cell, system.pbc
    short = plan_list(*where, cutoff=cutoff + short_skin, half=True, spare=spare, devices=devices)
    places = short.half_pairs or 0
    if not all_within:
        order = cell_order(*where, bins=short.bins, atom_mask=system.atom_mask)
        counts = np.asarray(host_list(*where, cutoff=cutoff, half=False).mask).sum(axis=1)
        places = min(places, round_up(math.ceil(most_pairs(counts[order], devices) * (spare - 0.04)) + 8))
    # Atoms that are close in space lie close in memory, and on one device; not worth it where all are close.
    ordered = devices > 1 or short.bins != (1, 1, 1)
    return NeighborPlans(
        short=short,
        long=plan_list(*where, cutoff=long_range_cutoff + long_skin, half=False, spare=spare),
        short_skin=short_skin,
        long_skin=long_skin,
        short_within=places,
        rows=-(-len(system) // devices) * devices if ordered else 0,
        mesh=mesh,
        reciprocal=None if reciprocal is None else jnp.asarray(reciprocal),
    )


def network_pairs(
    settings: ForceFieldSettings,
    tables: tuple[TabulatedFilters, ...] | None,
    system: System,
    neighbors: Neighbors,
    rows: Rows,
) -> tuple[pair.MeasuredPairs | None, PairGeometry | TabulatedPairs, Bool[Array, ""]]:
    """The pairs of the short list each once, what the network sees of them, and whether there were too many.

    Where the physical terms run compiled, too, nothing needs the pairs themselves.
    """
    overflow = jnp.zeros((), bool)
    if tables is not None:
        listed = TabulatedPairs(tables, system.positions, system.cell, neighbors.short, rows)
        if physics_compiled(tables):
            return None, listed, overflow
    pairs = half_pairs(neighbors.short, system.positions, system.cell, rows)
    if tables is not None:
        return pair.measure(pairs, settings.cutoff, rows), listed, overflow
    if neighbors.short_within:
        pairs, overflow = trimmed(pairs, cutoff=settings.cutoff, size=neighbors.short_within, count=len(system))
    short = pair.measure(pairs, settings.cutoff, rows)
    geometry = PairGeometry.describe(
        short,
        cutoff=settings.cutoff,
        num_radial=settings.num_radial,
        gamma=settings.radial_gamma,
        degrees=settings.degrees,
    )
    return short, geometry, overflow


def own_part(system: System, rows: Rows) -> System:
    """The atoms whose rows are here, in the whole cell and with the whole charge."""
    arrays = (system.positions, system.atomic_numbers, system.masses, system.fragments)
    return eqx.tree_at(
        lambda s: (s.positions, s.atomic_numbers, s.masses, s.fragments),
        system,
        rows.own(arrays),
        is_leaf=lambda leaf: leaf is None,
    )


def in_order_of_atoms(
    listed: Prediction,
    forces: Float[Array, "M 3"],
    stress: Float[Array, "3 3"] | None,
    order: Int[Array, " M"] | None,
    count: int,
    rows: Rows,
) -> Prediction:
    """The prediction for `count` atoms from that of the rows here."""
    own = {name: getattr(listed, name) for name in ("atomic_energies", "charges", "hirshfeld_ratios")}
    arrays = rows.gather(own) | {"forces": forces}
    if order is not None:
        arrays = {
            name: jnp.zeros((count, *values.shape[1:]), values.dtype).at[order].set(values, mode="drop")
            for name, values in arrays.items()
        }
    return replace(listed, stress=stress, **arrays)


def deformed(system: System, positions: Float[Array, "N 3"], strain: Float[Array, "3 3"] | None) -> System:
    """The system at `positions`, strained together with its cell."""
    cell = system.cell
    if strain is not None:
        positions = positions + positions @ strain
        cell = cell + cell @ strain
    return eqx.tree_at(lambda s: (s.positions, s.cell), system, (positions, cell))

"""Kinds of systems in which a model is known to fail, named for a user."""

from __future__ import annotations

from collections.abc import Sequence

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from helio.force_field import ForceField
from helio.force_field.uncertainty import Uncertainty
from helio.neighbors import Neighbors
from helio.precision import numerics
from helio.system import System
from helio.uncertainty.features import energy_features
from helio.uncertainty.weak_spots import resemblance

OPEN_SHELL = "has unpaired electrons"


def failures_of(force_field: ForceField, system: System) -> tuple[str, ...]:
    """Weak classes that a system (host arrays) belongs to, as predicates; empty for a model whose file records none."""
    uncertainty = force_field.uncertainty
    if uncertainty is None or (uncertainty.weak_spots is None and not uncertainty.unpaired_electrons):
        return ()
    scores = np.zeros((len(system), 0))
    if uncertainty.weak_spots is not None:
        with numerics("float32"):
            # The features do not depend on the long-range list.
            short = force_field.with_options(long_range_cutoff=force_field.settings.cutoff).astype("float32")
            lists = short.neighbors(system)
            scores = np.asarray(_scores(short, system.astype("float32"), lists))
    return known_failures(uncertainty, float(system.unpaired_electrons), scores)


def known_failures(
    uncertainty: Uncertainty, unpaired_electrons: float, scores: Float[np.ndarray, "N W"]
) -> tuple[str, ...]:
    """Weak classes that a system belongs to, as predicates: "has unpaired electrons", "resembles nucleobases".

    Args:
        uncertainty: of the model.
        unpaired_electrons: of the system.
        scores: `resemblance` of its atoms.
    """
    spots, seen = uncertainty.weak_spots, uncertainty.unpaired_electrons
    kinds = [] if not seen or round(unpaired_electrons) in seen else [OPEN_SHELL]
    if spots is not None:
        largest = scores.max(axis=0, initial=-np.inf)
        kinds += [f"resembles {name}" for name, score in zip(spots.names, largest, strict=True) if score > 0]
    return tuple(kinds)


def in_words(kinds: Sequence[str]) -> str:
    """A predicate: what a structure is like, and what that means."""
    return f"{' and '.join(kinds)}, for which the model is known to fail"


@eqx.filter_jit
def _scores(force_field: ForceField, system: System, neighbors: Neighbors) -> Float[Array, "N W"]:
    order = neighbors.order
    listed = system if order is None else system.taken(order)
    scores = resemblance(force_field, energy_features(force_field, listed, neighbors), listed, neighbors)
    if order is None:
        return scores
    blank = jnp.full((len(system), scores.shape[1]), -jnp.inf, scores.dtype)
    return blank.at[order].set(scores, mode="drop")

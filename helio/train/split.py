"""Which structures are trained on and which are kept to validate."""

from __future__ import annotations

import numpy as np

from helio.errors import HelioError


def split(count: int, *, train: int | None, validation: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of the structures to train on and to validate on, drawn at random; the same for the same seed.

    Args:
        count: how many structures there are.
        train: how many to train on; None for all that are not kept to validate.
        validation: how many to validate on, or a share of all if below 1.
        seed: of the draw.

    Raises:
        HelioError: there are too few.
    """
    kept = round(validation * count) if validation < 1 else round(validation)
    wanted = max(1, count - kept) if train is None else train
    if kept + wanted > count:
        raise HelioError(
            f"the data hold {count} structures, too few to train on {wanted} and validate on {kept}: lower train or "
            "validation, or import more"
        )
    order = np.random.default_rng(seed).permutation(count)
    return np.sort(order[kept : kept + wanted]), np.sort(order[:kept])

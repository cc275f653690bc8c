"""Which structures are trained on and which are kept to validate."""

from __future__ import annotations

import numpy as np

from helio.datasets.store import Store
from helio.errors import HelioError
from helio.train.groups import groups_in, neighbors_alike


def split_store(
    store: Store, *, train: int | None, validation: float, seed: int, group_by: str | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """The division of a store by `split`, its structures kept together as `helio.train.groups.groups_in` tells."""
    groups, _ = groups_in(store, group_by)
    return split(len(store), train=train, validation=validation, seed=seed, groups=groups)


def split(
    count: int, *, train: int | None, validation: float, seed: int, groups: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of the structures to train on and to validate on, drawn at random; the same for the same seed.

    Args:
        count: how many structures there are.
        train: how many to train on; None for all that are not kept to validate.
        validation: how many to validate on, or a share of all if below 1; of groups those are kept that come closest.
        seed: of the draw.
        groups: a number per structure, equal for those that stay together; None draws structures one by one.

    Raises:
        HelioError: there are too few, or too few groups.
    """
    kept = round(validation * count) if validation < 1 else round(validation)
    wanted = max(1, count - kept) if train is None else train
    if kept + wanted > count:
        raise HelioError(
            f"the data hold {count} structures, too few to train on {wanted} and validate on {kept}: lower train or "
            "validation, or import more"
        )
    order = np.random.default_rng(seed).permutation(count)
    if groups is None or kept == 0:
        return np.sort(order[kept : kept + wanted]), np.sort(order[:kept])
    validated = _groups_of_size(groups, kept, seed)
    rest = order[~np.isin(groups[order], validated)]
    return np.sort(rest if train is None else rest[:wanted]), np.sort(order[np.isin(groups[order], validated)])


def division_line(store: Store, train: np.ndarray, kept: np.ndarray, group_by: str | None) -> str:
    """Summary of a division: counts, what stays together, and whether neighbours leak."""
    groups, by = groups_in(store, group_by)
    counts = f"{len(train):,} structures to train on, {len(kept):,} to validate on"
    if not len(kept):
        return counts
    if groups is not None:
        sides = (len(np.unique(groups[part])) for part in (train, kept))
        return f"{counts}, kept together by {by}: {' and '.join(f'{side:,} groups' for side in sides)}"
    if neighbors_alike(store):
        return (
            f"{counts}, drawn one by one. Warning: neighbouring structures are alike, as frames of a trajectory are: "
            "the errors of validation will be too small. group_by: block:100 keeps neighbours together"
        )
    return f"{counts}, drawn one by one"


def _groups_of_size(groups: np.ndarray, wanted: int, seed: int) -> np.ndarray:
    """Groups, drawn at random, whose structures come closest to the number wanted; not none of them and not all."""
    names, sizes = np.unique(groups, return_counts=True)
    if len(names) < 2:
        raise HelioError("all structures are of one group: give other data to validate on, or smaller groups")
    order = np.random.default_rng(seed).permutation(len(names))
    chosen, total = [], 0
    for place in order[:-1]:
        if not chosen or abs(total + sizes[place] - wanted) < abs(total - wanted):
            chosen.append(names[place])
            total += sizes[place]
    return np.array(chosen)

"""Groups of structures that stay together when a set is divided: frames of one trajectory must not stand on both sides.

| `group_by` of an import | structures of one group |
|---|---|
| file | come from one file |
| block:100 | are a hundred neighbours in their file |
| any other word | have the same value of this key: of `info` in files of ASE, an array of an .npz, `molecule` in HDF5 |

| `group_by` of a training | structures of one group |
|---|---|
| group | have the group of the import: the default where the store has groups |
| source | come from one source |
| formula | have the same atoms |
| block:100 | are a hundred neighbours of one source |
| none | the structure alone: the default where the store has no groups |
"""

from __future__ import annotations

from collections.abc import Hashable
from pathlib import Path

import numpy as np

from helio.datasets.store import Store
from helio.datasets.structure import LabelledStructure
from helio.errors import HelioError

FILE, BLOCK = "file", "block"
TRAINING = ("group", "source", "formula", "none")  # and blocks
_SAMPLE = 200  # pairs of structures that are compared
_TRIES = 20  # structures that are drawn to find one of the same atoms
_LARGEST = 300  # atoms of structures that are compared
_ALIKE = 0.7  # median distance of neighbours over that of any two of the same atoms


def block_size(group_by: str | None) -> int | None:
    """The structures of a block, of words such as block:100; None for other words.

    Raises:
        HelioError: the number is missing or not above zero.
    """
    if group_by is None or group_by.partition(":")[0] != BLOCK:
        return None
    number = group_by.partition(":")[2]
    if not number.isdecimal() or int(number) == 0:
        raise HelioError(f"groups of neighbours need their number, as in block:100, not {group_by!r}")
    return int(number)


def group_of(structure: LabelledStructure, path: Path, group_by: str | None) -> Hashable:
    """The group of a structure from the file `path`; None where it has none.

    Without `group_by` it is the group in the store that the structure comes from.

    Raises:
        HelioError: the structure lacks the key.
    """
    if group_by is None:
        group = structure.attributes.get("group") if structure.source is not None else None
        return None if group is None else (str(path), group)
    if group_by == FILE:
        return str(path)
    if (size := block_size(group_by)) is not None:
        return str(path), structure.number // size
    value = structure.attributes.get(group_by)
    if value is None:
        known = ", ".join(map(str, list(structure.attributes)[:10])) or "nothing besides its labels"
        raise HelioError(f"structure {structure.number} of {path} has no {group_by} to group by; it has {known}")
    return str(np.asarray(value).tolist())


def groups_in(store: Store, group_by: str | None) -> tuple[np.ndarray | None, str]:
    """A number per structure (M,), equal for those of one group, None where each stands alone; and by what.

    Raises:
        HelioError: unknown words, or the groups of an import that the store does not have.
    """
    groups = store.column("group")
    if group_by is None:
        group_by = "none" if groups is None else "group"
    if group_by == "group":
        if groups is None:
            raise HelioError(f"{store.path} has no groups: import it with --group-by, or group by {TRAINING[1]}")
        alone = np.asarray(groups) < 0
        return np.where(alone, np.max(groups) + 1 + np.cumsum(alone), groups), group_by
    if group_by == "none":
        return None, group_by
    if group_by == "source":
        return np.array(store.rows("source")), group_by
    if group_by == "formula":
        z, first = store.rows("atomic_numbers"), store.rows("first_atom")
        formulas = [np.sort(z[first[number] : first[number + 1]]).tobytes() for number in range(len(store))]
        return np.unique(formulas, return_inverse=True)[1], group_by
    size = block_size(group_by)
    if size is None:
        raise HelioError(f"group_by must be one of {', '.join(TRAINING)} or block:100, not {group_by!r}")
    return np.unique([store.rows("source"), np.arange(len(store)) // size], axis=1, return_inverse=True)[1], group_by


def neighbors_alike(store: Store) -> bool:
    """Whether neighbours in the store differ less than other structures of the same atoms, as frames of a trajectory.

    The distance of two structures is the root mean square of the differences of their interatomic distances.
    """
    if len(store) < 10:
        return False
    random = np.random.default_rng(0)
    near, far = [], []
    for number in random.permutation(len(store) - 1)[:_SAMPLE]:
        drawn = [int(k) for k in random.integers(len(store), size=_TRIES) if abs(k - number) > 1]
        far_number = next((k for k in drawn if _same_atoms(store, number, k)), None)
        if far_number is None or not _same_atoms(store, number, number + 1):
            continue
        matrices = [_distances(store, k) for k in (number, number + 1, far_number)]
        near.append(np.sqrt(np.mean((matrices[0] - matrices[1]) ** 2)))
        far.append(np.sqrt(np.mean((matrices[0] - matrices[2]) ** 2)))
    return len(near) >= 5 and float(np.median(near)) < _ALIKE * float(np.median(far))


def _atoms(store: Store, number: int) -> slice:
    first = store.rows("first_atom")
    return slice(int(first[number]), int(first[number + 1]))


def _same_atoms(store: Store, number: int, other: int) -> bool:
    if not store.atoms[number] == store.atoms[other] <= _LARGEST:
        return False
    z = store.rows("atomic_numbers")
    return np.array_equal(z[_atoms(store, number)], z[_atoms(store, other)])


def _distances(store: Store, number: int) -> np.ndarray:
    positions = store.rows("positions")[_atoms(store, number)]
    return np.linalg.norm(positions[:, None] - positions[None], axis=-1)

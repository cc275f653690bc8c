"""In which order structures come: a function of the seed and of the number of the pass alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from helio.errors import excerpt


def batch_number(value: object) -> int:
    """The number of a batch that a checkpoint names; raises `ValueError` where it cannot be one."""
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**53:
        raise ValueError(f"{excerpt(value)} is no number of a batch")
    return value


class BatchOrder:
    """Batches of every pass over some classes of structures.

    Within a class the structures are shuffled anew in each pass and shared out evenly among its batches; batches of
    all classes are shuffled, too. Without shuffling, classes come one after another.
    """

    def __init__(self, members: Sequence[np.ndarray], batches: Sequence[int], *, seed: int, shuffle: bool) -> None:
        """Take the structures of each class and into how many batches they go."""
        self._members, self._batches = list(members), list(batches)
        self._seed, self._shuffle = seed, shuffle
        self._pass: tuple[int, list[tuple[int, np.ndarray]]] | None = None

    def __len__(self) -> int:
        """Batches in a pass."""
        return sum(self._batches)

    def batch(self, number: int) -> tuple[int, np.ndarray]:
        """Class and structures of a batch, counted over all passes."""
        epoch, place = divmod(number, len(self))
        if self._pass is None or self._pass[0] != epoch:
            self._pass = epoch, self._all(epoch)
        return self._pass[1][place]

    def _all(self, epoch: int) -> list[tuple[int, np.ndarray]]:
        random = np.random.default_rng([self._seed, epoch])
        found = []
        for kind, (members, number) in enumerate(zip(self._members, self._batches, strict=True)):
            shuffled = random.permutation(members) if self._shuffle else members
            found += [(kind, part) for part in np.array_split(shuffled, number)]
        return [found[place] for place in random.permutation(len(found))] if self._shuffle else found

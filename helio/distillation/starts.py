"""Structures that sampling begins from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
from ase import Atoms


@dataclass(frozen=True)
class Start:
    """A structure, with `info["charge"]` and `info["spin"]`, and what it is made of.

    Structures of one `group`, such as the conformers of a molecule, are held out together or not at all.
    """

    atoms: Atoms
    group: str


@dataclass(frozen=True)
class Starts:
    """A row of structures, each made when it is asked for; `make(number)` raises `HelioError` where it cannot be."""

    count: int
    make: Callable[[int], Start]


def generator(seed: int, *what: str | int) -> np.random.Generator:
    """Random numbers that depend on the seed and on what they are for, and on nothing else."""
    digest = blake2b(repr((seed, *what)).encode(), digest_size=16).digest()
    return np.random.default_rng(np.frombuffer(digest, np.uint32))


def seed_of(seed: int, *what: str | int) -> int:
    """A seed below 2^31 - 1, likewise."""
    return int(generator(seed, *what).integers(2**31 - 1))


def is_held_out(group: str, seed: int, share: float) -> bool:
    """Whether a group belongs to the share that is held out."""
    return float(generator(seed, "held out", group).random()) < share

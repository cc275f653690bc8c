"""Peptides and sugars for tests, and trajectories that shake them."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from ase import Atoms

# Of the SMILES, from 0: the ring's oxygen, C1, the bridging oxygen, Cx, C(x-1) of each bond between sugars.
MALTOSE = "OC[C@H]1O[C@H](O[C@H]2[C@H](O)[C@@H](O)[C@H](O)O[C@@H]2CO)[C@H](O)[C@@H](O)[C@@H]1O"
MALTOSE_BOND = (3, 4, 5, 6, 7)
SUCROSE = "O1[C@@H]([C@@H](O)[C@H](O)[C@@H](O)[C@H]1O[C@@]2(O[C@@H]([C@@H](O)[C@@H]2O)CO)CO)CO"
SUCROSE_BOND = (0, 8, 9, 10, 11)  # both carbons are anomeric: psi ends at the other ring's oxygen
ISOMALTOSE = "OC[C@H]1O[C@H](OC[C@H]2OC(O)[C@H](O)[C@@H](O)[C@@H]2O)[C@H](O)[C@@H](O)[C@@H]1O"
ISOMALTOSE_BOND = (3, 4, 5, 6, 7)


@cache
def _peptide(sequence: str, phi: float, psi: float) -> Atoms:
    pytest.importorskip("openmm")
    pytest.importorskip("rdkit")
    from helio.build import peptide

    return peptide(sequence, caps=True, phi=phi, psi=psi)


def peptide(sequence: str = "AAA", phi: float = -57.0, psi: float = -47.0) -> Atoms:
    """A capped peptide; by default an alpha helix."""
    return _peptide(sequence, phi, psi).copy()


@cache
def _sugar(smiles: str) -> Atoms:
    pytest.importorskip("rdkit")
    from helio.build import molecule

    return molecule(smiles, seed=1)


def sugar(smiles: str) -> Atoms:
    """A sugar without any names."""
    return _sugar(smiles).copy()


def shaken(atoms: Atoms, count: int, *, size: float = 0.05, seed: int = 0) -> np.ndarray:
    """Positions (T, n, 3) about those of `atoms`."""
    return atoms.positions + np.random.default_rng(seed).normal(scale=size, size=(count, len(atoms), 3))

"""Relaxation with potentials of ASE, whose minima are known."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.calculators.lj import LennardJones

from helio.errors import HelioError
from helio.simulate.minimise import Relaxation, minimise


@pytest.mark.parametrize("optimizer", ["lbfgs", "fire"])
def test_dimer(optimizer) -> None:
    atoms = Atoms("Ar2", positions=[[0, 0, 0], [0, 0, 1.2]], calculator=LennardJones(rc=10))
    seen: list[Relaxation] = []
    last = minimise(atoms, optimizer=optimizer, fmax=1e-4, report=seen.append)
    assert last.converged and seen[-1].step == last.step and seen[0].energy > last.energy
    assert atoms.get_distance(0, 1) == pytest.approx(2 ** (1 / 6), abs=1e-4)


def test_cell() -> None:
    atoms = bulk("Cu", a=3.7)
    atoms.calc = EMT()
    assert minimise(atoms, cell=True, fmax=1e-4).converged
    assert np.abs(atoms.get_stress()).max() < 1e-4
    with pytest.raises(HelioError, match="periodic in all three"):
        minimise(Atoms("Cu2", positions=[[0, 0, 0], [0, 0, 2]], calculator=EMT()), cell=True)


def test_too_few_steps_is_said() -> None:
    atoms = Atoms("Ar2", positions=[[0, 0, 0], [0, 0, 1.2]], calculator=LennardJones(rc=10))
    last = minimise(atoms, fmax=1e-6, steps=1)
    assert not last.converged and last.step == 1

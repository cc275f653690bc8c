"""Restraints: gradients, limits, and what their settings say."""

from __future__ import annotations

from typing import Any

import ase.build
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from ase import Atoms

from helio.errors import HelioError
from helio.precision import numerics
from helio.simulate.restraint_settings import restraint_from_settings
from helio.simulate.restraints import Restraints
from helio.system import System

ALL: dict[str, dict[str, Any]] = {
    "position": {"kind": "position", "atoms": "heavy", "stiffness": 2.0},
    "distance": {"kind": "distance", "first": [0], "second": "O", "length": 2.0, "stiffness": 1.5},
    "distance of centres": {"kind": "distance", "first": "C", "second": "H", "length": 1.0, "stiffness": 1.5},
    "flat distance": {"kind": "flat-distance", "first": [3], "second": [8], "longest": 2.0, "stiffness": 1.5},
    "flat distance from below": {"kind": "flat-distance", "first": [3], "second": [8], "shortest": 9, "stiffness": 1.5},
    "dihedral": {"kind": "dihedral", "atoms": [3, 2, 0, 1], "angle": -70.0, "stiffness": 0.5},
    "sphere": {"kind": "sphere", "center": [0.5, 0, 0], "radius": 1.2, "stiffness": 2.0},
    "droplet": {"kind": "sphere", "radius": 1.2, "stiffness": 2.0},
    "walls": {"kind": "walls", "lower": [None, -0.1, None], "upper": [0.2, 0.3, None], "stiffness": 2.0},
}


@jax.jit
def evaluate(restraint: Any, system: System) -> Any:
    return restraint(system)


@jax.jit
def gradient(restraint: Any, system: System) -> Any:
    return jax.grad(lambda s: restraint(s), allow_int=True)(system).positions


def ethanol(seed: int = 2) -> Atoms:
    atoms = ase.build.molecule("CH3CH2OH")
    atoms.rattle(0.15, seed=seed)
    return atoms


def energy_of(values: dict[str, Any], atoms: Atoms, start: Atoms | None = None) -> float:
    with numerics("float64"):
        restraint: Any = restraint_from_settings(values, start or atoms)
        return float(evaluate(restraint, System.from_ase(atoms).astype("float64")))


@pytest.mark.parametrize("name", ALL)
def test_gradient(name: str):
    start, atoms = ase.build.molecule("CH3CH2OH"), ethanol()
    start.cell = atoms.cell = np.array([[9, 0, 0], [2, 8, 0], [1, -2, 10.0]])
    start.pbc = atoms.pbc = [True, True, False]
    with numerics("float64"):
        restraint: Any = restraint_from_settings(ALL[name], start)
        system = System.from_ase(atoms).astype("float64")

        @jax.jit
        def rates(way: Any) -> Any:
            def energy(step: Any) -> Any:
                return restraint(System(**(vars(system) | {"positions": system.positions + step * way})))

            return energy(0.0), jax.grad(energy)(0.0), (energy(1e-5) - energy(-1e-5)) / 2e-5

        energy, slope, expected = (float(a) for a in rates(jnp.asarray(np.random.default_rng(0).normal(size=(9, 3)))))
    assert energy > 1e-3
    assert slope == pytest.approx(expected, rel=1e-7, abs=1e-9)


def test_position():
    start, atoms = ase.build.molecule("CH3CH2OH"), ase.build.molecule("CH3CH2OH")
    values = ALL["position"]
    assert energy_of(values, atoms) == 0
    atoms.positions += [0.3, 0, 0]
    assert energy_of(values, atoms, start) == pytest.approx(0.5 * 2.0 * 3 * 0.09)
    atoms.positions[3:] += 5  # hydrogens are free
    assert energy_of(values, atoms, start) == pytest.approx(0.5 * 2.0 * 3 * 0.09)


def test_distances():
    pair = Atoms("CO", [[0, 0, 0], [0, 0, 2.5]])
    harmonic = {"kind": "distance", "first": [0], "second": [1], "length": 2.0, "stiffness": 3.0}
    assert energy_of(harmonic, pair) == pytest.approx(0.5 * 3 * 0.25)
    flat = {"kind": "flat-distance", "first": [0], "second": [1], "shortest": 1, "longest": 3, "stiffness": 3.0}
    for length, expected in ((0.5, 0.375), (1.0, 0), (2.9, 0), (3.2, 0.06)):
        pair.positions[1] = [0, length, 0]
        assert energy_of(flat, pair) == pytest.approx(expected, abs=1e-12)
    # Centres of mass: three oxygens against one carbon, and in a cell the nearest images.
    atoms = Atoms("COO", [[0.5, 1, 1], [9.0, 1, 1], [10.0, 1, 1]], cell=[10, 0.1, 0.1], pbc=[True, False, False])
    centers = {"kind": "distance", "first": "C", "second": "O", "length": 0.0, "stiffness": 2.0}
    assert energy_of(centers, atoms) == pytest.approx(1.0)


def test_coinciding_atoms_have_finite_forces():
    atoms = Atoms("CO", [[1.0, 1, 1], [1, 1, 1]])
    with numerics("float64"):
        for values in (
            {"kind": "distance", "first": [0], "second": [1], "length": 2.0, "stiffness": 1.0},
            {"kind": "sphere", "center": [1, 1, 1], "radius": 1.0, "stiffness": 1.0},
        ):
            restraint: Any = restraint_from_settings(values, atoms)
            assert np.isfinite(gradient(restraint, System.from_ase(atoms).astype("float64"))).all()


def test_dihedral():
    butane = Atoms("CCCC", [[1, 0, 0], [0, 0, 0], [0, 0, 1.5], [1, 0, 1.5]])
    for angle in (-179.0, -100.0, -1.0, 0.0, 40.0, 90.0, 180.0):
        butane.set_dihedral(0, 1, 2, 3, angle)
        for target in (angle, angle + 360, angle - 7, angle + 180):
            values = {"kind": "dihedral", "atoms": [0, 1, 2, 3], "angle": target, "stiffness": 2.0}
            expected = 2.0 * (1 - np.cos(np.radians(angle - target)))
            assert energy_of(values, butane) == pytest.approx(expected, abs=1e-12)


def test_walls_and_spheres_are_flat_inside():
    atoms = ethanol()
    wide = [
        {"kind": "sphere", "radius": 5.0, "stiffness": 2.0},
        {"kind": "sphere", "center": [0, 0, 0], "radius": 5.0, "stiffness": 2.0},
        {"kind": "walls", "lower": [-4, -4, None], "upper": [None, 4, 4], "stiffness": 2.0},
        {"kind": "walls", "stiffness": 2.0},
    ]
    for values in wide:
        assert energy_of(values, atoms) == 0
    lone = Atoms("O", [[1.0, 2.0, 7.0]])
    assert energy_of(wide[2], lone) == pytest.approx(0.5 * 2 * 9)
    assert energy_of({"kind": "sphere", "center": [1, 2, 3], "radius": 3, "stiffness": 2.0}, lone) == pytest.approx(1.0)


def test_droplet_is_held_wherever_it_is():
    values = ALL["droplet"]
    atoms, elsewhere = ethanol(), ethanol()
    elsewhere.positions += [100, -30, 5]
    assert energy_of(values, atoms) == pytest.approx(energy_of(values, elsewhere), rel=1e-10)
    with numerics("float64"):
        restraint: Any = restraint_from_settings(values, atoms)
        total = np.asarray(gradient(restraint, System.from_ase(atoms).astype("float64"))).sum(axis=0)
    np.testing.assert_allclose(total, 0, atol=1e-12)


def test_sum():
    atoms = ethanol()
    parts = tuple(restraint_from_settings(values, ase.build.molecule("CH3CH2OH")) for values in ALL.values())
    with numerics("float64"):
        total = float(evaluate(Restraints(parts), System.from_ase(atoms).astype("float64")))
    single = sum(energy_of(values, atoms, ase.build.molecule("CH3CH2OH")) for values in ALL.values())
    assert total == pytest.approx(single)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"kind": "spring"}, "spring"),
        ({"stiffness": 1.0}, "kind"),
        ({"kind": "position"}, "position.stiffness: Field required"),
        ({"kind": "position", "stiffness": -1.0}, "greater than 0"),
        ({"kind": "position", "stiffness": float("nan")}, "stiffness"),
        ({"kind": "position", "stiffness": 1.0, "atom": "C"}, "atom: Extra inputs"),
        ({"kind": "position", "stiffness": 1.0, "atoms": "N"}, "holds no atom"),
        ({"kind": "position", "stiffness": 1.0, "atoms": [99]}, "no atom 99"),
        ({"kind": "distance", "first": "C", "second": [1], "length": 1, "stiffness": 1}, "without a common atom"),
        ({"kind": "dihedral", "atoms": [0, 1, 2, 2], "angle": 0, "stiffness": 1}, "four different atoms"),
        (
            {"kind": "flat-distance", "first": [0], "second": [1], "shortest": 3, "longest": 2, "stiffness": 1},
            "below shortest",
        ),
        ({"kind": "walls", "lower": [1, 0, 0], "upper": [0, 1, 1], "stiffness": 1}, "below the lower one"),
    ],
)
def test_mistakes_are_explained(values: dict[str, Any], message: str):
    with pytest.raises(HelioError, match=message):
        restraint_from_settings(values, ethanol())

"""What must hold for the potential whatever its parameters: gradients, symmetries, extensivity, smooth cutoffs.

In float64 with random weights, over free, periodic and triclinic systems and all kinds of electrostatics.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule
from scipy.spatial.transform import Rotation

from helio.force_field import ForceField
from helio.neighbors import NeighborPlans, Neighbors, device_list, sizes, widened
from helio.precision import numerics
from helio.prediction import Prediction
from helio.system import System

evaluate = eqx.filter_jit(lambda force_field, system, neighbors: force_field(system, neighbors))


def predict(force_field: ForceField, atoms: Atoms, like: Atoms | None = None, **fragments) -> Prediction:
    """Predict in float64; with the list sizes of `like` where these suffice, to share its compiled program."""
    system = System.from_ase(atoms, **fragments)
    force_field.check(system)
    neighbors = force_field.neighbors(system)
    if like is not None:
        neighbors = widened(neighbors, sizes(force_field.neighbors(System.from_ase(like))))
    with numerics("float64"):
        prediction = evaluate(
            force_field.astype("float64"), system.astype("float64"), jax.tree.map(jnp.asarray, neighbors)
        )
        return jax.device_get(prediction)


def water_box(cell: np.ndarray) -> Atoms:
    """Three water molecules in a cell of about 5 A, smaller than both cutoffs."""
    water = molecule("H2O")
    box = Atoms(cell=cell, pbc=True)
    generator = np.random.default_rng(3)
    for place in ((0.1, 0.1, 0.1), (0.6, 0.5, 0.2), (0.3, 0.7, 0.7)):
        copy = water.copy()
        copy.positions = copy.positions @ Rotation.random(rng=generator).as_matrix() + np.array(place) @ cell
        box += copy
    return box


CUBIC = np.diag([5.2, 5.2, 5.2])
TRICLINIC = np.array([[5.4, 0.0, 0.0], [1.3, 5.1, 0.0], [-0.9, 1.6, 5.0]])


@dataclass(frozen=True)
class Setting:
    """A structure and the options it is evaluated with."""

    name: str
    atoms: Atoms
    cutoff: float | None = 6.0
    electrostatics: str = "shifted"
    dispersion_tail: str = "none"

    def force_field(self, small: ForceField) -> ForceField:
        return small.with_options(
            long_range_cutoff=self.cutoff,
            electrostatics=self.electrostatics,  # pyright: ignore[reportArgumentType]
            dispersion_tail=self.dispersion_tail,  # pyright: ignore[reportArgumentType]
        )


def free_molecule() -> Atoms:
    atoms = molecule("CH3CH2NH2")
    atoms.rattle(0.05, seed=1)
    return atoms


SETTINGS = [
    Setting("free", free_molecule(), cutoff=None),
    Setting("free-cutoff", free_molecule(), cutoff=3.0),
    Setting("cubic", water_box(CUBIC)),
    Setting("triclinic", water_box(TRICLINIC)),
    Setting("free-wolf", free_molecule(), cutoff=3.0, electrostatics="wolf"),
    Setting("triclinic-wolf", water_box(TRICLINIC), electrostatics="wolf", dispersion_tail="isotropic"),
    Setting("triclinic-ewald", water_box(TRICLINIC), electrostatics="ewald"),
]
PERIODIC = [s for s in SETTINGS if s.atoms.pbc.all()]


def by_name(setting: Setting) -> str:
    return setting.name


@pytest.mark.parametrize("setting", SETTINGS, ids=by_name)
def test_forces_are_the_gradient(small_force_field: ForceField, setting: Setting):
    force_field = setting.force_field(small_force_field)
    forces = np.asarray(predict(force_field, setting.atoms).forces)
    step = 1e-4
    direction = np.random.default_rng(0).normal(size=forces.shape)
    for moving in (direction, np.eye(len(forces))[2][:, None] * direction):
        energies = []
        for sign in (1, -1):
            moved = setting.atoms.copy()
            moved.positions += sign * step * moving
            energies.append(float(predict(force_field, moved, like=setting.atoms).energy))
        slope = (energies[0] - energies[1]) / (2 * step)
        assert slope == pytest.approx(-np.sum(forces * moving), rel=1e-6, abs=1e-7)


@pytest.mark.parametrize("setting", PERIODIC, ids=by_name)
def test_stress_is_the_strain_derivative(small_force_field: ForceField, setting: Setting):
    force_field = setting.force_field(small_force_field)
    stress = np.asarray(predict(force_field, setting.atoms).stress)
    assert np.allclose(stress, stress.T, atol=1e-14)
    step = 1e-5
    for strain in (np.diag([1.0, 0, 0]), np.array([[0, 0.5, 0], [0.5, 0, 0], [0, 0, 0]]), np.diag([0.2, -0.5, 1])):
        energies = []
        for sign in (1, -1):
            deformed = setting.atoms.copy()
            deformed.set_cell(deformed.cell.array @ (np.eye(3) + sign * step * strain), scale_atoms=True)
            energies.append(float(predict(force_field, deformed, like=setting.atoms).energy))
        slope = (energies[0] - energies[1]) / (2 * step) / setting.atoms.get_volume()
        assert slope == pytest.approx(np.sum(stress * strain), rel=1e-5, abs=1e-8)


@pytest.mark.parametrize("setting", SETTINGS, ids=by_name)
def test_rotation_translation_permutation(small_force_field: ForceField, setting: Setting):
    force_field = setting.force_field(small_force_field)
    before = predict(force_field, setting.atoms)
    generator = np.random.default_rng(5)
    rotation = Rotation.random(rng=generator).as_matrix()
    order = generator.permutation(len(setting.atoms))

    moved = setting.atoms[order]
    moved.positions = (moved.positions + np.array([0.3, -0.7, 1.9])) @ rotation
    if moved.pbc.any():
        moved.set_cell(moved.cell.array @ rotation)
    after = predict(force_field, moved, like=setting.atoms)

    assert float(after.energy) == pytest.approx(float(before.energy), abs=1e-10)
    np.testing.assert_allclose(after.forces, before.forces[order] @ rotation, atol=1e-9)
    np.testing.assert_allclose(after.charges, before.charges[order], atol=1e-11)
    np.testing.assert_allclose(after.hirshfeld_ratios, before.hirshfeld_ratios[order], atol=1e-11)
    if before.stress is not None and after.stress is not None:
        np.testing.assert_allclose(after.stress, rotation.T @ before.stress @ rotation, atol=1e-11)
    np.testing.assert_allclose(np.asarray(before.forces).sum(axis=0), 0, atol=1e-10)


@pytest.mark.parametrize("setting", PERIODIC, ids=by_name)
def test_choice_of_image_and_of_cell(small_force_field: ForceField, setting: Setting):
    force_field = setting.force_field(small_force_field)
    before = predict(force_field, setting.atoms)

    other_images = setting.atoms.copy()
    hops = np.random.default_rng(2).integers(-2, 3, size=(len(other_images), 3))
    other_images.positions += hops @ other_images.cell.array
    after = predict(force_field, other_images, like=setting.atoms)
    assert float(after.energy) == pytest.approx(float(before.energy), abs=1e-10)
    np.testing.assert_allclose(after.forces, before.forces, atol=1e-9)

    doubled = predict(force_field, setting.atoms.repeat((2, 1, 1)))
    assert float(doubled.energy) == pytest.approx(2 * float(before.energy), abs=1e-9)
    np.testing.assert_allclose(doubled.forces[: len(setting.atoms)], before.forces, atol=1e-9)
    np.testing.assert_allclose(np.asarray(doubled.stress), np.asarray(before.stress), atol=1e-10)


@pytest.mark.parametrize(
    ("electrostatics", "distance"),
    [pytest.param("shifted", 4.5, id="short"), pytest.param("shifted", 6.0, id="long"), ("wolf", 6.0)],
)
def test_continuous_through_the_cutoffs(small_force_field: ForceField, electrostatics: Any, distance: float):
    force_field = small_force_field.with_options(long_range_cutoff=6.0, electrostatics=electrostatics)
    pair = Atoms("OH", [[0, 0, 0], [0, 0, distance]])
    energies, forces = [], []
    for offset in (-2e-6, -1e-6, 1e-6, 2e-6):
        pair.positions[1, 2] = distance + offset
        # One electron is unpaired in OH.
        prediction = predict(force_field, pair, unpaired_electrons=1)
        energies.append(float(prediction.energy))
        forces.append(float(prediction.forces[1, 2]))
    assert np.ptp(energies) < 1e-6
    assert np.ptp(forces) < 1e-6


def test_far_apart_is_the_sum(small_force_field: ForceField):
    force_field = small_force_field.with_options(long_range_cutoff=6.0)
    water, ammonia = molecule("H2O"), molecule("NH3")
    ammonia.positions += [40, 0, 0]
    both = predict(force_field, water + ammonia, fragments=[0, 0, 0, 1, 1, 1, 1], fragment_charges=[0, 0])
    apart = predict(force_field, water), predict(force_field, ammonia)
    assert float(both.energy) == pytest.approx(sum(float(p.energy) for p in apart), abs=1e-10)
    np.testing.assert_allclose(both.charges[:3], apart[0].charges, atol=1e-12)


def test_charges_sum_per_fragment(small_force_field: ForceField):
    ions = Atoms("NH4", molecule("CH4").positions) + Atoms("OH", [[4.0, 0, 0], [4.9, 0, 0]])
    prediction = predict(small_force_field, ions, charge=0, fragments=[0] * 5 + [1] * 2, fragment_charges=[1.0, -1.0])
    assert float(prediction.charges[:5].sum()) == pytest.approx(1, abs=1e-12)
    assert float(prediction.charges[5:].sum()) == pytest.approx(-1, abs=1e-12)


def test_padding_changes_nothing(small_force_field: ForceField):
    atoms = free_molecule()
    system = System.from_ase(atoms)
    plain = predict(small_force_field, atoms)
    neighbors = small_force_field.neighbors(system, rows=16)
    with numerics("float64"):
        padded = jax.device_get(
            evaluate(
                small_force_field.astype("float64"),
                system.padded(16).astype("float64"),
                jax.tree.map(jnp.asarray, neighbors),
            )
        )
    assert float(padded.energy) == pytest.approx(float(plain.energy), abs=1e-11)
    np.testing.assert_allclose(padded.forces[: len(atoms)], plain.forces, atol=1e-11)
    assert not np.any(padded.forces[len(atoms) :])
    assert not np.any(padded.charges[len(atoms) :])


@eqx.filter_jit
def lists_on_device(system: System, plans: NeighborPlans) -> Neighbors:
    where = system.positions, system.cell, system.atom_mask, system.pbc
    return plans.joined(device_list(*where, plans.short), device_list(*where, plans.long))


def test_trimmed_lists_change_nothing_until_they_overflow(small_force_field: ForceField):
    force_field = small_force_field.with_options(long_range_cutoff=6.0)
    atoms = water_box(TRICLINIC)
    system = System.from_ase(atoms)
    plain = predict(force_field, atoms)
    with numerics("float64"):
        model, arrays = force_field.astype("float64"), system.astype("float64")
        plans = model.plan(system, short_skin=1.0, long_skin=0.5)
        assert plans.short.half_pairs is not None and 0 < plans.short_within < plans.short.half_pairs
        on_device = lists_on_device(arrays, plans)
        assert not on_device.short.overflow and not on_device.long.overflow
        trimmed = jax.device_get(evaluate(model, arrays, on_device))
        full = dataclasses.replace(on_device, short_within=8)
        assert np.isnan(float(evaluate(model, arrays, full).energy))
    assert float(trimmed.energy) == pytest.approx(float(plain.energy), abs=1e-10)
    np.testing.assert_allclose(trimmed.forces, plain.forces, atol=1e-10)


@pytest.mark.parametrize("setting", [s for s in PERIODIC if s.electrostatics != "ewald"], ids=by_name)
def test_the_whole_is_the_sum_of_its_parts(small_force_field: ForceField, setting: Setting):
    prediction = predict(setting.force_field(small_force_field), setting.atoms)
    more = {"electrostatics_self", "dispersion_tail"} if setting.electrostatics == "wolf" else set()
    assert set(prediction.energy_terms) == {"network", "zbl", "electrostatics", "dispersion"} | more
    assert sum(float(v) for v in prediction.energy_terms.values()) == pytest.approx(float(prediction.energy), abs=1e-10)
    assert float(prediction.atomic_energies.sum()) == pytest.approx(float(prediction.energy), abs=1e-10)

from __future__ import annotations

import copy
import os
import pickle
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule
from ase.calculators.calculator import PropertyNotImplementedError

from helio.errors import HelioError
from helio.interfaces import HelioCalculator
from tests.conftest import CASES, reference_case

# All cases run in tests/force_field; here the way through ASE is tested.
QUICK = {"water_64_triclinic_lr12"}
NAMES = [case["file"].removesuffix(".npz") for case in CASES]
CASE_NAMES = [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in NAMES]


@pytest.fixture(scope="module")
def calculator(small_force_field):
    """One calculator for many tests, so that little is compiled."""
    return HelioCalculator(small_force_field, precision="float64")


@pytest.fixture
def box():
    """Four waters in a skewed cell, smaller than twice the cutoffs."""
    places = np.array([[0, 0, 0], [3.1, 0, 0.3], [0.2, 3.0, 0], [3.0, 3.2, 2.9]])
    atoms = Atoms(cell=[[6.2, 0, 0], [0.7, 6.1, 0], [-0.3, 0.4, 6.3]], pbc=True)
    for place in places:
        water = molecule("H2O")
        water.rotate(40 * place[0], "x")
        water.translate(place)
        atoms += water
    return atoms


@pytest.mark.parametrize("name", CASE_NAMES)
def test_reference_in_float64(so3lr, name):
    case = reference_case(name)
    atoms, values = case.atoms, case.values
    atoms.calc = HelioCalculator(so3lr, long_range_cutoff=case.long_range_cutoff, precision="float64")
    assert atoms.get_potential_energy() == pytest.approx(values["energy"], abs=1e-8)
    np.testing.assert_allclose(atoms.get_forces(), values["forces"], atol=1e-8)
    np.testing.assert_allclose(atoms.get_charges(), values["partial_charges"], atol=1e-9)
    np.testing.assert_allclose(atoms.get_dipole_moment(), values["dipole"], atol=1e-9)
    np.testing.assert_allclose(atoms.calc.results["hirshfeld_ratios"], values["hirshfeld_ratios"], atol=1e-9)
    terms = atoms.calc.results["energy_terms"]
    names = {"network": "so3k", "zbl": "zbl", "electrostatics": "elec", "dispersion": "disp"}
    for term, theirs in names.items():
        assert terms[term] == pytest.approx(values[f"energy_{theirs}"], abs=1e-8)
    if "stress" in values:
        np.testing.assert_allclose(atoms.get_stress(voigt=False), values["stress"], atol=1e-10)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_reference_in_float32(so3lr, name):
    case = reference_case(name)
    case.atoms.calc = HelioCalculator(so3lr, long_range_cutoff=case.long_range_cutoff)
    np.testing.assert_allclose(case.atoms.get_forces(), case.values["forces"], atol=2e-4)


@pytest.mark.filterwarnings("ignore:electrostatics is shifted")  # that energies are not comparable
def test_serves_molecules_and_cells_in_turn(calculator, small_force_field, box):
    for atoms in (molecule("H2O"), box, molecule("NH3"), molecule("H2O")):
        shared = atoms.copy()
        shared.calc = calculator
        own = atoms.copy()
        own.calc = HelioCalculator(small_force_field, precision="float64")
        assert shared.get_potential_energy() == pytest.approx(own.get_potential_energy(), abs=1e-10)
        np.testing.assert_allclose(shared.get_forces(), own.get_forces(), atol=1e-10)
        assert shared.get_forces().shape == (len(atoms), 3)
        assert calculator.results["energies"].sum() == pytest.approx(calculator.results["energy"], abs=1e-10)


def test_charge_and_spin_in_info_count(calculator):
    atoms = molecule("H2O")
    atoms.calc = calculator
    neutral = atoms.get_potential_energy()
    atoms.info["charge"] = 1
    atoms.info["spin"] = 1
    cation = atoms.get_potential_energy()
    assert cation != neutral
    assert atoms.get_charges().sum() == pytest.approx(1)
    atoms.info["spin"] = 3
    assert atoms.get_potential_energy() != cation
    atoms.info.clear()
    assert atoms.get_potential_energy() == pytest.approx(neutral, abs=1e-12)
    atoms.info["comment"] = "nothing that matters"
    assert not calculator.calculation_required(atoms, ["energy"])


def test_lists_are_reused_within_the_skin(calculator, small_force_field, box):
    box.calc = calculator
    box.get_forces()
    lists = calculator._lists
    rng = np.random.default_rng(1)
    step = rng.normal(size=(len(box), 3))
    box.positions += 0.24 * step / np.linalg.norm(step, axis=1).max()
    forces = box.get_forces()
    assert calculator._lists is lists
    fresh = box.copy()
    fresh.calc = HelioCalculator(small_force_field, precision="float64")
    np.testing.assert_allclose(forces, fresh.get_forces(), atol=1e-10)
    box.positions[0] += 0.3
    fresh.positions[0] += 0.3
    fresh.calc.reset()
    fresh.calc._lists = None
    np.testing.assert_allclose(box.get_forces(), fresh.get_forces(), atol=1e-10)
    assert calculator._lists is not lists
    box.set_cell(1.02 * box.cell.array, scale_atoms=True)
    fresh.set_cell(1.02 * fresh.cell.array, scale_atoms=True)
    np.testing.assert_allclose(box.get_stress(), fresh.get_stress(), atol=1e-12)


def test_stress_is_the_derivative_by_strain(calculator, box):
    box.calc = calculator
    stress = box.get_stress(voigt=False)
    for i, j in [(0, 0), (0, 2), (2, 1)]:
        energies = []
        for sign in (1, -1):
            strain = np.eye(3)
            strain[i, j] += sign * 1e-5 / 2
            strain[j, i] += sign * 1e-5 / 2
            strained = box.copy()
            strained.set_cell(box.cell.array @ strain, scale_atoms=True)
            strained.calc = calculator
            energies.append(strained.get_potential_energy())
        assert stress[i, j] == pytest.approx((energies[0] - energies[1]) / 2e-5 / box.get_volume(), abs=1e-8)


@pytest.mark.parametrize("pbc", [False, (True, True, False)])
def test_no_stress_without_three_periodic_directions(calculator, pbc):
    atoms = molecule("H2O", vacuum=3.0, pbc=pbc)
    atoms.calc = calculator
    with pytest.raises(PropertyNotImplementedError, match="periodic"):
        atoms.get_stress()
    assert atoms.get_forces().shape == (3, 3)
    with pytest.raises(PropertyNotImplementedError):
        atoms.get_stress()


def test_molecules_have_all_pairs_and_boxes_12_A_by_default(small_force_field, box):
    ions = Atoms(
        "ClNH4", [[15, 0, 0], [0, 0, 0], [0.6, 0.6, 0.6], [-0.6, -0.6, 0.6], [0.6, -0.6, -0.6], [-0.6, 0.6, -0.6]]
    )
    for atoms, cutoff in ((ions, 1000.0), (box, 12.0)):
        energies = []
        for chosen in (None, cutoff):
            atoms.calc = HelioCalculator(small_force_field, precision="float64", long_range_cutoff=chosen)
            energies.append(atoms.get_potential_energy())
        assert energies[0] == energies[1]
    everything = ions.calc.results["energy"]  # pyright: ignore[reportOptionalMemberAccess]
    ions.calc = HelioCalculator(small_force_field, precision="float64", long_range_cutoff=12)
    assert abs(ions.get_potential_energy() - everything) > 1e-3


def reciprocal_shape(calculator: HelioCalculator) -> tuple[int, ...]:
    assert calculator._lists is not None and calculator._lists.neighbors.reciprocal is not None
    return calculator._lists.neighbors.reciprocal.shape


def test_ewald_keeps_its_shapes_while_the_cell_changes(small_force_field, box):
    calculator = HelioCalculator(small_force_field, precision="float64", electrostatics="ewald")
    box.calc = calculator
    box.get_stress()
    shapes = reciprocal_shape(calculator)
    box.set_cell(0.995 * box.cell.array, scale_atoms=True)
    stress = box.get_stress()
    assert reciprocal_shape(calculator) == shapes
    fresh = box.copy()
    fresh.calc = HelioCalculator(small_force_field, precision="float64", electrostatics="ewald")
    np.testing.assert_allclose(stress, fresh.get_stress(), atol=1e-12)


@pytest.mark.parametrize(
    ("atoms", "message"),
    [
        (Atoms("Fe"), "does not know Fe"),
        (Atoms("OH", positions=[[0, 0, 0], [0, 0, 1]]), "odd number"),
        (Atoms("H2", positions=[[0, 0, 0], [0, 0, np.nan]]), "not a finite number"),
        (Atoms("H2", positions=[[0, 0, 0], [0, 0, 0.01]]), "overlap"),
        (Atoms(), "no atoms"),
    ],
)
def test_bad_atoms_are_explained(calculator, atoms, message):
    atoms.calc = calculator
    with pytest.raises(HelioError, match=message):
        atoms.get_potential_energy()
    water = molecule("H2O")
    water.calc = calculator
    assert np.isfinite(water.get_potential_energy())


def test_bad_options_are_explained(small_force_field, box):
    with pytest.raises(HelioError, match="precision"):
        HelioCalculator(small_force_field, precision="float16")  # pyright: ignore
    with pytest.raises(HelioError, match="skin"):
        HelioCalculator(small_force_field, skin=-1)
    water = molecule("H2O")
    water.calc = HelioCalculator(small_force_field, electrostatics="ewald")
    with pytest.raises(HelioError, match="Ewald"):
        water.get_potential_energy()
    box.calc = HelioCalculator(small_force_field, long_range_cutoff=-1.0)
    with pytest.raises(HelioError, match="cutoff must be positive"):
        box.get_potential_energy()


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda calculator: pickle.loads(pickle.dumps(calculator))])
def test_copies_give_the_same_numbers(calculator, duplicate):
    atoms = molecule("H2O")
    atoms.calc = calculator
    energy = atoms.get_potential_energy()
    other = atoms.copy()
    other.calc = duplicate(calculator)
    other.calc.reset()
    assert other.get_potential_energy() == energy
    assert atoms.get_potential_energy() == energy


def test_properties_export_to_ase(calculator):
    properties = calculator.calculate_properties(molecule("H2O"), ["energy", "forces", "dipole"])
    assert properties["forces"].shape == (3, 3)


def test_float32_does_not_depend_on_where_the_atoms_lie(small_force_field, box):
    """At 10,000 A, where float32 resolves 1e-3 A, and with atoms in other cells."""
    for atoms in (molecule("CH3COOH"), box):
        calculator = HelioCalculator(small_force_field)
        here = atoms.copy()
        here.calc = calculator
        forces, energy, dipole = here.get_forces(), here.get_potential_energy(), here.get_dipole_moment()
        far = atoms.copy()
        far.positions += [1e4, -1e4, 1e4]
        if far.pbc.all():
            far.positions[::3] += 500 * far.cell.array[1]
        far.calc = calculator
        np.testing.assert_allclose(far.get_forces(), forces, atol=2e-5)
        assert far.get_potential_energy() == pytest.approx(energy, abs=2e-5)
        if not far.pbc.any():
            np.testing.assert_allclose(far.get_dipole_moment(), dipole, atol=1e-4)
    charged = molecule("H2O")
    charged.info |= {"charge": 1, "spin": 1}
    charged.calc = HelioCalculator(small_force_field, precision="float64")
    before = charged.get_dipole_moment()
    charged.positions += [100, 0, 0]
    np.testing.assert_allclose(charged.get_dipole_moment(), before + np.array([100, 0, 0]), atol=1e-8)


@pytest.mark.parametrize(
    ("position", "message"),
    [(1e5, "lie 1e\\+05 A apart"), (1e30, "lies at .* beyond the 1e\\+06 A"), (1e308, "lies at .* beyond")],
)
def test_atoms_out_of_all_bounds(calculator, position, message):
    atoms = molecule("H2O")
    atoms.positions[2] = position
    atoms.calc = calculator
    with pytest.raises(HelioError, match=message):
        atoms.get_forces()


def test_threads_may_share_a_calculator(small_force_field):
    calculator = HelioCalculator(small_force_field)
    images = [molecule(name) for name in ("H2O", "NH3", "CH4", "CH3OH")]
    expected = []
    for image in images:
        image.calc = calculator
        expected.append(image.get_potential_energy())

    def energy(number: int) -> float:
        atoms = images[number % 4].copy()
        atoms.calc = calculator
        return atoms.get_potential_energy()

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(energy, range(60)))
    np.testing.assert_allclose(found, [expected[number % 4] for number in range(60)], atol=1e-5)


def test_forked_process_gets_a_message(calculator):
    atoms = molecule("H2O")
    atoms.calc = calculator
    atoms.get_potential_energy()
    read, write = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # JAX's own about forks
        child = os.fork()
    if child == 0:
        try:
            atoms.rattle(0.1)
            atoms.get_potential_energy()
        except HelioError as error:
            os.write(write, str(error).encode())
        finally:
            os._exit(0)
    os.close(write)
    with os.fdopen(read) as pipe:
        assert "spawn" in pipe.read()
    os.waitpid(child, 0)


def test_options_that_are_not_named_stay(small_force_field, box):
    force_field = small_force_field.with_options(electrostatics="ewald", long_range_cutoff=7.0)
    assert force_field.with_options(long_range_cutoff=6.0).electrostatics == "ewald"
    assert HelioCalculator(force_field).force_field.electrostatics == "ewald"
    assert HelioCalculator(force_field).force_field.long_range_cutoff == 7.0
    assert HelioCalculator(force_field, electrostatics="pme").force_field.electrostatics == "pme"
    assert HelioCalculator(small_force_field, kernels="plain").force_field.tables is None

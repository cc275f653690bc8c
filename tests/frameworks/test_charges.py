"""Coulomb sums against Madelung's constants, equilibrated charges against closed forms, symmetry and published ones."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, make_supercell
from ase.spacegroup import crystal as of_space_group

from helio.errors import HelioError
from helio.frameworks.charges import energy_terms, equilibrated_charges
from helio.frameworks.coulomb import coulomb_matrix
from helio.frameworks.crystal import Crystal

pytest.importorskip("pymatgen.core")

K = 14.399645  # eV A, of two elementary charges
# Eddaoudi et al., Science 295, 469 (2002): Fm-3m, a = 25.832 A; hydrogen 0.93 A from its carbon.
IRMOF_1 = {
    "Zn": (0.2934, 0.2066, 0.2066),
    "O of the node": (0.25, 0.25, 0.25),
    "O of the linker": (0.2819, 0.2181, 0.1340),
    "C of the carboxylate": (0.25, 0.25, 0.1113),
    "C next to it": (0.25, 0.25, 0.0538),
    "C of the ring": (0.2829, 0.2171, 0.0269),
    "H": (0.3049, 0.1951, 0.0448),
}


def of(atoms: Atoms) -> Crystal:
    nothing = np.zeros((0, 2), np.int32), np.zeros((0, 3), np.int32)
    return Crystal("test", atoms.cell.array, atoms.numbers.astype(np.int32), atoms.positions, *nothing)


@pytest.fixture(scope="module")
def irmof_1() -> Atoms:
    """Its primitive cell, of 60 degrees; the array `spacegroup_kinds` numbers the sites."""
    symbols = [name.split()[0] for name in IRMOF_1]
    basis = list(IRMOF_1.values())
    atoms = of_space_group(symbols, basis, spacegroup=225, cellpar=[25.832] * 3 + [90] * 3, primitive_cell=True)
    assert len(atoms) == 106
    return atoms


@pytest.mark.parametrize(
    ("structure", "constant", "nearest"),
    [
        ("rocksalt", 1.7475645946, 1 / 2),
        ("cesiumchloride", 1.7626747731, np.sqrt(3) / 2),
        ("zincblende", 1.6380550534, np.sqrt(3) / 4),
    ],
)
def test_madelungs_constants(structure: str, constant: float, nearest: float) -> None:
    edge = 5.3
    atoms = bulk("NaCl", structure, a=edge)
    for cell in (atoms, make_supercell(atoms, np.array([[1, 0, 0], [1, 1, 0], [0, 2, 3]]))):
        charges = np.where(cell.numbers == 11, 1.0, -1.0)
        energy = charges @ coulomb_matrix(cell.cell.array, cell.positions) @ charges / len(cell)
        assert -energy * nearest * edge == pytest.approx(constant, abs=1e-6)


def test_every_element_of_the_matrix_is_that_of_another_basis() -> None:
    atoms = bulk("NaCl", "wurtzite", a=4.1, c=6.5)
    sheared = atoms.copy()
    sheared.set_cell(np.array([[1, 0, 0], [2, 1, 0], [-1, 1, 1]]) @ atoms.cell.array)
    one, other = (coulomb_matrix(each.cell.array, each.positions) for each in (atoms, sheared))
    np.testing.assert_allclose(one, other, atol=1e-8)
    np.testing.assert_allclose(one, one.T, atol=1e-12)


def test_rock_salt_has_the_charges_of_its_closed_form() -> None:
    """With charges q and -q the energy of a pair is (b_Na - b_Cl) q + h q^2 / 2: its least is where q = -b / h."""
    edge = 5.64
    (b_na, j_na), (b_cl, j_cl) = (
        ((47.286 + 5.139) / 2 - (47.286 - 5.139), 47.286 - 5.139),  # about Na+: first and second ionisation, eV
        ((12.968 + 3.613) / 2, 12.968 - 3.613),  # about Cl: first ionisation and electron affinity
    )
    steps = np.array(list(product(range(-4, 5), repeat=3)))
    distance = np.linalg.norm(steps, axis=1) * edge / 2
    even, odd = distance[(steps.sum(axis=1) % 2 == 0) & (distance > 0)], distance[steps.sum(axis=1) % 2 == 1]

    def overlap(one: float, other: float, r: np.ndarray) -> float:
        a = np.sqrt(one * other) / K
        return float((np.exp(-((a * r) ** 2)) * (2 * a - a * a * r - 1 / r)).sum())

    own = overlap(j_na, j_na, even) + overlap(j_cl, j_cl, even)
    between = -2 * 1.7475645946 / (edge / 2) - 2 * overlap(j_na, j_cl, odd)
    stiffness = j_na + j_cl + 1.2 * K / 2 * (own + between)
    charges = equilibrated_charges(of(bulk("NaCl", "rocksalt", a=edge)))
    np.testing.assert_allclose(charges, np.array([-1, 1]) * (b_na - b_cl) / stiffness, rtol=1e-4)
    assert 0.5 < charges[0] < 1


def test_charges_of_irmof_1(irmof_1: Atoms) -> None:
    """They are symmetric, those of the authors' program, and near those of electron densities.

    EQeq by the authors' program for Wilmer et al. (2012); DDEC by Boyd, Moosavi, Witman and Smit, J. Phys. Chem. Lett.
    8, 357 (2017). EQeq is 0.13 e off DDEC on average over MOFs (Ongari et al., J. Chem. Theory Comput. 15, 382 (2019)).
    """
    charges = equilibrated_charges(of(irmof_1))
    assert abs(charges.sum()) < 1e-12
    sites = [charges[irmof_1.arrays["spacegroup_kinds"] == kind] for kind in range(7)]
    assert max(np.ptp(site) for site in sites) < 1e-8
    found = dict(zip(IRMOF_1, (site.mean() for site in sites), strict=True))
    for site, value in {"Zn": 1.211, "O of the node": -0.968, "O of the linker": -0.483}.items():
        assert found[site] == pytest.approx(value, abs=2e-3)
    assert found["C of the carboxylate"] > 0.2
    assert found["H"] > 0
    ddec = {"Zn": 0.95676, "O of the node": -1.03367, "O of the linker": -0.53938, "H": 0.12660}
    assert np.mean([abs(found[site] - value) for site, value in ddec.items()]) < 0.13
    assert max(abs(found[site] - value) for site, value in ddec.items()) < 0.27


def test_they_have_the_least_energy(irmof_1: Atoms) -> None:
    crystal, rng = of(irmof_1), np.random.default_rng(0)
    slope, matrix = energy_terms(crystal)
    charges = equilibrated_charges(crystal)

    def energy(q: np.ndarray) -> float:
        return float(q @ matrix @ q / 2 + slope @ q)

    for _ in range(20):
        step = rng.normal(size=len(charges)) * 1e-3
        step -= step.mean()
        up, down = energy(charges + step) - energy(charges), energy(charges - step) - energy(charges)
        assert min(up, down) > 0
        assert abs(up - down) < 1e-9


def test_they_do_not_depend_on_how_the_crystal_is_written(irmof_1: Atoms) -> None:
    expected, rng = equilibrated_charges(of(irmof_1)), np.random.default_rng(0)
    order = rng.permutation(len(irmof_1))
    moved = of(irmof_1[order])
    moved = replace(moved, positions=moved.positions + rng.normal(size=3) * 30)
    np.testing.assert_allclose(equilibrated_charges(moved), expected[order], atol=1e-7)
    turned = irmof_1.copy()
    turned.rotate(50, (1, 2, 3), rotate_cell=True)
    np.testing.assert_allclose(equilibrated_charges(of(turned)), expected, atol=1e-7)
    double = irmof_1.repeat((1, 2, 1))
    np.testing.assert_allclose(equilibrated_charges(of(double)), np.tile(expected, 2), atol=1e-7)


def test_hydrogen_is_where_neutrons_see_it() -> None:
    def methane(length: float) -> Crystal:
        corners = np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]]) / np.sqrt(3)
        return of(Atoms("CH4", np.concatenate([np.zeros((1, 3)), corners * length]) + 4, cell=[9, 10, 11], pbc=True))

    near, usual, far = (equilibrated_charges(methane(length)) for length in (0.93, 1.089, 1.15))
    np.testing.assert_allclose(near, usual, atol=1e-12)
    assert np.abs(far - usual).max() > 1e-3
    assert usual[0] < 0 < usual[1]


def test_what_has_no_sound_charges_is_refused() -> None:
    with pytest.raises(HelioError, match="charges of Tc are not equilibrated"):
        equilibrated_charges(of(bulk("Tc")))
    same = Atoms("ZnO2", [[0, 0, 0], [2, 0, 0], [2, 0, 0]], cell=[8, 8, 8], pbc=True)
    with pytest.raises(HelioError, match=r"gets no sound charges .*too close to each other"):
        equilibrated_charges(of(same))
    # Bare oxygen ions far from their aluminium, which gives all its electrons.
    apart = Atoms("AlO", [[0, 0, 0], [6, 0, 0]], cell=[12, 12, 12], pbc=True)
    with pytest.raises(HelioError, match=r"gets no sound charges \(-?\d\.\d e on an atom of O\)"):
        equilibrated_charges(of(apart))
    many = Crystal(
        "many", np.eye(3) * 99, np.full(5001, 6, np.int32), np.zeros((5001, 3)), *[np.zeros((0, 2), int)] * 2
    )
    with pytest.raises(HelioError, match="many has 5,001 atoms"):
        equilibrated_charges(many)

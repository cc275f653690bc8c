"""Grand-canonical Monte Carlo against the ideal gas and against our own insertions."""

from __future__ import annotations

import warnings
from itertools import product

import numpy as np
import pytest
from ase.data import atomic_masses
from scipy.spatial.transform import Rotation

from helio.errors import HelioError
from helio.frameworks.adsorption import N2, StatePoint, repeats, uptake
from helio.frameworks.crystal import Crystal

pytest.importorskip("lammps_interface")
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    pytest.importorskip("raspalib")

BOLTZMANN = 1.380649e-23  # J/K
# UFF (Rappe et al. 1992): distance of the minimum (A) and depth (kcal/mol).
UFF = {6: (3.851, 0.105), 8: (3.5, 0.06), 30: (2.763, 0.124)}


def crystal(cell: np.ndarray, numbers: list[int], fractional: list) -> Crystal:
    nothing = np.zeros((0, 2), np.int32), np.zeros((0, 3), np.int32)
    return Crystal("test", cell, np.array(numbers, np.int32), np.array(fractional) @ cell, *nothing)


def test_a_cell_is_repeated_by_its_widths() -> None:
    assert repeats(np.eye(3) * 12) == (2, 2, 2)
    assert repeats(np.eye(3) * 24.0) == (1, 1, 1)
    # At 60 degrees the rhombus of edge 26 is 22.5 wide.
    assert repeats(np.array([[26.0, 0, 0], [13, 13 * np.sqrt(3), 0], [0, 0, 30]])) == (2, 2, 1)


def test_an_empty_box_holds_the_ideal_gas() -> None:
    box = crystal(np.eye(3) * 30, [2], [[0, 0, 0]])
    pressure, temperature = 1e6, 298.0
    mean, error = uptake(box, StatePoint(N2, temperature, pressure), cycles=400, equilibration=100, seed=1)
    molecules = mean * atomic_masses[2] / 1000
    ideal = pressure * 27e-27 / (BOLTZMANN * temperature)
    assert molecules == pytest.approx(ideal, rel=0.08)
    assert 0 < error < mean


def test_a_dilute_gas_follows_henrys_law_in_a_skewed_cell() -> None:
    """N = p V <exp(-U / kT)> / kT, averaged over our own random insertions."""
    cell = np.array([[25.0, 0, 0], [8.0, 24.5, 0], [-6.0, 5.0, 26.0]])
    rng = np.random.default_rng(0)
    layer = np.stack(np.meshgrid(np.arange(6) / 6, np.arange(6) / 6, [0.5]), axis=-1).reshape(-1, 3)
    sites = np.concatenate([layer, layer + np.array([0, 0, 0.3]), rng.random((3, 3)) * [1, 1, 0.2]])
    numbers = [6] * 72 + [8, 8, 30]
    temperature, pressure = 180.0, 1e5
    mean, _ = uptake(
        crystal(cell, numbers, sites.tolist()),
        StatePoint(N2, temperature, pressure),
        cycles=2500,
        equilibration=100,
        seed=2,
    )
    molecules = mean * atomic_masses[numbers].sum() / 1000
    images = np.array(list(product((-1, 0, 1), repeat=3))) @ cell
    atoms = (sites @ cell)[:, None] + images
    centers, turns = rng.random((6000, 3)) @ cell, Rotation.from_quat(rng.normal(size=(6000, 4)))
    energy = np.zeros(6000)
    for shift in (0.55, -0.55):  # both nitrogen atoms; the middle has no well
        points = centers + turns.apply([0, 0, shift])
        for place, number in zip(atoms, numbers, strict=True):
            minimum, depth = UFF[number]
            sigma = (minimum / 2 ** (1 / 6) + 3.31) / 2
            epsilon = np.sqrt(depth * 503.2195 * 36.0)
            distance = np.linalg.norm(points[:, None] - place[None], axis=-1)
            ratio = np.where(distance < 12, (sigma / distance) ** 6, 0)
            energy += (4 * epsilon * (ratio**2 - ratio)).sum(axis=1)
    volume = np.linalg.det(cell) * 1e-30
    expected = pressure * volume / (BOLTZMANN * temperature) * np.exp(-energy / temperature).mean()
    assert expected > 1.15 * pressure * volume / (BOLTZMANN * temperature)  # the atoms do attract
    assert molecules == pytest.approx(expected, rel=0.12)


def test_crystals_that_cannot_be_simulated_are_refused() -> None:
    point = StatePoint(N2, 298.0, 1e5)
    with pytest.raises(HelioError, match=r"atoms 0\.30 A apart, closer than 0\.5 A"):
        uptake(crystal(np.eye(3) * 30, [6, 6], [[0, 0, 0], [0, 0, 0.01]]), point, cycles=1, equilibration=0, seed=0)
    places = np.stack(np.meshgrid(*[np.arange(8) / 8] * 3), axis=-1).reshape(-1, 3)
    with pytest.raises(HelioError, match="more than 10,000"):
        uptake(crystal(np.eye(3) * 9, [6] * 512, places.tolist()), point, cycles=1, equilibration=0, seed=0)

"""Grand-canonical Monte Carlo against the ideal gas, and its energies against our own sums and insertions."""

from __future__ import annotations

import warnings
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase.data import atomic_masses
from scipy.spatial.transform import Rotation
from typer.testing import CliRunner

from helio.cli.frameworks import app
from helio.errors import HelioError
from helio.frameworks import adsorption
from helio.frameworks.adsorption import (
    CO2,
    N2,
    Gas,
    StatePoint,
    adsorption_labels,
    gas_in,
    repeats,
    uptake,
)
from helio.frameworks.campaign.settings import CampaignSettings
from helio.frameworks.cif import write_cif
from helio.frameworks.coulomb import coulomb_matrix
from helio.frameworks.crystal import Crystal
from helio.frameworks.henry import henry_constant, henry_labels
from helio.settings.checking import checked

pytest.importorskip("lammps_interface")
pytest.importorskip("gemmi")
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    pytest.importorskip("raspalib")

BOLTZMANN = 1.380649e-23  # J/K
# UFF (Rappe et al. 1992): distance of the minimum (A) and depth (kcal/mol).
UFF = {6: (3.851, 0.105), 8: (3.5, 0.06), 30: (2.763, 0.124)}
# TraPPE: diameter (A), depth (K), charge (e) of the sites in order.
SITES = {
    "CO2": ((3.05, 79.0, -0.35), (2.80, 27.0, 0.70), (3.05, 79.0, -0.35)),
    "N2": ((3.31, 36.0, -0.482), (1.0, 0.0, 0.964), (3.31, 36.0, -0.482)),
}
SKEWED = np.array([[25.0, 0, 0], [8.0, 24.5, 0], [-6.0, 5.0, 26.0]])


def crystal(cell: np.ndarray, numbers: list[int], fractional: list) -> Crystal:
    nothing = np.zeros((0, 2), np.int32), np.zeros((0, 3), np.int32)
    return Crystal("test", cell, np.array(numbers, np.int32), np.array(fractional) @ cell, *nothing)


def layers() -> Crystal:
    """Two sheets of carbon and three other atoms in a skewed cell."""
    rng = np.random.default_rng(0)
    layer = np.stack(np.meshgrid(np.arange(6) / 6, np.arange(6) / 6, [0.5]), axis=-1).reshape(-1, 3)
    sites = np.concatenate([layer, layer + np.array([0, 0, 0.3]), rng.random((3, 3)) * [1, 1, 0.2]])
    return crystal(SKEWED, [6] * 72 + [8, 8, 30], sites.tolist())


def dispersion(host: Crystal, gas: str, molecules: np.ndarray) -> np.ndarray:
    """Lennard-Jones energies (M,) of molecules (M, 3 sites, 3) in a crystal wider than 24 A, K."""
    images = np.array(list(product((-1, 0, 1), repeat=3))) @ host.cell
    energy = np.zeros(len(molecules))
    for site, (diameter, depth, _) in enumerate(SITES[gas]):
        if depth == 0:
            continue
        for place, number in zip(host.positions, host.numbers.tolist(), strict=True):
            minimum, own = UFF[number]
            sigma, epsilon = (minimum / 2 ** (1 / 6) + diameter) / 2, np.sqrt(own * 503.2195 * depth)
            distance = np.linalg.norm(molecules[:, site, None] - place - images, axis=-1)
            ratio = np.where(distance < 12, (sigma / distance) ** 6, 0)
            energy += (4 * epsilon * (ratio**2 - ratio)).sum(axis=1)
    return energy


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


@pytest.mark.parametrize("gas", [CO2, N2], ids=["CO2", "N2"])
@pytest.mark.parametrize("charged", [True, False])
def test_energies_are_those_of_our_own_sums_in_a_skewed_cell(gas: Gas, charged: bool) -> None:
    """Lennard-Jones pair by pair, and charges by our own Ewald sum, of one molecule somewhere in the crystal."""
    host = layers()
    charges = np.random.default_rng(1).normal(size=len(host)) * 0.5
    charges -= charges.mean()
    system = gas_in(host, StatePoint(gas, 298.0, 1e5), charges=charges if charged else None, molecules=1)
    found = system.compute_total_energies()
    places = np.array([atom.position for atom in system.atom_data])
    molecule = places[-3:]
    np.testing.assert_allclose(np.linalg.norm(np.diff(molecule, axis=0), axis=1), gas.bond)
    unit = 0.831446261815  # 10 J/mol in K, the program's unit of energy
    expected = dispersion(host, gas.name, molecule[None])[0]
    assert found.van_der_waals_energy() / unit == pytest.approx(expected, rel=1e-5)
    if not charged:
        assert found.coulomb_energy() == 0
        return
    matrix = 14.399645 / 8.617333e-5 * coulomb_matrix(host.cell, np.concatenate([host.positions, molecule]))  # K
    own = np.array([site[2] for site in SITES[gas.name]])
    coulomb = charges @ matrix[:-3, -3:] @ own
    assert abs(coulomb) > 100
    assert found.coulomb_energy() / unit == pytest.approx(coulomb, rel=1e-3, abs=0.5)


def insertions(host: Crystal, temperature: float) -> float:
    """<exp(-U / kT)> of nitrogen without charges, over 3,000 places and directions."""
    rng = np.random.default_rng(0)
    centers, turns = rng.random((3000, 3)) @ SKEWED, Rotation.from_quat(rng.normal(size=(3000, 4)))
    sites = np.stack([centers + turns.apply([0, 0, shift]) for shift in (0.55, 0, -0.55)], axis=1)
    mean = np.exp(-dispersion(host, "N2", sites) / temperature).mean()
    assert mean > 1.15  # the atoms do attract
    return float(mean)


def test_henrys_constant_is_that_of_our_own_insertions() -> None:
    host, temperature = layers(), 180.0
    mass = atomic_masses[host.numbers].sum() * 1.66053906660e-27
    expected = host.volume * 1e-30 / (BOLTZMANN * temperature * mass * 6.02214076e23) * insertions(host, temperature)
    found = henry_constant(host, N2, temperature=temperature, cycles=300, seed=1)
    assert found == pytest.approx(expected, rel=0.06)


def test_labels_of_henrys_law_are_constants_times_pressures() -> None:
    host = layers()
    labels = henry_labels(host, charges="none", cycles=20, seed=2)
    hot = henry_constant(host, CO2, temperature=363.0, cycles=20, seed=7)
    assert labels["uncharged_henry_co2_residual"] == pytest.approx(hot * 0.1e5)
    assert labels["uncharged_henry_co2_uptake"] > labels["uncharged_henry_co2_residual"] > 0
    difference = labels["uncharged_henry_co2_uptake"] - labels["uncharged_henry_co2_residual"]
    assert labels["uncharged_henry_working_capacity"] == difference and len(labels) == 3


def test_henrys_law_is_refused_where_it_does_not_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("helio.frameworks.henry.henry_constant", lambda *_, **__: 1e-3)  # 15 mol/kg at 0.15 bar
    with pytest.raises(HelioError, match=r"says 15\.0 mol/kg .* does not hold above 2\.5: .* by GCMC"):
        henry_labels(layers(), charges="none")


@pytest.mark.slow
def test_a_dilute_gas_follows_henrys_law_in_a_skewed_cell() -> None:
    """N = p V <exp(-U / kT)> / kT, averaged over our own random insertions."""
    host, temperature, pressure = layers(), 180.0, 1e5
    mean, _ = uptake(host, StatePoint(N2, temperature, pressure), cycles=1500, equilibration=100, seed=2)
    molecules = mean * atomic_masses[host.numbers].sum() / 1000
    ideal = pressure * host.volume * 1e-30 / (BOLTZMANN * temperature)
    assert molecules == pytest.approx(ideal * insertions(host, temperature), rel=0.12)


def test_labels_say_which_charges_they_rest_on(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[np.ndarray | None] = []

    def noted(host: Crystal, point: StatePoint, *, charges: np.ndarray | None, **_: Any) -> tuple[float, float]:
        given.append(charges)
        return {0.15e5: 3.0, 0.1e5: 1.0, 0.85e5: 0.5}[point.pressure], 0.1

    monkeypatch.setattr(adsorption, "uptake", noted)
    salt = crystal(np.eye(3) * 6, [30, 8], [[0, 0, 0], [0.35, 0, 0]])
    plain, charged = (adsorption_labels(salt, charges=charges) for charges in ("none", "eqeq"))
    assert {name.removeprefix("uncharged_") for name in plain} == {name.removeprefix("eqeq_") for name in charged}
    assert not plain.keys() & charged.keys()
    assert charged["eqeq_working_capacity"] == 2.0
    assert charged["eqeq_selectivity"] == 6.0
    assert given[:3] == [None, None, None]
    assert given[3] is not None
    assert given[3][0] > 0.5
    assert given[3].sum() == pytest.approx(0, abs=1e-12)
    given.clear()
    capacity = adsorption_labels(salt, nitrogen=False)
    assert len(given) == 2 and capacity["eqeq_working_capacity"] == 2.0
    assert not [name for name in capacity if "n2" in name or "selectivity" in name]
    with pytest.raises(HelioError, match="charges of frameworks are eqeq or none, not 'ddec'"):
        adsorption_labels(salt, charges="ddec")


def test_the_command_takes_charges(tmp_path: Path) -> None:
    pytest.importorskip("pyzeo")
    pytest.importorskip("pymatgen.core")
    file = tmp_path / "salt.cif"
    write_cif(file, crystal(np.eye(3) * 12, [30, 8], [[0, 0, 0], [0.17, 0, 0]]))

    def told(*options: str) -> str:
        arguments = ["screen", str(file), "--cycles", "10", "--equilibration", "0", *options]
        result = CliRunner().invoke(app, arguments)
        assert result.exit_code == 0, result.output
        return result.output

    assert "eqeq_co2_uptake" in told() and "uncharged" not in told()
    assert "uncharged_co2_uptake" in told("--charges", "none") and "eqeq" not in told("--charges", "none")
    assert CliRunner().invoke(app, ["screen", str(file), "--charges", "ddec"]).exit_code == 2
    with pytest.raises(HelioError, match="charges"):
        checked(CampaignSettings, {"samples": "a.h5", "charges": "ddec"})


def test_charges_draw_more_carbon_dioxide_in() -> None:
    salt = crystal(np.eye(3) * 12, [30, 8], [[0, 0, 0], [0.5, 0.5, 0.5]])
    point = StatePoint(CO2, 298.0, 1e5)
    options: dict[str, Any] = {"cycles": 60, "equilibration": 20, "seed": 0}
    plain, _ = uptake(salt, point, **options)
    charged, _ = uptake(salt, point, charges=np.array([1.0, -1.0]), **options)
    assert charged > 1.5 * plain > 0


def test_crystals_that_cannot_be_simulated_are_refused() -> None:
    point = StatePoint(N2, 298.0, 1e5)
    with pytest.raises(HelioError, match=r"atoms 0\.30 A apart, closer than 0\.5 A"):
        uptake(crystal(np.eye(3) * 30, [6, 6], [[0, 0, 0], [0, 0, 0.01]]), point, cycles=1, equilibration=0, seed=0)
    places = np.stack(np.meshgrid(*[np.arange(8) / 8] * 3), axis=-1).reshape(-1, 3)
    with pytest.raises(HelioError, match="more than 10,000"):
        uptake(crystal(np.eye(3) * 9, [6] * 512, places.tolist()), point, cycles=1, equilibration=0, seed=0)

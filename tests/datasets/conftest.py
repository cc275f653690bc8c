"""Water molecules on springs, with labels that fit together, written in every layout."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import ase.db
import ase.io
import h5py
import numpy as np
import pytest
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator

from helio.train.plausibility import free_atoms
from helio.units import BOHR, DIPOLE_UNITS, HARTREE, KCAL_PER_MOL

NUMBERS = np.array([8, 1, 1])


@dataclass(frozen=True)
class Waters:
    """Labels in eV, A and e by their names, with a leading axis for M molecules; and their positions."""

    positions: np.ndarray
    labels: dict[str, np.ndarray]


def waters(count: int = 12, seed: int = 0) -> Waters:
    """Molecules with two O-H springs of 47 eV/A^2 and an H-H spring."""
    rng = np.random.default_rng(seed)
    still = np.array([[0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]])
    positions = still + 0.04 * rng.normal(size=(count, 3, 3))
    energy, forces = np.full(count, free_atoms(NUMBERS)), np.zeros_like(positions)
    for i, j, stiffness in ((0, 1, 47.0), (0, 2, 47.0), (1, 2, 10.0)):
        bond = positions[:, j] - positions[:, i]
        length = np.linalg.norm(bond, axis=1)
        stretch = length - np.linalg.norm(still[j] - still[i])
        energy += stiffness * stretch**2 / 2
        pull = (stiffness * stretch / length)[:, None] * bond
        forces[:, i] += pull
        forces[:, j] -= pull
    charges = np.array([-0.7, 0.35, 0.35]) + 0.01 * rng.normal(size=(count, 1)) * [-2, 1, 1]
    labels = {
        "energy": energy,
        "forces": forces,
        "dipole": np.einsum("mn,mnd->md", charges, positions),
        "charges": charges,
        "hirshfeld_ratios": rng.uniform(0.6, 1.0, size=(count, 3)),
    }
    return Waters(positions, labels)


def frames(made: Waters) -> list[Atoms]:
    found = []
    for row, place in enumerate(made.positions):
        atoms = Atoms(NUMBERS, place, info={"charge": 0})
        for name in ("energy", "dipole"):
            atoms.info[f"REF_{name}"] = made.labels[name][row]
        for name in ("forces", "charges", "hirshfeld_ratios"):
            atoms.arrays[f"REF_{name}"] = made.labels[name][row]
        found.append(atoms)
    return found


def write_extxyz(folder: Path, made: Waters) -> Path:
    ase.io.write(folder / "waters.extxyz", frames(made))
    return folder / "waters.extxyz"


def write_database(folder: Path, made: Waters) -> Path:
    database = ase.db.connect(folder / "waters.db")
    for row, place in enumerate(made.positions):
        atoms = Atoms(NUMBERS, place)
        own = {name: values[row] for name, values in made.labels.items()}
        atoms.calc = SinglePointCalculator(atoms, energy=own.pop("energy"), forces=own.pop("forces"))
        database.write(atoms, data=own)
    return folder / "waters.db"


def write_md17(folder: Path, made: Waters) -> Path:
    energy, forces = made.labels["energy"][:, None] / KCAL_PER_MOL, made.labels["forces"] / KCAL_PER_MOL
    np.savez(folder / "md17.npz", R=made.positions, z=NUMBERS, E=energy, F=forces)
    return folder / "md17.npz"


def write_rmd17(folder: Path, made: Waters) -> Path:
    np.savez(
        folder / "rmd17.npz",
        coords=made.positions,
        nuclear_charges=NUMBERS,
        energies=made.labels["energy"] / KCAL_PER_MOL,
        forces=made.labels["forces"] / KCAL_PER_MOL,
        old_indices=np.arange(len(made.positions)),
    )
    return folder / "rmd17.npz"


def write_sgdml(folder: Path, made: Waters) -> Path:
    np.savez(
        folder / "md22.npz",
        R=made.positions,
        z=NUMBERS,
        E=made.labels["energy"],
        F=made.labels["forces"],
        theory="PBE+MBD",
        r_unit="Ang",
        e_unit="eV",
    )
    return folder / "md22.npz"


def write_qm7x(folder: Path, made: Waters) -> Path:
    names = {"energy": "ePBE0+MBD", "forces": "totFOR", "dipole": "vDIP", "charges": "hCHG", "hirshfeld_ratios": "hRAT"}
    with h5py.File(folder / "1000.hdf5", "w") as file:
        for row, place in enumerate(made.positions):
            group = file.create_group(f"1/Geom-m1-i1-c1-{row:03d}")
            group["atNUM"], group["atXYZ"] = NUMBERS, place
            for name, key in names.items():
                value = made.labels[name][row]
                group[key] = value[:, None] if name in ("charges", "hirshfeld_ratios") else np.atleast_1d(value)
    return folder / "1000.hdf5"


def write_spice(folder: Path, made: Waters) -> Path:
    with h5py.File(folder / "SPICE.hdf5", "w") as file:
        group = file.create_group("water")
        group["atomic_numbers"] = NUMBERS
        group["smiles"] = [b"[O:1]([H:2])[H:3]"]
        group["subset"] = [b"SPICE Test"]
        group["conformations"] = made.positions / BOHR
        group["conformations"].attrs["units"] = "bohr"
        group["dft_total_energy"] = made.labels["energy"] / HARTREE
        group["dft_total_gradient"] = -made.labels["forces"] / HARTREE * BOHR
        group["scf_dipole"] = made.labels["dipole"] / DIPOLE_UNITS["au"]
        group["mbis_charges"] = made.labels["charges"][:, :, None]
    return folder / "SPICE.hdf5"


def write_ani1x(folder: Path, made: Waters) -> Path:
    with h5py.File(folder / "ani1x.h5", "w") as file:
        group = file.create_group("H2O1")
        group["atomic_numbers"], group["coordinates"] = NUMBERS.astype(np.uint8), made.positions
        group["wb97x_dz.energy"] = made.labels["energy"] / HARTREE
        group["wb97x_dz.forces"] = made.labels["forces"] / HARTREE
        group["wb97x_dz.dipole"] = made.labels["dipole"]
        group["wb97x_dz.hirshfeld_charges"] = made.labels["charges"]
        few = np.where(np.arange(len(made.positions)) % 2, np.nan, made.labels["energy"] / HARTREE)
        group["ccsd(t)_cbs.energy"] = few
    return folder / "ani1x.h5"


def write_comp6(folder: Path, made: Waters) -> Path:
    with h5py.File(folder / "comp6.h5", "w") as file:
        group = file.create_group("set/mol00")
        group["species"], group["coordinates"] = [b"O", b"H", b"H"], made.positions
        group["energies"] = made.labels["energy"] / HARTREE
        group["forces"] = made.labels["forces"] / HARTREE
        group["hirshfeld"] = np.concatenate([made.labels["charges"], np.zeros((len(made.positions), 1))], axis=1)
        group["lot"] = [b"wb97x/6-31g*"]
    return folder / "comp6.h5"


WRITERS: dict[str, Callable[[Path, Waters], Path]] = {
    "extxyz": write_extxyz,
    "db": write_database,
    "md17": write_md17,
    "rmd17": write_rmd17,
    "sgdml": write_sgdml,
    "qm7x": write_qm7x,
    "spice": write_spice,
    "ani1x": write_ani1x,
    "comp6": write_comp6,
}


@pytest.fixture
def made() -> Waters:
    return waters()


@pytest.fixture
def write(tmp_path) -> Callable[..., Path]:
    """Write molecules in a layout: write(layout, waters, folder)."""

    def written(layout: str, made: Waters | None = None, folder: Path | None = None) -> Path:
        return WRITERS[layout](folder or tmp_path, made or waters())

    return written

"""Random systems come back from every format that Helio writes, as far as docs/structure-files.md says."""

from __future__ import annotations

import re
from pathlib import Path

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule
from ase.cell import Cell
from ase.constraints import FixAtoms

from helio.errors import HelioError
from helio.files.fixed_atoms import fixed_atoms
from helio.files.structure_reading import Reading, read
from helio.files.structures import write_structure

PAGE = Path(__file__).parents[2] / "docs" / "structure-files.md"
SYSTEMS = 12
NAMES = ("atomtypes", "residuenames", "residuenumbers")
# Of positions in A, of velocities in sqrt(eV/amu), where a format rounds.
ROUNDING = {
    "extended xyz": (1e-7, 1e-8),
    "PDB": (6e-4, 0),
    "gro": (6e-3, 2e-4),
    "SD": (6e-5, 0),
    "CIF": (2e-4, 0),
    "mol2": (6e-5, 0),
}
FILES = {
    "extended xyz": "a.extxyz",
    "PDB": "a.pdb",
    "gro": "a.gro",
    "CIF": "a.cif",
    "POSCAR": "POSCAR",
    "SD": "a.sdf",
    "traj": "a.traj",
    "mol2": "a.mol2",
}


def table() -> dict[str, dict[str, str]]:
    """The table of the page: format -> property -> what it can hold."""
    lines = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("|")]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    start = next(i for i, row in enumerate(rows) if row[0] == "Format")
    end = next((i for i in range(start + 2, len(rows)) if len(rows[i]) != len(rows[start])), len(rows))
    return {row[0]: dict(zip(rows[start], row, strict=True)) for row in rows[start + 2 : end]}


def random_system(seed: int, *, whole_or_open: bool) -> Atoms:
    """One of many kinds: elements, charge, spin, cell, open directions, velocities, fixed atoms and names vary."""
    rng = np.random.default_rng(seed)
    count = int(rng.integers(2, 9))
    numbers = rng.choice([1, 6, 7, 8, 9, 11, 14, 17, 20, 26, 35], size=count)
    grid = np.stack(np.unravel_index(rng.permutation(27)[:count], (3, 3, 3)), axis=1)
    atoms = Atoms(numbers, 0.5 + 2.5 * grid + rng.uniform(-0.4, 0.4, (count, 3)))
    charge = int(rng.integers(-2, 3))
    electrons = int(numbers.sum()) - charge
    atoms.info |= {"charge": charge, "spin": electrons % 2 + 2 * int(rng.integers(0, 2)) * (electrons > 3)}
    kind = rng.integers(0, 3 if whole_or_open else 4)
    if kind:
        lengths, angles = rng.uniform(8, 12, 3), rng.uniform(70, 110, 3) if kind == 2 else [90, 90, 90]
        atoms.cell, atoms.pbc = Cell.fromcellpar([*lengths, *angles]), [True, True, kind != 3]
    if rng.random() < 0.5:
        atoms.set_velocities(rng.normal(0, 0.02, (count, 3)))
    if rng.random() < 0.5:
        atoms.set_constraint(FixAtoms(rng.permutation(count)[: count // 2]))
    if rng.random() < 0.5:
        residues = rng.choice(["LIG", "WAT", "SOL"], size=count)
        atoms.set_array("atomtypes", np.array([f"{atom.symbol}{atom.index}" for atom in atoms]))  # pyright: ignore
        atoms.set_array("residuenames", residues)
        atoms.set_array("residuenumbers", rng.integers(1, 999, count))
    return atoms


def write_mol2(path: Path, atoms: Atoms) -> None:
    """By hand, since no program here writes it: SYBYL types of bare elements, the charge on the first atom."""
    charges = [float(atoms.info["charge"]), *[0.0] * (len(atoms) - 1)]
    names, residues, numbers = (atoms.arrays.get(name) for name in NAMES)
    lines = ["@<TRIPOS>MOLECULE", "x", f" {len(atoms)} 0", "SMALL", "USER_CHARGES", "@<TRIPOS>ATOM"]
    for i, (x, y, z) in enumerate(atoms.positions):
        symbol = atoms.symbols[i]
        name, number = symbol if names is None else names[i], 1 if numbers is None else numbers[i]
        residue = "LIG" if residues is None else f"{residues[i]}{number}"
        lines.append(f"{i + 1} {name} {x:.4f} {y:.4f} {z:.4f} {symbol} {number} {residue} {charges[i]:.4f}")
    if atoms.pbc.all():
        lines += ["@<TRIPOS>CRYSIN", " ".join(f"{value:.6f}" for value in atoms.cell.cellpar()) + " 1 1"]
    path.write_text("\n".join([*lines, ""]))


def check(reading: Reading, atoms: Atoms, kind: str, can: dict[str, str]) -> None:
    read_back, (length, speed) = reading.atoms, ROUNDING.get(kind, (1e-7, 1e-9))
    assert read_back.numbers.tolist() == atoms.numbers.tolist()
    assert reading.electrons.charge == atoms.info["charge"] and reading.electrons.unpaired == atoms.info["spin"]
    for key, source in (
        ("charge", reading.electrons.charge_source),
        ("unpaired electrons", reading.electrons.unpaired_source),
    ):
        assert (source == "as asked for") == (can[key] == "no")
    assert read_back.pbc.tolist() == (atoms.pbc.tolist() if can["periodicity"] != "no" else [False] * 3)
    shift = read_back.positions - atoms.positions
    if can["cell"] == "yes" and atoms.pbc.any():
        np.testing.assert_allclose(read_back.cell.array, atoms.cell.array, atol=20 * length)
        shift -= np.rint(shift @ np.linalg.inv(atoms.cell.array)) @ atoms.cell.array  # some writers wrap atoms
    assert np.abs(shift).max() < length
    assert read_back.has("momenta") == (can["velocities"] == "yes" and atoms.has("momenta"))
    if read_back.has("momenta"):
        mobile = ~fixed_atoms(atoms)
        np.testing.assert_allclose(read_back.get_velocities()[mobile], atoms.get_velocities()[mobile], atol=speed)
    held = fixed_atoms(atoms).tolist() if can["fixed atoms"] == "yes" else [False] * len(atoms)
    assert fixed_atoms(read_back).tolist() == held
    if can["names"] == "yes" and "atomtypes" in atoms.arrays:
        for name in NAMES:
            assert read_back.arrays[name].tolist() == atoms.arrays[name].tolist()


@pytest.mark.parametrize("kind", FILES)
def test_random_systems_come_back(tmp_path: Path, kind: str) -> None:
    can, path = table()[kind], tmp_path / FILES[kind]
    for seed in range(SYSTEMS):
        atoms = random_system(seed, whole_or_open=can["periodicity"] != "each direction")
        if can["periodicity"] == "all directions" and not atoms.pbc.any():
            if kind == "POSCAR":
                with pytest.raises(HelioError, match="needs a cell"):
                    write_structure(path, atoms, overwrite=True)
            continue
        asked = {"charge": atoms.info["charge"]} if can["charge"] == "no" else {}
        asked |= {"unpaired_electrons": atoms.info["spin"]} if can["unpaired electrons"] == "no" else {}
        if kind == "mol2":
            write_mol2(path, atoms)
        else:
            write_structure(path, atoms, overwrite=True)
        check(read(path, **asked), atoms, kind, can)


def test_the_table_is_that_of_the_test() -> None:
    assert set(table()) == set(FILES)


@pytest.mark.parametrize("kind", [kind for kind in FILES if kind != "mol2"])
def test_directions_that_a_format_cannot_hold_are_refused(tmp_path: Path, kind: str) -> None:
    slab = Atoms("He", cell=[5, 5, 20], pbc=[True, True, False])
    can = table()[kind]["periodicity"]
    if can.startswith("all directions"):
        with pytest.raises(HelioError, match="cannot say that some directions alone are periodic"):
            write_structure(tmp_path / FILES[kind], slab)
    else:
        write_structure(tmp_path / FILES[kind], slab)
        expected = [True, True, False] if can == "each direction" else [False] * 3
        assert read(tmp_path / FILES[kind]).atoms.pbc.tolist() == expected


def test_the_page_names_every_key() -> None:
    from helio.electrons import KEYS

    assert set(re.findall(r"`(\w+)`", PAGE.read_text(encoding="utf-8"))) >= set(KEYS)


def test_a_molecule_without_a_cell_comes_back_from_gro(tmp_path: Path) -> None:
    atoms = molecule("CH3CH2OH")
    path = tmp_path / "ethanol.gro"
    write_structure(path, atoms)
    assert path.read_text().splitlines()[-1].split() == ["0.00000"] * 3
    without_box = tmp_path / "ase.gro"
    ase.io.write(without_box, atoms)
    for file in (path, without_box):
        again = read(file).atoms
        assert not again.pbc.any() and not again.cell.array.any()
        np.testing.assert_allclose(again.positions, atoms.positions, atol=5.1e-3)

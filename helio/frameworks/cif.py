"""Crystals in CIF files, with their bonds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from ase.data import chemical_symbols
from ase.geometry import cell_to_cellpar, cellpar_to_cell

from helio.errors import HelioError, reason
from helio.files.atomic import write_text
from helio.files.regular_file import regular_file
from helio.frameworks.bonds import find_bonds
from helio.frameworks.crystal import Crystal, wrapped
from helio.packages import need

_FULL = 0.999  # occupancy below which a site is partly occupied
_MAX_EDGE = 500.0  # A; the largest known are below 200, and grids of pores take memory with the volume
_SAME_SITE = 0.1  # A; closer atoms are one place given twice


class CoincidentAtomsError(HelioError):
    """Two atoms of a crystal are in the same place."""

    def __init__(self, path: str | Path, first: str, second: str) -> None:
        self.pair = first, second  # symbols of their elements
        super().__init__(f"{path} has two atoms in the same place ({first} and {second}): disordered or a double cell")


def read_cif(path: str | Path) -> Crystal:
    """Read the first structure of a CIF, all its atoms in one cell.

    Bonds come from its table where it has one and no symmetry but the identity, else from distances (`find_bonds`).

    Raises:
        CoincidentAtomsError: two atoms are in the same place.
        HelioError: no file or no structure, an atom of unknown element or place, or atoms that are disordered or partly
            occupied.
    """
    gemmi = need("gemmi", extra="frameworks")
    path = regular_file(path)
    try:
        document = gemmi.cif.read(str(path))
    except (ValueError, RuntimeError, OSError, UnicodeDecodeError) as error:
        raise HelioError(f"{path} is no CIF, or is damaged: {reason(error)}") from error
    block = next((block for block in document if block.find_values("_atom_site_fract_x")), None)
    if block is None:
        raise HelioError(f"{path} holds no crystal structure (no _atom_site_fract_x)")
    small = gemmi.make_small_structure_from_block(block)
    _check_sites(path, small, block)
    sites = small.get_all_unit_cell_sites()
    cell = np.asarray(cellpar_to_cell(small.cell.parameters))
    fractional = np.array([site.fract.tolist() for site in sites])
    numbers = np.array([site.element.atomic_number for site in sites], np.int32)
    nothing = np.zeros((0, 2), np.int32), np.zeros((0, 3), np.int32)
    crystal = wrapped(Crystal(path.stem, cell, numbers, fractional @ cell, *nothing))
    _check_apart(path, crystal)
    if len(sites) == len(small.sites):
        if (table := _bond_table(path, block, small, crystal)) is not None:
            return Crystal(path.stem, cell, numbers, crystal.positions, *table)
    return find_bonds(crystal)


def write_cif(path: str | Path, crystal: Crystal) -> None:
    """Write a crystal with its bonds; the cell's orientation in space is not kept, as in every CIF."""
    crystal = wrapped(crystal)
    a, b, c, alpha, beta, gamma = cell_to_cellpar(crystal.cell)
    labels = [f"{chemical_symbols[number]}{i + 1}" for i, number in enumerate(crystal.numbers)]
    lines = [f"data_{crystal.name.replace(' ', '_')}", "_symmetry_space_group_name_H-M 'P 1'"]
    lines += ["_symmetry_Int_Tables_number 1", "loop_", "_symmetry_equiv_pos_as_xyz", "'x, y, z'"]
    lines += [f"_cell_length_{axis} {length:.6f}" for axis, length in zip("abc", (a, b, c), strict=True)]
    angles = zip(("alpha", "beta", "gamma"), (alpha, beta, gamma), strict=True)
    lines += [f"_cell_angle_{axis} {angle:.6f}" for axis, angle in angles]
    lines += ["loop_"] + [f"_atom_site_{key}" for key in ("label", "type_symbol", "fract_x", "fract_y", "fract_z")]
    fractional = crystal.positions @ np.linalg.inv(crystal.cell)
    for label, number, place in zip(labels, crystal.numbers, fractional, strict=True):
        lines.append(f"{label} {chemical_symbols[number]} {place[0]:.8f} {place[1]:.8f} {place[2]:.8f}")
    if len(crystal.bonds):
        lines += ["loop_", "_geom_bond_atom_site_label_1", "_geom_bond_atom_site_label_2"]
        lines += ["_geom_bond_distance", "_geom_bond_site_symmetry_2", "_ccdc_geom_bond_type"]
        lengths = np.linalg.norm(crystal.bond_vectors, axis=1)
        for (i, j), image, length in zip(crystal.bonds, crystal.images, lengths, strict=True):
            lines.append(f"{labels[i]} {labels[j]} {length:.5f} {_symmetry(image)} S")
    write_text(path, "\n".join(lines) + "\n")


def _symmetry(image: np.ndarray) -> str:
    if not image.any():
        return "."
    if np.abs(image).max() > 4:
        raise HelioError(f"a bond reaches {np.abs(image).max()} cells away, and a CIF can name 4 at most")
    return "1_" + "".join(str(5 + int(shift)) for shift in image)


def _check_sites(path: Path, small: Any, block: Any) -> None:
    if not small.sites:
        raise HelioError(f"{path} holds no atoms")
    if not np.isfinite(small.cell.parameters).all() or small.cell.volume < 1:
        raise HelioError(f"{path} gives no cell, or one without volume")
    if max(small.cell.parameters[:3]) > _MAX_EDGE:
        raise HelioError(
            f"{path} gives a cell with an edge of {max(small.cell.parameters[:3]):g} A: frameworks have edges of "
            f"{_MAX_EDGE:g} A at most; check the unit"
        )
    tags = block.find_values("_atom_site_disorder_group")
    for site in small.sites:
        if site.element.atomic_number == 0:
            raise HelioError(f"{path} has an atom of unknown element: {site.label} {site.type_symbol}".rstrip())
        if not np.isfinite(site.fract.tolist()).all():
            raise HelioError(f"{path} does not say where the atom {site.label} is")
        if site.occ < _FULL:
            raise HelioError(f"{path} is disordered: {site.label} has the occupancy {site.occ:g}")
        if site.disorder_group and tags:
            raise HelioError(f"{path} is disordered: {site.label} is in the disorder group {site.disorder_group}")


def _check_apart(path: Path, crystal: Crystal) -> None:
    import vesin

    options = {"points": crystal.positions, "box": crystal.cell, "periodic": True}
    i, j = vesin.NeighborList(cutoff=_SAME_SITE, full_list=False).compute(**options, quantities="ij")
    if len(i):
        raise CoincidentAtomsError(path, *(chemical_symbols[crystal.numbers[k]] for k in (int(i[0]), int(j[0]))))


def _bond_table(path: Path, block: Any, small: Any, crystal: Crystal) -> tuple[np.ndarray, np.ndarray] | None:
    """Bonds and images of the table, for the wrapped atoms; None where there is none or it names symmetries."""
    table = block.find("_geom_bond_", ["atom_site_label_1", "atom_site_label_2", "site_symmetry_2"])
    if not len(table):
        return None
    index = {site.label: i for i, site in enumerate(small.sites)}
    if len(index) < len(small.sites):
        return None  # labels that are given twice name no atom
    bonds, images = [], []
    for first, second, symmetry in table:
        code = symmetry.strip("'\"")
        if first not in index or second not in index:
            raise HelioError(f"{path} has a bond between {first} and {second}, and not both atoms")
        if code in (".", "?"):
            shift = (0, 0, 0)
        elif code.startswith("1_") and len(code) == 5 and code[2:].isdigit():
            shift = tuple(int(digit) - 5 for digit in code[2:])
        else:
            return None
        bonds.append((index[first], index[second]))
        images.append(shift)
    given = np.array([site.fract.tolist() for site in small.sites])
    moved = np.round(given - crystal.positions @ np.linalg.inv(crystal.cell)).astype(np.int32)
    pairs, shifts = np.array(bonds, np.int32), np.array(images, np.int32)
    shifts = shifts + moved[pairs[:, 1]] - moved[pairs[:, 0]]
    return pairs, shifts.astype(np.int32)

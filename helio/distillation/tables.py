"""Tables of a comparison, for the terminal."""

from __future__ import annotations

from rich.box import SIMPLE_HEAD
from rich.table import Table

from helio.distillation.comparison import Comparison
from helio.units import KCAL_PER_MOL


def error_table(found: Comparison) -> Table:
    """Mean absolute errors of each class of structures."""
    table = _table("class", "structures", "energy (meV/atom)", "forces (kcal/mol/A)", "of mean force", "dipole (e A)")
    for name, errors in found.classes.items():
        energy, forces, dipole = (errors.sums[key].mae for key in ("energy", "forces", "dipole"))
        table.add_row(
            name,
            f"{errors.structures:,}",
            "-" if energy is None else f"{1000 * energy:.2f}",
            "-" if forces is None else f"{forces / KCAL_PER_MOL:.3f}",
            "-" if forces is None or not errors.mean_force else f"{100 * forces / errors.mean_force:.1f} %",
            "-" if dipole is None else f"{dipole:.4f}",
        )
    return table


def speed_table(found: Comparison) -> Table:
    """Times of one evaluation of energy and forces."""
    table = _table("atoms", "periodic", "teacher (ms)", "student (ms)", "times faster")
    for speed in found.speeds:
        table.add_row(
            f"{speed.atoms}",
            "yes" if speed.periodic else "no",
            f"{speed.teacher_ms:.2f}",
            f"{speed.student_ms:.2f}",
            f"{speed.ratio:.2f}",
        )
    teacher, student = found.parameters
    table.caption = f"Parameters: {teacher:,} and {student:,}"
    return table


def _table(first: str, *others: str) -> Table:
    table = Table(box=SIMPLE_HEAD)
    table.add_column(first, no_wrap=True)
    for name in others:
        table.add_column(name, justify="right")
    return table

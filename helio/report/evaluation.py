"""Tables and panels of an evaluation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.table import Table

from helio.errors import counted
from helio.evaluate import CrystalEvaluation, DimerEvaluation, Evaluation
from helio.evaluate.dimers import DimerErrors
from helio.evaluate.metrics import ErrorSums
from helio.evaluate.structures import PropertyErrors
from helio.report.parity import Panel

NAMES = {
    "forces": "forces",
    "stress": "stress",
    "dipole": "dipole",
    "charges": "charges",
    "hirshfeld_ratios": "Hirshfeld ratios",
    "atomic_energies": "energies of atoms",
}
# Names of dimers or keys that a line lists.
_MOST_NAMES = 12


def property_table(evaluation: Evaluation) -> Table:
    """MAE and RMSE of each property, and how many structures were compared."""
    table = _table("property", "MAE", "RMSE", "structures", "without label")
    for name, errors in _shown(evaluation).items():
        unit = f" ({errors.unit})" if errors.unit else ""
        counts = f"{errors.structures:,}", f"{errors.unlabelled:,}"
        table.add_row(f"{_name(evaluation, name)}{unit}", *_errors(errors.total), *counts)
        if name == "energy":
            table.add_row("  per atom (eV)", *_errors(evaluation.energy_per_atom), "", "")
    return table


def element_table(evaluation: Evaluation) -> Table | None:
    """Errors of forces and Hirshfeld ratios for the atoms of each element; None without any."""
    shown = {name: errors for name, errors in evaluation.properties.items() if errors.by_element}
    if not shown:
        return None
    headings = [
        f"{_name(evaluation, name)} {kind}{f' ({errors.unit})' if errors.unit else ''}"
        for name, errors in shown.items()
        for kind in ("MAE", "RMSE")
    ]
    table = _table("element", *headings)
    for element in sorted({element for errors in shown.values() for element in errors.by_element}):
        cells = [cell for errors in shown.values() for cell in _errors(errors.by_element.get(element, ErrorSums()))]
        table.add_row(element, *cells)
    return table


def notes(evaluation: Evaluation) -> list[str]:
    """Notes below the tables."""
    energy = evaluation.properties["energy"]
    found = [
        f"{_name(evaluation, name)} from {', '.join(f'{key} ({count:,})' for key, count in errors.found_as.items())}"
        for name, errors in evaluation.properties.items()
        if errors.found_as
    ]
    lines = [f"Labels, with the number of structures: {'; '.join(found)}."] if found else []
    if evaluation.units is not None:
        lines.append(f"Units: {evaluation.units}.")
    if evaluation.unused:
        lines.append(f"Not used: {_listed(evaluation.unused)}.")
    if evaluation.assumed_charge:
        lines.append(f"{counted(evaluation.assumed_charge, 'structure', 'do')} not tell the charge: 0 was assumed.")
    if evaluation.total_energies:
        lines.append("Energies are total: those of the model and of its atoms, compared as they are.")
    elif energy.structures:
        lines.append(
            "Energies are relative: the mean difference of all structures of one composition, charge and spin is "
            "taken off, because a model's energies have no common zero."
        )
    if evaluation.alone:
        lines.append(
            f"Alone in composition, charge and spin: {counted(evaluation.alone, 'structure')} with an energy, without "
            "a relative one, left out."
        )
    for name, errors in evaluation.properties.items():
        if errors.not_finite:
            named = _name(evaluation, name)
            lines.append(f"{counted(errors.not_finite, 'label', 'are')} no finite number, of {named}, and left out.")
    if evaluation.unusable:
        index, reason = evaluation.unusable[0]
        lines.append(
            f"{counted(len(evaluation.unusable), 'structure', 'were')} left out, the first is structure {index}: "
            f"{reason.rstrip('.')}."
        )
    if line := evaluation.stress_line():
        lines.append(line)
    if hint := evaluation.unit_hint():
        lines.append(f"Check the units: {hint}")
    return lines


def _shown(evaluation: Evaluation) -> dict[str, PropertyErrors]:
    """Energies, and the properties that some structure has a label of."""
    return {
        name: errors
        for name, errors in evaluation.properties.items()
        if name == "energy" or errors.found_as or errors.not_finite
    }


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return f"{', '.join(names[:_MOST_NAMES])}{more}"


def _name(evaluation: Evaluation, name: str) -> str:
    if name == "energy":
        return f"{'total' if evaluation.total_energies else 'relative'} energy"
    return NAMES[name]


def worst_table(evaluation: Evaluation, count: int = 5) -> Table | None:
    """The structures with the largest errors of forces; None without force labels."""
    ranked = sorted(
        (entry for entry in evaluation.structures if entry.forces_mae is not None),
        key=lambda entry: -(entry.forces_mae or 0),
    )
    if not ranked:
        return None
    table = _table("structure", "formula", "atoms", "forces MAE (eV/A)", "energy error (eV)")
    for entry in ranked[:count]:
        table.add_row(
            f"{entry.index}", entry.formula, f"{entry.atoms}", _number(entry.forces_mae), _number(entry.energy)
        )
    return table


def dimer_table(evaluation: DimerEvaluation) -> Table:
    """Errors of interaction energies at each relative distance and over all."""
    return _dimer_rows("distance", {f"{d:g}": errors for d, errors in evaluation.by_distance.items()}, evaluation)


def dimer_group_table(evaluation: DimerEvaluation) -> Table | None:
    """Errors of interaction energies of each group and over all; None without groups."""
    groups = evaluation.by_group
    return _dimer_rows("group", groups, evaluation) if groups else None


def crystal_table(evaluation: CrystalEvaluation) -> Table:
    """Lattice energies of each crystal, and their errors."""
    table = _table("crystal", "molecules", "reference (kcal/mol)", "predicted", "error", "volume (%)")
    for crystal in evaluation.crystals:
        error = None if crystal.reference is None else crystal.predicted - crystal.reference
        cells = (_number(crystal.reference), _number(crystal.predicted), _number(error))
        table.add_row(crystal.name, f"{crystal.molecules}", *cells, f"{100 * crystal.volume_change:+.1f}")
    return table


def crystal_notes(evaluation: CrystalEvaluation) -> list[str]:
    """Notes below the table."""
    lines, errors = [], evaluation.errors
    if len(errors):
        sums = ErrorSums().including(errors)
        lines.append(
            f"MAE {_number(sums.mae)}, RMSE {_number(sums.rmse)}, mean error {errors.mean():+.4g} kcal/mol of "
            f"{len(errors)} crystals."
        )
    open_ended = [crystal.name for crystal in evaluation.crystals if not crystal.converged]
    if open_ended:
        lines.append(f"Not relaxed to the end: {_listed(open_ended)}.")
    if evaluation.unusable:
        name, reason = evaluation.unusable[0]
        lines.append(f"Left out: {len(evaluation.unusable)}, the first is {name}: {reason.rstrip('.')}.")
    return lines


def dimer_notes(evaluation: DimerEvaluation) -> list[str]:
    """Notes below the tables."""
    lines = []
    if evaluation.unlabelled:
        lines.append(f"{counted(evaluation.unlabelled, 'dimer', 'have')} no reference.")
    if evaluation.unusable:
        names, reason = [name for name, _ in evaluation.unusable], evaluation.unusable[0][1].rstrip(".")
        lines.append(f"{counted(len(names), 'dimer', 'were')} left out ({_listed(names)}); the first: {reason}.")
    return lines


def _dimer_rows(heading: str, rows: Mapping[str, DimerErrors], evaluation: DimerEvaluation) -> Table:
    table = _table(heading, "dimers", "MAE (kcal/mol)", "RMSE (kcal/mol)", "mean error", "MAPE (%)")

    def add(label: str, errors: DimerErrors) -> None:
        cells = (_number(errors.mean), "-" if errors.relative.mae is None else f"{errors.relative.mae:.1f}")
        table.add_row(label, f"{errors.sums.count:,}", *_errors(errors.sums), *cells)

    for label, errors in rows.items():
        add(label, errors)
    table.add_section()
    add("all", evaluation.total)
    return table


def panels(evaluation: Evaluation) -> dict[str, Panel]:
    """One panel per property, for `helio.report.parity.plot_parity`."""
    return {
        name: Panel(
            _name(evaluation, name),
            errors.unit,
            errors.sample.pairs(),
            errors.total.mae,
            errors.total.rmse,
            errors.sample.seen,
        )
        for name, errors in _shown(evaluation).items()
    }


def dimer_panels(evaluation: DimerEvaluation) -> dict[str, Panel]:
    """The one panel of a set of dimers."""
    pairs = np.array([(d.reference, d.predicted) for d in evaluation.dimers if d.reference is not None])
    sums = evaluation.total.sums
    panel = Panel("interaction energy", "kcal/mol", pairs.reshape(-1, 2), sums.mae, sums.rmse, len(pairs))
    return {"interaction_energy": panel}


def _table(first: str, *others: str) -> Table:
    table = Table(box=SIMPLE_HEAD)
    table.add_column(first, no_wrap=True)
    for heading in others:
        table.add_column(heading, justify="left" if heading == "formula" else "right")
    return table


def _errors(sums: ErrorSums) -> tuple[str, str]:
    return _number(sums.mae), _number(sums.rmse)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"

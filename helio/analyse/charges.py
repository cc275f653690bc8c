"""Charges, Hirshfeld ratios and energy terms along time, per element and residue."""

from __future__ import annotations

import numpy as np

from helio.analyse.analysis import Analysis
from helio.analyse.frames import Frames
from helio.analyse.observable import Curve, Observable, Value
from helio.analyse.segments import waters
from helio.analyse.statistics import Blocks, few_notes, mean_and_error
from helio.errors import HelioError
from helio.files.trajectory import ENERGY

_QUANTITIES = {"charge": ("charge", "e"), "hirshfeld_ratio": ("Hirshfeld ratio", "")}
# Of what several residues share the name, and of water, only means over all are given beyond this many residues.
_MOST_RESIDUES = 200


def charges(frames: Frames) -> Observable:
    """Mean charges and Hirshfeld ratios of elements, charges of residues, and terms of the energy, along time.

    Args:
        frames: of a run that saved charges, hirshfeld_ratios or energy_terms.

    Raises:
        HelioError: the frames hold none of these.
    """
    present = [quantity for quantity in _QUANTITIES if frames.has(quantity)]
    terms = _terms(frames)
    if not present and not terms:
        raise HelioError(
            f"the frames of {frames.label} hold no charges, Hirshfeld ratios or energy terms; save them with "
            "`helio md --save charges,hirshfeld_ratios,energy_terms`"
        )
    groups = _elements(frames)
    residues = _residues(frames)
    series = {quantity: np.empty((len(frames), len(groups))) for quantity in present}
    per_residue = Blocks()
    energies = np.empty((len(frames), len(terms)))
    for i, moment in enumerate(frames):
        for quantity in present:
            array = np.asarray(moment.data[quantity], float)
            series[quantity][i] = [array[atoms].mean() for atoms in groups.values()]
        if "charge" in present and residues:
            per_residue.add(np.array([moment.data["charge"][atoms].sum() for atoms in residues.values()]))
        energies[i] = [float(moment.data[ENERGY + term]) for term in terms]
    values, curves = _of_elements(frames, groups, series)
    energy_values, energy_curves = _of_terms(frames, terms, energies)
    if "charge" in present and residues:
        curves.append(_of_residues(list(residues), per_residue))
    return Observable(
        name="charges",
        title="Charges, Hirshfeld ratios and energy terms",
        values=tuple(values + energy_values),
        curves=tuple(curves + energy_curves),
        notes=(
            f"{len(frames)} frames; energies relative to their mean in the figure." if terms else
            f"{len(frames)} frames.",
            *few_notes(column for array in [*series.values(), energies] for column in array.T),
        ),
        method="As the model predicted them along the run; means over the atoms of an element, sums over a residue.",
        runs=(frames.label,),
    )  # fmt: skip


def _terms(frames: Frames) -> list[str]:
    return sorted(name.removeprefix(ENERGY) for name in frames.first().data if name.startswith(ENERGY))


def _elements(frames: Frames) -> dict[str, np.ndarray]:
    """Numbers of the chosen atoms by element; those of water apart where there is more than water."""
    numbers, chosen = frames.atomic_numbers, frames.atoms.ix
    symbols = np.asarray(frames.universe.atoms.elements).astype(str)
    water = waters(frames).ravel()
    rest = np.setdiff1d(chosen, water)
    parts = {"": chosen} if len(rest) in (0, len(chosen)) else {"": rest, " in water": water}
    return {
        f"{symbols[numbers == number][0]}{suffix}": atoms[numbers[atoms] == number]
        for suffix, atoms in parts.items()
        for number in np.unique(numbers[atoms])
    }


def _residues(frames: Frames) -> dict[str, np.ndarray]:
    """Numbers of the chosen atoms by residue, water left out; empty if there is one residue, or very many."""
    atoms = np.setdiff1d(frames.atoms.ix, waters(frames).ravel())
    places = frames.universe.atoms.resindices[atoms]
    found = np.unique(places)
    if not 2 <= len(found) <= _MOST_RESIDUES:
        return {}
    residues = frames.universe.residues
    return {f"{i} {residues[i].resname} {residues[i].resid}": atoms[places == i] for i in found}


def _of_elements(
    frames: Frames, groups: dict[str, np.ndarray], series: dict[str, np.ndarray]
) -> tuple[list[Value], list[Curve]]:
    values, curves = [], []
    for quantity, found in series.items():
        words, unit = _QUANTITIES[quantity]
        for k, name in enumerate(groups):
            values.append(Value(f"{words} of {name}", *mean_and_error(found[:, k]), unit, note="mean over its atoms"))
            label = f"{words} ({unit})" if unit else words
            curves.append(Curve(f"{words} of {name}", frames.times_ps, found[:, k], None, "time (ps)", label))
    return values, curves


def _of_residues(names: list[str], blocks: Blocks) -> Curve:
    return Curve(
        "charge of residues",
        np.arange(1.0, len(names) + 1),
        blocks.mean(),
        blocks.error(),
        f"residue ({names[0].split(' ', 1)[1]} is 1)",
        "charge of the residue (e)",
    )


def _of_terms(frames: Frames, terms: list[str], energies: np.ndarray) -> tuple[list[Value], list[Curve]]:
    values = [Value(f"energy, {term}", *mean_and_error(energies[:, k]), "eV") for k, term in enumerate(terms)]
    curves = [
        Curve(f"energy, {term}", frames.times_ps, energies[:, k] - energies[:, k].mean(), None, "time (ps)",
              "energy beyond its mean (eV)")
        for k, term in enumerate(terms)
    ]  # fmt: skip
    return values, curves


ANALYSIS = Analysis(
    name="charges",
    title="Charges, Hirshfeld ratios and energy terms",
    help="Charges and Hirshfeld ratios of elements and residues, and terms of the energy, along time.",
    function=charges,
    fits=lambda frames: any(frames.has(quantity) for quantity in _QUANTITIES) or bool(_terms(frames)),
)

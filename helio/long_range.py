"""Choices of the long-range terms of a simulation, in one place for the command line and the force field."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, get_args

from helio.errors import HelioError

Electrostatics = Literal["shifted", "wolf", "ewald", "pme"]
DispersionTail = Literal["none", "isotropic", "mesh"]

LATTICE_SUMS = {"ewald": "Ewald", "pme": "particle mesh Ewald"}
ELECTROSTATICS_HELP = (
    "shifted: ends at the cutoff, as published; wolf: the same with Wolf's self-term, so that molecules stay what they "
    "are without a cutoff; ewald, or pme where large: the exact periodic sum."
)
DISPERSION_TAIL_HELP = (
    "Dispersion beyond the cutoff of a periodic system: none, as published; isotropic, for liquids; mesh, for crystals."
)
DEFAULT_REASON = (
    "shifted at the cutoff, as published and tested for liquids; --electrostatics wolf keeps molecules what they are "
    "without a cutoff: for crystals, and to compare boxes with molecules"
)


def check_long_range(electrostatics: str, dispersion_tail: str, *, fully_periodic: bool) -> None:
    """Raise `HelioError` for choices that there are not, and for those of a lattice where there is none."""
    _check_known(electrostatics, get_args(Electrostatics), "electrostatics")
    _check_known(dispersion_tail, get_args(DispersionTail), "the dispersion tail")
    if fully_periodic:
        return
    if electrostatics in LATTICE_SUMS:
        raise HelioError(
            f"{LATTICE_SUMS[electrostatics]} electrostatics needs a cell periodic in all three directions; use shifted "
            "or wolf otherwise"
        )
    if dispersion_tail != "none":
        raise HelioError(
            "dispersion beyond the cutoff needs a cell periodic in all three directions; leave --dispersion-tail out"
        )


def why_not_comparable(electrostatics: str, cutoffs: Iterable[float]) -> str | None:
    """Why energies computed with these long-range cutoffs (A) have no common zero; None where they have."""
    lengths = sorted(set(cutoffs))
    if electrostatics != "shifted" or len(lengths) < 2:
        return None
    return (
        f"electrostatics is shifted to zero at {lengths[0]:g} A in boxes and at {lengths[-1]:g} A in molecules, which "
        "are different potentials: energies of the two must not be subtracted (a lattice energy is off by 2 to 14 "
        "kcal/mol). With wolf electrostatics they are comparable"
    )


def _check_known(value: str, known: tuple[str, ...], name: str) -> None:
    if value not in known:
        raise HelioError(f"{name} must be {', '.join(known[:-1])} or {known[-1]}, not {value!r}")

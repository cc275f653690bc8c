"""The static dielectric constant from fluctuations of the dipole.

    eps = 1 + (<M^2> - <M>^2) / (3 eps_0 V k T)

for the dipole M of the box, surrounded by a conductor (Neumann, Mol. Phys. 50, 841 (1983)).
"""

from __future__ import annotations

import numpy as np

from helio.analyse.analysis import Analysis
from helio.analyse.dipoles import DEBYE, molecular_dipoles
from helio.analyse.frames import Frames
from helio.analyse.observable import Curve, Observable, Value
from helio.analyse.statistics import Blocks, inefficiency, mean_and_error
from helio.errors import HelioError
from helio.units import BOLTZMANN, COULOMB

_ENOUGH = 10.0  # independent values of the dipole, below which the result is doubted


def dielectric(frames: Frames, *, temperature_K: float | None = None) -> Observable:
    """Dielectric constant from the charges that the model gives the atoms.

    Args:
        frames: of a periodic system with charges, at least 20.
        temperature_K: by default the mean of the run's log.

    Raises:
        HelioError: no box, no charges, too few frames, or no temperature.
    """
    frames.need_box()
    frames.need("charge")
    frames.need_frames(20)
    if temperature_K is None:
        frames.need_log("temperature_K")
        temperature_K = float(frames.log["temperature_K"].mean())
    if temperature_K <= 0:
        raise HelioError(f"a temperature of {temperature_K:g} K makes no sense")
    dipoles = molecular_dipoles(frames)
    totals, sizes, charges, volumes = [], [], [], []
    for moment in frames:
        each = dipoles(moment)
        totals.append(each.sum(axis=0))
        sizes.append(float(np.linalg.norm(each, axis=1).mean()))
        charges.append(_molecular_charge(frames, moment))
        volumes.append(moment.volume)
    total, volume = np.array(totals), float(np.mean(volumes))
    # 1 / eps_0 = 4 pi COULOMB in eV A / e^2.
    factor = 4 * np.pi * COULOMB / (3 * volume * BOLTZMANN * temperature_K)
    value, error, effective = _fluctuation(total, factor)
    return Observable(
        name="dielectric",
        title="Dielectric constant",
        values=(
            Value("dielectric constant", value, error, "", f"{effective:.0f} independent dipoles"),
            Value("dipole of a molecule", *mean_and_error(np.array(sizes) / DEBYE), "D"),
            Value("charge of a molecule, root mean square", *mean_and_error(np.array(charges)), "e"),
        ),
        curves=(_running(frames.times_ps, total, factor),),
        notes=_notes(temperature_K, effective),
        method="Fluctuation of the box's dipole, the sum over molecules about their centres of mass (Neumann, Mol. "
        "Phys. 50, 841 (1983)); error by the jackknife over twenty parts of the time.",
        runs=(frames.label,),
    )


def _fluctuation(total: np.ndarray, factor: float) -> tuple[float, float, float]:
    """The constant, its error, and the number of independent dipoles."""
    blocks = Blocks()
    for dipole in total:
        blocks.add(np.array([*dipole, dipole @ dipole]))
    value, error = blocks.jackknife(lambda mean: np.asarray(1 + factor * (mean[3] - mean[:3] @ mean[:3])))
    effective = float(np.mean([len(total) / inefficiency(total[:, axis]) for axis in range(3)]))
    return float(value), float(error), effective


def _molecular_charge(frames: Frames, moment) -> float:
    """Root mean square over molecules."""
    charges = np.bincount(frames.molecules, np.asarray(moment.data["charge"], float))
    return float(np.sqrt(np.mean(charges**2)))


def _running(times: np.ndarray, total: np.ndarray, factor: float) -> Curve:
    count = np.arange(1, len(total) + 1)
    mean = np.cumsum(total, axis=0) / count[:, None]
    squares = np.cumsum((total**2).sum(axis=1)) / count
    values = 1 + factor * (squares - (mean**2).sum(axis=1))
    shown = np.unique(np.linspace(min(9, len(total) - 1), len(total) - 1, 500).astype(int))
    return Curve("dielectric constant", times[shown], values[shown], None, "t (ps)", "dielectric constant up to t")


def _notes(temperature: float, effective: float) -> tuple[str, ...]:
    notes = [
        f"At {temperature:.1f} K. The box is taken as surrounded by a conductor, as it is with Ewald sums; with "
        "electrostatics cut off at some distance this is an approximation. Electronic polarisation counts as far as "
        "the model's charges follow it."
    ]
    if effective < _ENOUGH:
        notes.append("The dipole has hardly turned in this time: the value and its error are not to be trusted.")
    return tuple(notes)


ANALYSIS = Analysis(
    name="dielectric",
    title="Dielectric constant",
    help="Static dielectric constant from the model's charges.",
    function=dielectric,
    fits=lambda frames: (
        frames.has_box()
        and len(frames) >= 20
        and frames.has("charge")
        and "temperature_K" in frames.log
        and int(frames.molecules.max()) >= 9
    ),
)

"""Hydrogen bonds of the solute with itself and with water, along time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from helio.analyse.analysis import Analysis
from helio.analyse.frames import Frames
from helio.analyse.observable import Curve, Observable, Value
from helio.analyse.segments import solute, waters
from helio.analyse.statistics import few_notes, mean_and_error
from helio.errors import HelioError

# N, O, F, S, Cl carry hydrogens that are donated and take them up, but a nitrogen with four bonds does not.
_POLAR = (7, 8, 9, 16, 17)
_KINDS: tuple[str, ...] = ("solute - solute", "solute → water", "water → solute")


@dataclass(frozen=True)
class _Partners:
    """Numbers of atoms in the universe."""

    donors: np.ndarray  # (D,) heavy atoms, as often as they carry hydrogens
    hydrogens: np.ndarray  # (D,)
    acceptors: np.ndarray  # (A,)


def hydrogen_bonds(frames: Frames, *, distance_A: float = 3.5, angle_deg: float = 150.0) -> Observable:
    """Numbers of hydrogen bonds within the solute, from it to water and from water to it, along time.

    D-H...A is a bond where D and A (N, O, F, S, Cl) are within `distance_A` and the angle at H is `angle_deg` or more.

    Args:
        frames: with a solute that has polar atoms.
        distance_A: largest distance between donor and acceptor.
        angle_deg: least angle D-H-A.

    Raises:
        HelioError: there is no solute with polar atoms, or the criteria are beyond reason.
    """
    if not (distance_A > 0 and 0 <= angle_deg < 180):
        raise HelioError(
            f"hydrogen bonds need a distance above 0 and an angle of 0 to 180°, not {distance_A:g} A and {angle_deg:g}°"
        )
    own = _partners(frames, solute(frames))
    if len(own.acceptors) == 0:
        raise HelioError(f"{frames.label} holds no solute with N, O, F, S or Cl")
    water = _partners(frames, waters(frames).ravel())
    pairs = [(own, own), (own, water), (water, own)] if len(water.acceptors) else [(own, own)]
    criterion = {"distance": distance_A, "angle": angle_deg}
    counts = np.empty((len(frames), len(pairs)))
    for i, moment in enumerate(frames):
        counts[i] = [
            len(bonded(moment.positions, giving.donors, giving.hydrogens, taking.acceptors,
                       dimensions=moment.dimensions, **criterion))
            for giving, taking in pairs
        ]  # fmt: skip
    series = dict(zip(_KINDS, counts.T, strict=False))
    if len(pairs) > 1:
        series["solute - water"] = counts[:, 1] + counts[:, 2]
    return Observable(
        name="hydrogen_bonds",
        title="Hydrogen bonds",
        values=tuple(Value(name, *mean_and_error(found), note="mean number") for name, found in series.items()),
        curves=tuple(
            Curve(name, frames.times_ps, found, None, "time (ps)", "hydrogen bonds") for name, found in series.items()
        ),
        notes=(
            f"{len(frames)} frames; the solute has {len(own.hydrogens)} polar hydrogens and {len(own.acceptors)} "
            f"acceptors, there are {len(water.acceptors)} waters.",
            *few_notes(series.values()),
        ),
        method=f"D-H...A with D-A within {distance_A:g} Å and an angle at H of at least {angle_deg:g}°.",
        runs=(frames.label,),
    )


def bonded(
    positions: np.ndarray,
    donors: np.ndarray,
    hydrogens: np.ndarray,
    acceptors: np.ndarray,
    *,
    distance: float,
    angle: float,
    dimensions: np.ndarray | None = None,
) -> np.ndarray:
    """Hydrogen bonds in one frame.

    Args:
        positions: of all atoms, (n, 3).
        donors: the heavy atom of each hydrogen, (D,).
        hydrogens: (D,).
        acceptors: (A,), each once.
        distance: largest between donor and acceptor, in A.
        angle: least, D-H-A, in degrees.
        dimensions: of the box, as in MDAnalysis.

    Returns:
        Donor, hydrogen and acceptor of each bond, (B, 3).
    """
    from MDAnalysis.lib.distances import calc_angles, capped_distance

    if len(donors) == 0 or len(acceptors) == 0:
        return np.empty((0, 3), int)
    near = capped_distance(
        positions[donors], positions[acceptors], max_cutoff=distance, box=dimensions, return_distances=False
    )
    found = np.column_stack([donors[near[:, 0]], hydrogens[near[:, 0]], acceptors[near[:, 1]]])
    found = found[found[:, 0] != found[:, 2]]
    d, h, a = (positions[atoms] for atoms in found.T)
    return found[np.degrees(calc_angles(d, h, a, box=dimensions)) >= angle]


def _partners(frames: Frames, atoms: np.ndarray) -> _Partners:
    numbers = frames.atomic_numbers
    bonds = np.asarray(frames.universe.bonds.indices).reshape(-1, 2)
    both = np.concatenate([bonds, bonds[:, ::-1]])
    among = np.zeros(len(numbers), bool)
    among[atoms] = True
    polar = among & np.isin(numbers, _POLAR)
    giving = both[polar[both[:, 0]] & (numbers[both[:, 1]] == 1)]
    degree = np.bincount(bonds.ravel(), minlength=len(numbers))
    taking = np.flatnonzero(polar & ~((numbers == 7) & (degree >= 4)))
    return _Partners(giving[:, 0], giving[:, 1], taking)


def _fits(frames: Frames) -> bool:
    own = _partners(frames, solute(frames))
    return len(own.hydrogens) > 0 and len(own.acceptors) > 0


ANALYSIS = Analysis(
    name="hydrogen_bonds",
    title="Hydrogen bonds",
    help="Numbers of hydrogen bonds within the solute and between it and water, along time.",
    function=hydrogen_bonds,
    fits=_fits,
)

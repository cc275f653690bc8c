"""Free energies over the torsions phi and psi of the bonds between sugars."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from helio.analyse.analysis import Analysis
from helio.analyse.frames import Frames
from helio.analyse.observable import Observable
from helio.analyse.sugars import find_glycosidic_bonds, glycosidic_bonds
from helio.analyse.temperature import common_temperature
from helio.analyse.torsions import free_energy_map, population_notes, populations, torsion_pairs

# In degrees, of either torsion; trans goes on beyond 180.
BASINS: dict[str, tuple[float, float]] = {"g+": (0.0, 120.0), "t": (120.0, 240.0), "g-": (-120.0, 0.0)}


def glycosidic(runs: Frames | Sequence[Frames], *, bins: int = 36, temperature_K: float | None = None) -> Observable:
    """Free-energy maps of phi and psi of each glycosidic bond, in kcal/mol, with populations of basins.

    Args:
        runs: of the same sugars, which are found by bonds, so that names do not matter; maps are of all their frames.
        bins: in each direction.
        temperature_K: by default that of the runs.

    Raises:
        HelioError: there is no bond between sugars, or nothing says the temperature.
    """
    trajectories = [runs] if isinstance(runs, Frames) else list(runs)
    bonds = glycosidic_bonds(trajectories[0])
    temperature, note = common_temperature(trajectories, temperature_K)
    angles = [torsion_pairs(frames, [(bond.phi, bond.psi) for bond in bonds]) for frames in trajectories]
    phi, psi = (np.concatenate([pair[k] for pair in angles]) for k in range(2))
    series = {
        f"phi {first} psi {second}, {bond.name}": [
            (in_basin(first, one[:, i]) & in_basin(second, other[:, i])).astype(float) for one, other in angles
        ]
        for i, bond in enumerate(bonds)
        for first in BASINS
        for second in BASINS
    }
    return Observable(
        name="glycosidic",
        title="Torsions of glycosidic bonds",
        values=populations(series),
        maps=tuple(
            free_energy_map(bond.name, phi[:, i], psi[:, i], temperature_K=temperature, bins=bins)
            for i, bond in enumerate(bonds)
        ),
        notes=(
            note,
            f"{len(phi)} frames, bins of {360 / bins:g}°; zero is the lowest bin.",
            "Basins are thirds of the circle for phi and for psi: g+ 0 to 120°, t 120 to 240°, g- -120 to 0°.",
            *population_notes(series),
        ),
        method="phi is O5-C1-O-Cx and psi is C1-O-Cx-C(x-1), as in IUPAC-IUB, Eur. J. Biochem. 131, 5 (1983).",
        runs=tuple(frames.label for frames in trajectories),
    )


def in_basin(name: str, angle: np.ndarray) -> np.ndarray:
    """Whether an angle in degrees is in the basin of this name, of the same shape."""
    low, high = BASINS[name]
    return (angle - low) % 360.0 < high - low


ANALYSIS = Analysis(
    name="glycosidic",
    title="Torsions of glycosidic bonds",
    help="Free energy over phi and psi of the bonds between sugars, and populations of basins.",
    function=glycosidic,
    fits=lambda frames: bool(find_glycosidic_bonds(frames)),
    together=True,
)

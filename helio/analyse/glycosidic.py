"""Free energies over the torsions phi and psi of the bonds between sugars."""

from __future__ import annotations

import numpy as np

from helio.analyse.analysis import Analysis
from helio.analyse.frames import Frames
from helio.analyse.observable import Observable, Value
from helio.analyse.statistics import mean_and_error
from helio.analyse.sugars import find_glycosidic_bonds, glycosidic_bonds
from helio.analyse.temperature import run_temperature
from helio.analyse.torsions import free_energy_map, torsion_angles
from helio.errors import HelioError

# In degrees, of either torsion; trans goes on beyond 180.
BASINS: dict[str, tuple[float, float]] = {"g+": (0.0, 120.0), "t": (120.0, 240.0), "g-": (-120.0, 0.0)}


def glycosidic(frames: Frames, *, bins: int = 36, temperature_K: float | None = None) -> Observable:
    """Free-energy maps of phi and psi of each glycosidic bond, in kcal/mol, with populations of basins.

    Args:
        frames: of sugars; found by bonds, so that names do not matter.
        bins: in each direction.
        temperature_K: by default that of the run.

    Raises:
        HelioError: there is no bond between sugars, or nothing says the temperature.
    """
    if bins < 4:
        raise HelioError(f"a map needs at least 4 bins in each direction, not {bins}")
    bonds = glycosidic_bonds(frames)
    temperature, note = run_temperature(frames, temperature_K)
    angles = torsion_angles(frames, [atoms for bond in bonds for atoms in (bond.phi, bond.psi)])
    phi, psi = angles[:, ::2], angles[:, 1::2]
    maps, values = [], []
    for i, bond in enumerate(bonds):
        maps.append(free_energy_map(bond.name, phi[:, i], psi[:, i], temperature_K=temperature, bins=bins))
        values += _populations(bond.name, phi[:, i], psi[:, i])
    return Observable(
        name="glycosidic",
        title="Torsions of glycosidic bonds",
        values=tuple(values),
        maps=tuple(maps),
        notes=(
            note,
            f"{len(frames)} frames, bins of {360 / bins:g}°; zero is the lowest bin.",
            "Basins are thirds of the circle for phi and for psi: g+ 0 to 120°, t 120 to 240°, g- -120 to 0°.",
        ),
        method="phi is O5-C1-O-Cx and psi is C1-O-Cx-C(x-1), as in IUPAC-IUB, Eur. J. Biochem. 131, 5 (1983).",
        runs=(frames.label,),
    )


def _populations(bond: str, phi: np.ndarray, psi: np.ndarray) -> list[Value]:
    """Shares of the frames in all nine basins; the error is unknown where it is none or all."""
    values = []
    for first, (low, high) in BASINS.items():
        for second, (lower, upper) in BASINS.items():
            inside = ((phi - low) % 360.0 < high - low) & ((psi - lower) % 360.0 < upper - lower)
            mean, error = mean_and_error(inside.astype(float))
            name = f"phi {first} psi {second}, {bond}"
            values.append(Value(name, mean, error if 0 < mean < 1 else float("nan"), note="population"))
    return values


ANALYSIS = Analysis(
    name="glycosidic",
    title="Torsions of glycosidic bonds",
    help="Free energy over phi and psi of the bonds between sugars, and populations of basins.",
    function=glycosidic,
    fits=lambda frames: bool(find_glycosidic_bonds(frames)),
)

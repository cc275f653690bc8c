"""Free energies over the backbone's torsions phi and psi, and how often each residue is in which basin."""

from __future__ import annotations

import numpy as np

from helio.analyse.analysis import Analysis
from helio.analyse.backbone import backbone, find_backbone
from helio.analyse.frames import Frames
from helio.analyse.observable import Observable, Value
from helio.analyse.statistics import mean_and_error
from helio.analyse.temperature import run_temperature
from helio.analyse.torsions import free_energy_map, torsion_angles
from helio.errors import HelioError

# In degrees: phi from, to, psi from, to, going on beyond 180. Those of Best, Buchete and Hummer, Biophys. J. 95, L07
# (2008), beta across phi = 180 for every psi; what is left of positive phi is one basin here.
BASINS: dict[str, tuple[float, float, float, float]] = {
    "alpha": (-160.0, -20.0, -120.0, 50.0),
    "beta": (160.0, 270.0, 50.0, 240.0),
    "PPII": (-90.0, -20.0, 50.0, 240.0),
    "phi > 0": (0.0, 160.0, -180.0, 180.0),
}


def ramachandran(
    frames: Frames, *, bins: int = 36, each: bool = True, temperature_K: float | None = None
) -> Observable:
    """Free-energy maps of phi and psi, in kcal/mol, of all residues together and of each, and populations of basins.

    Args:
        frames: of a peptide or protein whose residues are named.
        bins: in each direction.
        each: also maps of each residue.
        temperature_K: by default that of the run.

    Raises:
        HelioError: there is no residue with phi and psi, or nothing says the temperature.
    """
    if bins < 4:
        raise HelioError(f"a map needs at least 4 bins in each direction, not {bins}")
    residues = [residue for residue in backbone(frames) if residue.phi_psi is not None]
    if not residues:
        raise HelioError(f"no residue of {frames.label} has both neighbours, which phi and psi need")
    temperature, note = run_temperature(frames, temperature_K)
    names = [residue.name for residue in residues]
    torsions = [residue.phi_psi for residue in residues if residue.phi_psi is not None]
    angles = torsion_angles(frames, [atoms for pair in torsions for atoms in pair])
    phi, psi = angles[:, ::2], angles[:, 1::2]
    settings = {"temperature_K": temperature, "bins": bins}
    maps = [free_energy_map("all residues", phi, psi, **settings)]
    if each and len(names) > 1:
        maps += [free_energy_map(name, phi[:, i], psi[:, i], **settings) for i, name in enumerate(names)]
    return Observable(
        name="ramachandran",
        title="Ramachandran maps",
        values=tuple(_populations(names, phi, psi)),
        maps=tuple(maps),
        notes=(note, f"{len(frames)} frames, {len(names)} residues, bins of {360 / bins:g}°; zero is the lowest bin."),
        method="Torsions C-N-CA-C and N-CA-C-N; basins after Best, Buchete and Hummer, Biophys. J. 95, L07 (2008).",
        runs=(frames.label,),
    )


def in_basin(name: str, phi: np.ndarray, psi: np.ndarray) -> np.ndarray:
    """Whether angles in degrees are in the basin of this name, of the same shape as they."""
    low, high, lower, upper = BASINS[name]
    return ((phi - low) % 360.0 < high - low) & ((psi - lower) % 360.0 < upper - lower)


def _populations(names: list[str], phi: np.ndarray, psi: np.ndarray) -> list[Value]:
    """Of all residues and of each; the error is unknown where no frame, or every frame, is in the basin."""
    values = []
    for basin in BASINS:
        inside = in_basin(basin, phi, psi)
        series = {"all residues": inside.mean(axis=1)}
        if len(names) > 1:
            series |= {name: inside[:, i].astype(float) for i, name in enumerate(names)}
        for name, shares in series.items():
            mean, error = mean_and_error(shares)
            values.append(Value(f"{basin}, {name}", mean, error if 0 < mean < 1 else float("nan"), note="population"))
    return values


def _fits(frames: Frames) -> bool:
    return any(residue.phi_psi is not None for residue in find_backbone(frames))


ANALYSIS = Analysis(
    name="ramachandran",
    title="Ramachandran maps",
    help="Free energy over phi and psi of a peptide's backbone, and populations of its basins.",
    function=ramachandran,
    fits=_fits,
)

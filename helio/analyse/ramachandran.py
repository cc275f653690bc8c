"""Free energies over the backbone's torsions phi and psi, and how often each residue is in which basin."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from helio.analyse.analysis import Analysis
from helio.analyse.backbone import backbone, find_backbone
from helio.analyse.frames import Frames
from helio.analyse.observable import Observable
from helio.analyse.temperature import common_temperature
from helio.analyse.torsions import free_energy_map, population_notes, populations, torsion_pairs
from helio.errors import HelioError

# In degrees: phi from, to, psi from, to, going on beyond 180. Those of Best, Buchete and Hummer, Biophys. J. 95, L07
# (2008), beta across phi = 180 for every psi; what is left of positive phi is one basin here.
BASINS: dict[str, tuple[float, float, float, float]] = {
    "alpha": (-160.0, -20.0, -120.0, 50.0),
    "beta": (160.0, 270.0, 50.0, 240.0),
    "PPII": (-90.0, -20.0, 50.0, 240.0),
    "phi > 0": (0.0, 160.0, -180.0, 180.0),
}

# By default each residue has maps of its own where there are no more than this.
_MOST_EACH = 8


def ramachandran(
    runs: Frames | Sequence[Frames], *, bins: int = 36, each: bool | None = None, temperature_K: float | None = None
) -> Observable:
    """Free-energy maps of phi and psi, in kcal/mol, of all residues together and of each, and populations of basins.

    Args:
        runs: of one peptide or protein whose residues are named; maps are of all their frames.
        bins: in each direction.
        each: also maps and populations of each residue; by default of up to eight.
        temperature_K: by default that of the runs.

    Raises:
        HelioError: there is no residue with phi and psi, or nothing says the temperature.
    """
    trajectories = [runs] if isinstance(runs, Frames) else list(runs)
    torsions = _torsions(trajectories[0])
    temperature, note = common_temperature(trajectories, temperature_K)
    angles = [torsion_pairs(frames, list(torsions.values())) for frames in trajectories]
    phi, psi = (np.concatenate([pair[k] for pair in angles]) for k in range(2))
    settings = {"temperature_K": temperature, "bins": bins}
    maps = [free_energy_map("all residues", phi, psi, **settings)]
    series = {f"{basin}, all residues": [_inside(pair, basin).mean(axis=1) for pair in angles] for basin in BASINS}
    if len(torsions) > 1 and (each if each is not None else len(torsions) <= _MOST_EACH):
        maps += [free_energy_map(name, phi[:, i], psi[:, i], **settings) for i, name in enumerate(torsions)]
        series |= {
            f"{basin}, {name}": [_inside(pair, basin)[:, i].astype(float) for pair in angles]
            for basin in BASINS
            for i, name in enumerate(torsions)
        }
    return Observable(
        name="ramachandran",
        title="Ramachandran maps",
        values=populations(series),
        maps=tuple(maps),
        notes=(
            note,
            f"{len(phi)} frames, {len(torsions)} residues, bins of {360 / bins:g}°; zero is the lowest bin.",
            *population_notes(series),
        ),
        method="Torsions C-N-CA-C and N-CA-C-N; basins after Best, Buchete and Hummer, Biophys. J. 95, L07 (2008).",
        runs=tuple(frames.label for frames in trajectories),
    )


def in_basin(name: str, phi: np.ndarray, psi: np.ndarray) -> np.ndarray:
    """Whether angles in degrees are in the basin of this name, of the same shape as they."""
    low, high, lower, upper = BASINS[name]
    return ((phi - low) % 360.0 < high - low) & ((psi - lower) % 360.0 < upper - lower)


def _inside(angles: tuple[np.ndarray, np.ndarray], basin: str) -> np.ndarray:
    return in_basin(basin, *angles)


def _torsions(frames: Frames) -> dict[str, tuple[tuple[int, ...], tuple[int, ...]]]:
    """Atoms of phi and psi by the name of the residue, with the chain's number where names are not unique."""
    residues = [residue for residue in backbone(frames) if residue.phi_psi is not None]
    if not residues:
        raise HelioError(f"no residue of {frames.label} has both neighbours, which phi and psi need")
    unique = len({residue.name for residue in residues}) == len(residues)
    return {
        residue.name if unique else f"{residue.name} of chain {residue.chain + 1}": residue.phi_psi
        for residue in residues
        if residue.phi_psi is not None
    }


def _fits(frames: Frames) -> bool:
    return any(residue.phi_psi is not None for residue in find_backbone(frames))


ANALYSIS = Analysis(
    name="ramachandran",
    title="Ramachandran maps",
    help="Free energy over phi and psi of a peptide's backbone, and populations of its basins.",
    function=ramachandran,
    fits=_fits,
    together=True,
)

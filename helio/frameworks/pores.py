"""Pores of a crystal by Zeo++ (pyzeo): diameters of spheres, accessible surface and volume.

Willems, Rycroft, Kazi, Meza, Haranczyk, Microporous Mesoporous Mater. 149, 134 (2012). Atoms have Zeo++'s default radii
(the Cambridge Crystallographic Data Centre's). What no channel leads to is not counted.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from helio.errors import HelioError
from helio.frameworks.cif import write_cif
from helio.frameworks.crystal import Crystal, density
from helio.frameworks.silence import ERRORS, OUTPUT, silent
from helio.packages import need

_SHAKE = 1e-3  # A
PROBE = 1.2755  # A, the probe of surface and volume: helium's radius
_VOLUME_SAMPLES = 20_000  # points in the cell: an error of the void fraction of 0.003
_SURFACE_SAMPLES = 100  # points on the sphere of each atom: an error below 1 % for 100 atoms


def pore_labels(crystal: Crystal, *, probe: float = PROBE) -> dict[str, float]:
    """Pore figures of a crystal, as labels of a framework.

    Args:
        crystal: any.
        probe: radius of the sphere that surface and volume are probed with, A.

    Returns:
        `largest_cavity_diameter` and `pore_limiting_diameter` (A), `surface_area` (m2/g), `void_fraction` (of the
        volume that the probe's centre reaches), `density` (g/cm3).

    Raises:
        HelioError: pyzeo is not installed, or cannot make anything of the crystal.
    """
    pyzeo = need("pyzeo", extra="frameworks")
    with TemporaryDirectory() as folder, silent(OUTPUT, ERRORS):
        path, spheres = Path(folder) / "crystal.cif", Path(folder) / "crystal.res"
        write_cif(path, Crystal("crystal", crystal.cell, crystal.numbers, _shaken(crystal), *_no_bonds(crystal)))
        network = pyzeo.AtomNetwork.read_from_CIF(str(path), rad_flag=True)
        network.calculate_free_sphere_parameters(str(spheres))
        diameters = spheres.read_text().split()[1:]
        volume = pyzeo.volume(network, probe, probe, _VOLUME_SAMPLES)
        surface = pyzeo.surface_area(network, probe, probe, _SURFACE_SAMPLES)
    try:
        return {
            "largest_cavity_diameter": float(diameters[0]),
            "pore_limiting_diameter": float(diameters[1]),
            "surface_area": _figure(surface, "ASA_m^2/g:"),
            "void_fraction": _figure(volume, "AV_Volume_fraction:"),
            "density": density(crystal),
        }
    except (ValueError, IndexError) as error:
        raise HelioError(f"Zeo++ found no pores in {crystal.name}: it gave no figures") from error


def _shaken(crystal: Crystal) -> np.ndarray:
    """Positions (N, 3) off their places of symmetry, where Zeo++ may end the process for faces without area."""
    return crystal.positions + np.random.default_rng(0).normal(0.0, _SHAKE, crystal.positions.shape)


def _no_bonds(crystal: Crystal) -> tuple:
    return crystal.bonds[:0], crystal.images[:0]


def _figure(answer: bytes | str, name: str) -> float:
    words = (answer.decode() if isinstance(answer, bytes) else answer).split()
    return float(words[words.index(name) + 1])

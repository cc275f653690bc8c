"""How elements look: colours and radii."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from ase.data import chemical_symbols, covalent_radii, vdw_radii
from ase.data.colors import jmol_colors

# Chosen to be told apart on white and on black; the others have the colours of Jmol, as ASE tabulates them.
_COLORS = {
    1: "#e6e8ec",
    6: "#5b6470",
    7: "#3f6fe0",
    8: "#e2493f",
    9: "#63b84a",
    11: "#9a6be0",
    12: "#3f9d4f",
    15: "#ee8a2b",
    16: "#e3bd2c",
    17: "#35b558",
    19: "#8a52cf",
    20: "#5aa860",
    30: "#7d86b8",
    35: "#a8533a",
    53: "#8a43a0",
}
_UNKNOWN = 2.0  # A, van der Waals radius of elements without a known one


@dataclass(frozen=True)
class Look:
    """Of one element; radii in A."""

    symbol: str
    color: str  # #rrggbb
    ball: float  # in ball and stick
    sphere: float  # van der Waals
    covalent: float

    def rgb(self) -> np.ndarray:
        """The colour as three numbers from 0 to 1."""
        return np.array([int(self.color[i : i + 2], 16) / 255 for i in (1, 3, 5)])


def look(number: int) -> Look:
    """How the element of an atomic number is drawn."""
    red, green, blue = (round(255 * float(part)) for part in jmol_colors[number])
    covalent, sphere = float(covalent_radii[number]), float(vdw_radii[number])
    return Look(
        symbol=chemical_symbols[number],
        color=_COLORS.get(number, f"#{red:02x}{green:02x}{blue:02x}"),
        ball=round(0.18 + 0.3 * covalent, 3),
        sphere=sphere if np.isfinite(sphere) else _UNKNOWN,
        covalent=covalent,
    )

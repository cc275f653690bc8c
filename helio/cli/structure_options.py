"""Options of every command that reads a structure."""

from __future__ import annotations

from helio.errors import HelioError

FRAME_HELP = (
    "Structure of the file, from 1, -1 for the last; by default the first of pdb, cif, mol2 and sdf, else the last."
)
ALTLOC_HELP = "Alternate location to take: a letter, or largest for that of the largest occupancy."


def frame_number(frame: str | int | None) -> int | None:
    """The number that the option --frame gives; `HelioError` for what is none."""
    try:
        return None if frame is None else int(frame)
    except ValueError:
        raise HelioError(f"--frame must be the number of a structure in the file, from 1, not {frame!r}") from None

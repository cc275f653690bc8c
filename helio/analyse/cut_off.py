"""Binary trajectories that end inside a frame, of which readers give the whole ones without a word.

A copy that broke off, or a program that was killed, leaves such files. Formats: XTC as in the XDR library of GROMACS,
DCD as in CHARMM and NAMD.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

_XTC_HEADER = 56  # bytes before the coordinates: four numbers, the box, the number of atoms
_XTC_FEW_ATOMS = 9  # up to which coordinates are not compressed
_XTC_COMPRESSED = 32  # bytes between the header and the length of what is compressed
_XTC_LONG = 2023  # the first number of files whose lengths have eight bytes


def whole_frames(path: Path, universe: Any) -> tuple[int, str | None]:
    """Number of whole frames, and in one sentence what is wrong with a file that ends inside another; None if none."""
    frames = len(universe.trajectory)
    reader = getattr(universe.trajectory, "reader", universe.trajectory)  # of all atoms, where some are left out
    left = {".xtc": _left_of_xtc, ".dcd": _left_of_dcd}.get(path.suffix.lower(), lambda *_: 0)(path, reader)
    if left == 0:
        return frames, None
    frames -= left < 0  # the last one is counted by the reader
    return frames, f"{path} is cut off: its last frame is not whole and left out; {frames} frames are there"


def _left_of_xtc(path: Path, reader: Any) -> int:
    """Bytes after the last frame that the reader counts; negative if this one is not whole."""
    begin = int(reader._xdr.offsets[-1])
    with path.open("rb") as file:
        file.seek(begin)
        header = file.read(_XTC_HEADER + _XTC_COMPRESSED + 8)
    if len(header) < _XTC_HEADER:
        return -1
    magic, atoms = struct.unpack(">ii", header[:8])
    end = begin + _XTC_HEADER + 12 * atoms
    if atoms > _XTC_FEW_ATOMS:
        width, kind = (8, ">q") if magic == _XTC_LONG else (4, ">i")
        length = header[_XTC_HEADER + _XTC_COMPRESSED :][:width]
        if len(length) < width:
            return -1
        end = begin + _XTC_HEADER + _XTC_COMPRESSED + width + -(-struct.unpack(kind, length)[0] // 4) * 4
    return path.stat().st_size - end


def _left_of_dcd(path: Path, reader: Any) -> int:
    """Zero if the file ends with the length of a record of one coordinate; the reader counts whole frames."""
    with path.open("rb") as file:
        file.seek(-4, 2)
        last = file.read(4)
    return int(all(struct.unpack(order + "i", last)[0] != 4 * reader.n_atoms for order in "<>"))

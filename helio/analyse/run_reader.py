"""A run's `trajectory.h5md` as a reader of MDAnalysis.

MDAnalysis has a reader of its own for H5MD. This one also hands out charges and Hirshfeld ratios, turns cells of any
orientation into the one that MDAnalysis assumes (positions, velocities and forces along with them), gives it a cell in
which no image along an open direction is near, says where frames are missing, and reads many frames at once, which is
what makes going through small systems fast.

In `Timestep.data`: `charge` (n,) in e, `hirshfeld_ratio` (n,), `energy_...` in eV, `step`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import h5py
import numpy as np
from MDAnalysis.coordinates.base import ReaderBase
from MDAnalysis.lib.mdamath import triclinic_vectors

from helio.errors import HelioError, reason
from helio.files.hdf5 import READING
from helio.files.orientation import cell_for_images, standard_orientation
from helio.files.trajectory import check_trajectory, open_trajectory

_BUFFER_BYTES = 16_000_000
_VECTORS = {"position": "positions", "velocity": "velocities", "force": "forces"}
_MORE = ("charge", "hirshfeld_ratio")


class RunReader(ReaderBase):
    """Frames of a run folder; given as `format` to `MDAnalysis.Universe`."""

    format = "HELIO"
    units: ClassVar[dict[str, str]] = {
        "time": "ps",
        "length": "Angstrom",
        "velocity": "Angstrom/ps",
        "force": "kJ/(mol*Angstrom)",
    }

    def __init__(self, filename: str | Path, **settings: Any) -> None:
        super().__init__(str(filename), **settings)
        self._open()
        self.ts = self._Timestep(
            self.n_atoms, velocities=self.has("velocity"), forces=self.has("force"), **self._ts_kwargs
        )
        self._read_next_timestep()

    def has(self, name: str) -> bool:
        """Whether frames hold the quantity `name` (of `helio.files.trajectory`)."""
        return name in self._datasets

    @property
    def n_frames(self) -> int:
        """Number of frames."""
        return len(self.times)

    @staticmethod
    def parse_n_atoms(filename: str, **_: Any) -> int:
        """Number of atoms in a frame."""
        with open_trajectory(Path(filename)) as file:
            return int(file["particles/all/position/value"].shape[1])

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _open(self) -> None:
        with self._reading("the frames"):
            self._file: Any = h5py.File(self.filename)
            check_trajectory(self._file, Path(self.filename))
            group = self._file["particles/all"]
            self._datasets = {name: group[f"{name}/value"] for name in (*_VECTORS, *_MORE) if name in group}
            self.times = np.asarray(group["position/time"], float)
            self._steps = np.asarray(group["position/step"])
            self.n_atoms = int(self._datasets["position"].shape[1])
            if (lost := np.flatnonzero(np.isnan(self.times))).size:
                raise self._lost(int(lost[0]))
            if "edges" in group["box"]:
                self._datasets["edges"] = group["box/edges/value"]
            for name, observable in (self._file.get("observables") or {}).items():
                self._datasets[name] = observable["value"]
            self._check_shapes()
        self._per_read = max(1, int(_BUFFER_BYTES / sum(d.nbytes / max(1, len(d)) for d in self._datasets.values())))
        self._pbc = [kind in ("periodic", b"periodic") for kind in group["box"].attrs["boundary"]]
        self._cell: np.ndarray | None = None
        self._buffer: dict[str, np.ndarray] = {}
        self._buffered = range(0)
        self._last = -1

    def _check_shapes(self) -> None:
        """Raise `ValueError` unless each quantity has the same frames and atoms, and is made of numbers."""
        frames, atoms = len(self.times), self.n_atoms
        shapes = dict.fromkeys(_VECTORS, (frames, atoms, 3)) | dict.fromkeys(_MORE, (frames, atoms))
        shapes["edges"] = frames, 3, 3
        for name, data in self._datasets.items():
            if data.shape != shapes.get(name, (frames,)) or data.dtype.kind not in "iuf":
                raise ValueError(f"{name} has the shape {data.shape}")
        if self.times.shape != (frames,) or self._steps.shape != (frames,) or atoms == 0:
            raise ValueError("its frames have no steps and times, or no atoms")

    @contextmanager
    def _reading(self, part: str) -> Iterator[None]:
        try:
            yield
        except READING as error:
            raise HelioError(f"{part} of {self.filename} cannot be read ({reason(error)}): copy it again") from error

    def _reopen(self) -> None:
        self._last = -1

    def _read_next_timestep(self, ts: Any = None) -> Any:
        return self._read_frame(self._last + 1)

    def _read_frame(self, i: int) -> Any:
        if i >= self.n_frames:
            raise OSError("beyond the last frame")  # what MDAnalysis expects of a reader
        if i not in self._buffered:
            count = self._per_read if i == self._last + 1 and i > 0 else 1
            self._buffered = range(i, min(i + count, self.n_frames))
            with self._reading(f"frames from {i} on"):
                self._buffer = {name: data[i : self._buffered.stop] for name, data in self._datasets.items()}
        self._last = i
        self._fill(i, {name: array[i - self._buffered.start] for name, array in self._buffer.items()})
        return self.ts

    def _fill(self, i: int, arrays: dict[str, np.ndarray]) -> None:
        ts = self.ts
        ts.frame, ts.time = i, float(self.times[i])
        if not np.isfinite(arrays["position"]).all():
            raise self._lost(i)
        turn = None
        ts.dimensions = None
        edges = arrays.pop("edges", None)
        if edges is not None and any(self._pbc):
            ts.dimensions, turn = self._oriented(cell_for_images(edges, self._pbc, arrays["position"]))
        for name, attribute in _VECTORS.items():
            if name in arrays:
                vectors = arrays.pop(name)
                setattr(ts, attribute, vectors if turn is None else vectors @ turn.T)
        ts.data.update(arrays, step=int(self._steps[i]))

    def _oriented(self, cell: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """Parameters of the cell, and the turn to its orientation; None where it has that already."""
        if self._cell is None or not np.array_equal(cell, self._cell):
            parameters, turn = standard_orientation(cell)
            standing = np.allclose(cell, triclinic_vectors(parameters.astype(np.float32)), atol=1e-4)
            self._cell, self._orientation = cell, (parameters, None if standing else turn)
        return self._orientation

    def _lost(self, i: int) -> HelioError:
        folder = Path(self.filename).parent / "trajectory"
        return HelioError(f"frame {i} of {self.filename} is not there: a file in {folder} is missing or cut off")

"""From trajectories to observables: one analysis per file, frames in, numbers with errors and units out.

In: `Frames`, which `open_frames` gives for a run folder or any trajectory that MDAnalysis opens, read one frame at a
time. Out: an `Observable`, plain arrays in the units their labels name; `combine` joins several runs. `CATALOGUE`
lists the analyses by name. Imports `simulate`, `files` and below, never plotting.
"""

from helio.analyse.analysis import Analysis
from helio.analyse.catalogue import CATALOGUE, analyse, fitting
from helio.analyse.frames import Frames, open_all, open_frames
from helio.analyse.observable import Curve, Map, Observable, Value, combine

__all__ = [
    "CATALOGUE",
    "Analysis",
    "Curve",
    "Frames",
    "Map",
    "Observable",
    "Value",
    "analyse",
    "combine",
    "fitting",
    "open_all",
    "open_frames",
]

"""The density of a periodic system along time."""

from __future__ import annotations

import numpy as np

from helio.analyse.analysis import Analysis
from helio.analyse.frames import Frames
from helio.analyse.observable import Observable
from helio.analyse.relaxation import relaxation_ps
from helio.analyse.series import DRIFTING, equilibrated, time_curves
from helio.analyse.statistics import FEW, FEW_NOTE

_G_PER_CM3 = 1.66053906660  # in amu/A^3, CODATA 2018


def density(frames: Frames) -> Observable:
    """Mean density in g/cm3, of all atoms in the box: from the run's log where it is there, else from the frames.

    Raises:
        HelioError: there is no box, or fewer than 4 values.
    """
    frames.need_box()
    if len(frames.log.get("density_g_per_cm3", ())) >= 4:
        times, series, source = frames.log["time_ps"], frames.log["density_g_per_cm3"], "the rows of the log"
    else:
        frames.need_frames(4)
        mass = float(frames.universe.atoms.masses.sum()) * _G_PER_CM3
        times, series, source = frames.times_ps, np.array([mass / m.volume for m in frames]), "the frames"
    part = equilibrated(series, times, relaxation=relaxation_ps(frames, "density_g_per_cm3"))
    still = np.ptp(series) < 1e-9 * series[0]
    return Observable(
        name="density",
        title="Density",
        values=(part.value("density", "g/cm³", times),),
        curves=time_curves("density", times, series, "density (g/cm³)"),
        notes=(
            f"From {source}, {len(series)} values.",
            *(("The box does not change.",) if still else ()),
            *((DRIFTING,) if part.begin > len(series) / 2 else ()),
            *((FEW_NOTE,) if part.samples < FEW and not still else ()),
        ),
        method="Mean over the part that is in equilibrium (Chodera, J. Chem. Theory Comput. 12, 1799 (2016)); error "
        "from the autocorrelation time.",
        runs=(frames.label,),
    )


ANALYSIS = Analysis(
    name="density",
    title="Density",
    help="Mass density of a periodic system.",
    function=density,
    fits=lambda frames: frames.has_box() and len(frames) >= 4,
)

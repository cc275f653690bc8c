"""What Rouse chains do in closed form, as seen through their groups: what a roll-out of them should give.

With X_p(t) the modes of `RouseChain`, of variances s_p^2 per axis and relaxation times tau_p: Rg^2 = sum_p X_p^2 / N,
whose correlation goes as sum_p s_p^4 exp(-2 t / tau_p); a vector sum_p a_p X_p has sum_p a_p^2 s_p^2 exp(-t / tau_p).
Relaxation times are those in which a correlation falls to 1/e, as `decay_time` finds them.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import brentq

from helio.coarse.evaluation.estimate import Estimate
from helio.coarse.groups import Groups
from helio.coarse.reference.rouse import RouseChain


def exact_properties(chain: RouseChain, groups: Groups) -> dict[str, Estimate]:
    """Of the properties of `measure`, those known; radii of gyration are of all beads."""
    count = chain.beads
    modes = np.arange(1, count)
    times = chain.relaxation_times
    variances = chain.bond**2 / (12 * np.sin(np.pi * modes / (2 * count)) ** 2)  # s_p^2
    shapes = np.sqrt(2 / count) * np.cos(np.pi * np.outer(modes, np.arange(count) + 0.5) / count)  # phi_p(n)
    ends = groups.members[[0, -1]]
    vector = shapes[:, groups.members == ends[1]].mean(axis=1) - shapes[:, groups.members == ends[0]].mean(axis=1)
    exact = {
        "rg_squared": 3 * variances.sum() / count,
        "rg_squared_spread": np.sqrt(6 * np.square(variances).sum()) / count,
        "rg_squared_time": _time(np.square(variances), times / 2),
        "end_to_end_time": _time(np.square(vector) * variances, times),
        "diffusivity chain": chain.diffusivity,
    }
    return {name: Estimate(float(value), 0.0) for name, value in exact.items()}


def _time(weights: np.ndarray, times: np.ndarray) -> float:
    """Where sum_p w_p exp(-t / tau_p) has fallen to 1/e of its start."""
    shares = weights / weights.sum()
    return float(brentq(lambda t: shares @ np.exp(-t / times) - np.exp(-1), 0, times.max()))  # pyright: ignore

"""A number and its standard error."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class Estimate(NamedTuple):
    """A value with its standard error, NaN where nothing can be said of it."""

    value: float
    error: float


def mean_of(estimates: Sequence[Estimate]) -> Estimate:
    """The mean of independent estimates."""
    values, errors = np.asarray(estimates, float).T
    return Estimate(float(values.mean()), float(np.sqrt((errors**2).sum()) / len(values)))


def of_samples(samples: np.ndarray) -> Estimate:
    """The mean of independent samples (S,), with the error from their spread."""
    error = samples.std(ddof=1) / np.sqrt(len(samples)) if len(samples) > 1 else np.nan
    return Estimate(float(samples.mean()), float(error))

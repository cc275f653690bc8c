"""Draws of latents: around those of the frameworks that a model was trained on.

The divergence in the loss is weighted too little for latents to be standard normal, and a standard normal of 32 numbers
lies mostly between them. A smoothed set of the training latents z_i is drawn from instead (West, J. R. Stat. Soc. B 55,
1993): with their mean m and covariance C,

z = m + sqrt(1 - b^2) (z_i - m) + b C^(1/2) e

has mean m and covariance C for every spread b: 0 repeats the training latents, 1 is the normal distribution with their
mean and covariance.
"""

from __future__ import annotations

import numpy as np

_FLOOR = 1e-6  # of variances


def draw_latents(trained: np.ndarray, count: int, *, spread: float, seed: int) -> np.ndarray:
    """Latents (count, D), float32.

    Args:
        trained: latents of the frameworks that were trained on, (M, D).
        count: how many.
        spread: b, from 0 to 1.
        seed: of the draws.
    """
    random = np.random.default_rng([seed, 5])
    mean = trained.mean(axis=0)
    covariance = np.atleast_2d(np.cov(trained, rowvar=False, bias=True)) if len(trained) > 1 else 0.0
    root = np.linalg.cholesky(covariance + _FLOOR * np.eye(trained.shape[1]))
    chosen = trained[random.integers(len(trained), size=count)]
    noise = random.normal(size=(count, trained.shape[1]))
    drawn = mean + np.sqrt(1 - spread**2) * (chosen - mean) + spread * noise @ root.T
    return drawn.astype(np.float32)

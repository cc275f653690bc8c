"""A still of a scene: shaded balls and sticks, painted into an array of pixels.

Every ball is a disc of its light and its depth, and the nearest wins in each pixel; a stick is a row of small balls.
"""

from __future__ import annotations

import io
from collections.abc import Iterator

import numpy as np
from jaxtyping import Float

from helio.report.page.elements import look
from helio.report.page.scene import REACH, Scene

_STICK = 0.13  # A, radius
_FINER = 2  # pixels are painted this much finer and averaged
_LIGHT = np.array([-0.45, 0.55, 0.70])  # direction to the lamp: from the upper left
_FOG = 0.5  # share of grey in the farthest atoms
_GREY = 0.72  # of the fog; on white and on black
# Beyond so many, sticks are not seen in so small a picture: balls are larger instead, so that they touch.
_MOST_STICKS = 600
_LARGER = 1.5
_MOST_BALLS = 6_000  # beyond, hydrogen is not painted


def painted(scene: Scene, *, frame: int = 0, pixels: int = 480) -> bytes:
    """A square picture of one frame of a scene as PNG, on a transparent ground."""
    from matplotlib.image import imsave

    center, radius = scene.sphere()
    points = (scene.positions[frame] - center) @ scene.rotation().T
    wide = pixels * _FINER
    scale = scene.filling() * wide / radius
    color, depth = np.ones((wide, wide, 3)), np.full((wide, wide), -np.inf)
    for place, size, shade in _balls(scene, points):
        _paint(color, depth, place, size, shade, scale=scale, radius=radius)
    content = io.BytesIO()
    imsave(content, _averaged(color, np.isfinite(depth)), format="png")
    return content.getvalue()


def _balls(scene: Scene, points: Float[np.ndarray, "N 3"]) -> Iterator[tuple[np.ndarray, float, np.ndarray]]:
    """Place and radius in A, and colour, of all that is painted."""
    looks = {int(number): look(int(number)) for number in np.unique(scene.numbers)}
    colors = {number: one.rgb() for number, one in looks.items()}
    numbers = scene.numbers.tolist()
    thin = scene.solvent & (not scene.solvent.all())
    crowded = len(scene.bonds) > _MOST_STICKS
    larger = _LARGER if crowded else 1.0
    heavy_alone = len(numbers) > _MOST_BALLS
    for point, number, small in zip(points, numbers, thin, strict=True):
        if heavy_alone and number == 1:
            continue
        yield point, _STICK / 2 if small else larger * looks[number].ball, colors[number]
    if crowded:
        return
    for i, j in scene.bonds.tolist():
        away = points[j] - points[i]
        long = float(np.linalg.norm(away))
        if long > REACH * (looks[numbers[i]].covalent + looks[numbers[j]].covalent):
            continue
        size = _STICK / 2 if thin[i] else _STICK
        for share in np.linspace(0, 1, max(2, int(long / (0.7 * size)))):
            yield points[i] + share * away, size, colors[numbers[i if share < 0.5 else j]]


def _paint(
    color: np.ndarray,
    depth: np.ndarray,
    place: np.ndarray,
    size: float,
    shade: np.ndarray,
    *,
    scale: float,
    radius: float,
) -> None:
    """Put a ball over what is farther; changes `color` and `depth`."""
    wide, reach = len(depth), max(1.0, size * scale)
    column, row = wide / 2 + place[0] * scale, wide / 2 - place[1] * scale
    left, right = max(0, int(column - reach)), min(wide, int(column + reach) + 2)
    top, bottom = max(0, int(row - reach)), min(wide, int(row + reach) + 2)
    if left >= right or top >= bottom:
        return
    x = (np.arange(left, right) - column)[None, :] / reach
    y = (row - np.arange(top, bottom))[:, None] / reach
    out = 1 - x**2 - y**2  # square of the height over the ball's middle
    height = np.sqrt(np.maximum(out, 0))
    here = place[2] + size * height
    patch = depth[top:bottom, left:right]
    nearer = (out > 0) & (here > patch)
    light = np.maximum(0, x * _LIGHT[0] + y * _LIGHT[1] + height * _LIGHT[2])
    lit = (0.38 + 0.62 * light)[..., None] * shade + (0.45 * light**24)[..., None]
    fog = _FOG * np.clip((radius - here) / (2 * radius), 0, 1)[..., None]
    color[top:bottom, left:right][nearer] = np.clip(lit + fog * (_GREY - lit), 0, 1)[nearer]
    patch[nearer] = here[nearer]


def _averaged(color: np.ndarray, covered: np.ndarray) -> np.ndarray:
    """Red, green, blue and opacity of each pixel from those of the finer ones."""
    pixels = len(covered) // _FINER
    alpha = covered.reshape(pixels, _FINER, pixels, _FINER).mean(axis=(1, 3))
    summed = (color * covered[..., None]).reshape(pixels, _FINER, pixels, _FINER, 3).mean(axis=(1, 3))
    return np.dstack([summed / np.maximum(alpha, 1e-9)[..., None], alpha]).clip(0, 1)

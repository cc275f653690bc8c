"""The 3D view of a page: a scene as JSON for `viewer.js`, in the frame that it draws into.

Positions become whole numbers of 16 bits over the range that the atoms move in: in a scene of 100 A they are right to
0.001 A. `thinned` says how many frames fit into a page of a given size.
"""

from __future__ import annotations

import base64
import html
import json

import numpy as np

from helio.report.page.elements import look
from helio.report.page.scene import REACH, Scene

_LEVELS = 65_535  # of 16 bits
# An atom in a frame: three numbers of two bytes, which base64 makes four thirds of.
_BYTES = 8
_STYLES = {"balls": "Balls and sticks", "sticks": "Sticks", "spheres": "Spheres", "dots": "Dots"}
_SPEEDS = {"0.25": "¼×", "0.5": "½×", "1": "1×", "2": "2×", "4": "4×"}


def thinned(frames: int, atoms: int, *, most_bytes: int) -> np.ndarray:
    """Places of the frames to show, evenly spaced from the first to the last: as many as `most_bytes` of page hold."""
    most = max(1, min(frames, most_bytes // (_BYTES * max(1, atoms))))
    return np.unique(np.rint(np.linspace(0, frames - 1, most)).astype(int))


def viewer(scene: Scene, *, name: str, description: str, picture: str = "") -> str:
    """HTML of a 3D view.

    Args:
        scene: what is shown.
        name: of the element, for links with `data-viewer` and `data-frame` that show a frame.
        description: for those who cannot see it.
        picture: HTML that stands for it on paper and without scripts.
    """
    frames = len(scene.positions)
    play = _player(frames, scene.labels) if frames > 1 else ""
    water = scene.solvent
    toggle = (
        '<label><input type="checkbox" data-control="water" checked> Water</label>'
        if water.any() and not water.all()
        else ""
    )
    return f"""<figure class="viewer" id="{html.escape(name)}">
<div class="stage"><canvas tabindex="0" role="img" aria-label="{html.escape(description)}"></canvas></div>
<div class="still">{picture}</div>
<div class="controls">{play}
<span class="group">{_choice("style", "Style", _STYLES, "balls")}{toggle}
<button type="button" data-control="home">Reset view</button></span></div>
<p class="hint">Drag to turn, wheel to zoom, shift-drag to move; with the keyboard: arrows, + and −, space, comma and
full stop.</p>
<script type="application/json">{_content(scene)}</script>
</figure>"""


def _player(frames: int, labels: list[str]) -> str:
    return f"""<button type="button" class="main" data-control="play" aria-pressed="false">Play</button>
<input type="range" data-control="frame" min="0" max="{frames - 1}" value="0" step="1" aria-label="Frame">
<output data-control="time">{html.escape(labels[0])}</output>
{_choice("speed", "Speed", _SPEEDS, "1")}"""


def _choice(name: str, label: str, choices: dict[str, str], chosen: str) -> str:
    options = "".join(
        f'<option value="{value}"{" selected" if value == chosen else ""}>{words}</option>'
        for value, words in choices.items()
    )
    return f'<select data-control="{name}" aria-label="{label}">{options}</select>'


def _content(scene: Scene) -> str:
    kinds, places = np.unique(scene.numbers, return_inverse=True)
    looks = [look(int(number)) for number in kinds]
    low = scene.positions.min(axis=(0, 1))
    step = max(float((scene.positions.max(axis=(0, 1)) - low).max()), 1e-3) / _LEVELS
    whole = np.rint((scene.positions - low) / step) - (_LEVELS + 1) // 2
    center, radius = scene.sphere()
    values = {
        "atoms": len(scene.numbers),
        "elements": [
            {"symbol": one.symbol, "color": one.color, "ball": one.ball, "sphere": one.sphere, "covalent": one.covalent}
            for one in looks
        ],
        "kinds": _packed(places, "u1"),
        "water": _packed(scene.solvent, "u1"),
        "bonds": _packed(scene.bonds, "<u4"),
        "positions": _packed(whole, "<i2"),
        "origin": _rounded(low),
        "step": step,
        "center": _rounded(center),
        "radius": round(radius, 3),
        "filling": scene.filling(),
        "reach": REACH,
        "boxes": _rounded(scene.cells.reshape(-1, 9)),
        "corners": _rounded(scene.corners),
        "rotation": _rounded(scene.rotation(), 6),
        "labels": scene.labels,
    }
    return json.dumps(values, separators=(",", ":")).replace("<", "\\u003c")


def _packed(array: np.ndarray, kind: str) -> str:
    return base64.b64encode(np.ascontiguousarray(array.astype(kind)).tobytes()).decode()


def _rounded(array: np.ndarray, decimals: int = 4) -> list:
    return np.round(np.asarray(array, float), decimals).tolist()

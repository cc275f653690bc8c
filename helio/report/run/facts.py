"""What was simulated and how, in a few words each."""

from __future__ import annotations

import datetime
import html

import numpy as np

from helio import __version__
from helio.analyse import Frames
from helio.analyse.run_settings import settings_of
from helio.files.trajectory import open_trajectory
from helio.report.run.words import composition, composition_html, time

_ENSEMBLES = {"nve": "NVE", "nvt": "NVT", "npt": "NpT"}


def lead(frames: Frames) -> str:
    """What a run is, in a line of HTML."""
    asked = settings_of(frames)
    parts = [composition_html(composition(frames)), f"{len(frames.atoms):,} atoms", time(_length(frames))]
    if "ensemble" in asked:
        parts += [_ensemble(asked), html.escape(str(asked["model"]).rsplit("/", 1)[-1])]
    return " · ".join(parts)


def run_facts(frames: Frames) -> list[tuple[str, str]]:
    """Names and what they are, as HTML."""
    asked, log = settings_of(frames), frames.log
    found = [("Composition", composition_html(composition(frames)))]
    found.append(("Atoms", f"{len(frames.universe.atoms):,}"))
    if "ensemble" in asked:
        found.append(("Model", html.escape(str(asked["model"]).rsplit("/", 1)[-1])))
        if asked.get("level"):
            found.append(("Level of theory", html.escape(str(asked["level"]))))
        found += [("Ensemble", _ensemble(asked)), ("Time step", f"{asked['timestep']:g} fs")]
        found.append(("Constraints", html.escape(str(asked.get("constraints", "none")))))
    found.append(("Length", time(_length(frames))))
    apart = f", {time(frames.times_ps[1] - frames.times_ps[0])} apart" if len(frames) > 1 else ""
    found.append(("Frames", f"{len(frames):,}{apart}"))
    dimensions = frames.first().dimensions
    if dimensions is not None and any(frames.periodic):
        periodic = np.array(frames.periodic)
        lengths, angles = dimensions[:3][periodic], dimensions[3:]
        aslant = "" if np.allclose(angles, 90) else f", {', '.join(f'{angle:.4g}' for angle in angles)}°"
        box = f"{' × '.join(f'{length:.4g}' for length in lengths)} Å{aslant}"
        found.append(("Box at the start", box if periodic.all() else f"{box}, open otherwise"))
    if "ns_per_day" in log and (speeds := log["ns_per_day"][log["ns_per_day"] > 0]).size:
        found.append(("Speed", f"{np.median(speeds):.3g} ns/day"))
    if frames.run is not None:
        changed = datetime.datetime.fromtimestamp(frames.run.trajectory.stat().st_mtime).astimezone()
        found += [("Last frame written", f"{changed:%Y-%m-%d %H:%M}"), ("Simulated with", f"Helio {_creator(frames)}")]
    return found


def foot() -> str:
    """Who made the page and when."""
    now = datetime.datetime.now().astimezone()
    return f"Made by Helio {__version__} on {now:%Y-%m-%d %H:%M}. This file is complete: it loads nothing."


def _length(frames: Frames) -> float:
    """Simulated time in ps, by the log where it goes further than the frames."""
    last = float(frames.times_ps[-1] - frames.times_ps[0])
    times = frames.log.get("time_ps")
    return last if times is None or len(times) == 0 else max(last, float(times[-1] - times[0]))


def _ensemble(asked: dict) -> str:
    kind = str(asked.get("ensemble", "nvt"))
    words = [_ENSEMBLES.get(kind, kind)]
    if asked.get("replica_temperatures"):
        temperatures = asked["replica_temperatures"]
        words.append(f"replicas from {min(temperatures):g} to {max(temperatures):g} K")
    elif kind != "nve":
        words.append(_course(asked["temperature"], "K"))
    if kind == "npt":
        words.append(_course(asked["pressure"], "bar"))
    return ", ".join(words)


def _course(value: float | list, unit: str) -> str:
    if isinstance(value, int | float):
        return f"{value:g} {unit}"
    return f"{value[0][1]:g} to {value[-1][1]:g} {unit}"


def _creator(frames: Frames) -> str:
    assert frames.run is not None
    with open_trajectory(frames.run.trajectory) as file:
        return html.escape(str(file["h5md/creator"].attrs["version"]))

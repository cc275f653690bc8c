"""The sections about one run."""

from __future__ import annotations

import html
import io

import ase.io
import numpy as np
from ase import Atoms

from helio.analyse.run_settings import settings_of
from helio.report.page.document import Section, facts
from helio.report.page.figures import download, image, saving
from helio.report.page.picture import painted
from helio.report.page.viewer import viewer
from helio.report.run.checks import checks
from helio.report.run.course_figures import course_figure, course_table
from helio.report.run.facts import run_facts
from helio.report.run.reading import Run

_STILLS = 6
_MOST_SAVED = 50_000  # atoms of sampled structures that can be saved from a page
_LEVELS = {"good": "Fine", "open": "Unclear", "bad": "Warning"}


def about(run: Run) -> list[Section]:
    """The system, whether the run is sound, its course, structures on the way."""
    picture = image(painted(run.shown.scene), run.description)
    view = viewer(run.shown.scene, name="view", description=run.description, picture=picture)
    left_out = "".join(f'<p class="note">{html.escape(text)}</p>' for text in run.shown.left_out)
    sections = [
        Section("system", "The system", f"{view}{left_out}{facts(run_facts(run.frames))}"),
        Section("checks", "Is it sound?", verdicts(run)),
    ]
    if run.courses:
        sections.append(Section("course", "Along the run", _course(run)))
    if len(run.shown.numbers) > 1:
        sections.append(Section("structures", "Sampled structures", _stills(run)))
    return sections


def settings_section(run: Run) -> list[Section]:
    """All that was asked for; nothing of a trajectory from elsewhere."""
    asked = settings_of(run.frames)
    pairs = [(name, html.escape(_setting(value))) for name, value in asked.items()]
    return [Section("settings", "Settings", facts(pairs))] if pairs else []


def _setting(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return "none" if value is None else str(value)


def verdicts(run: Run) -> str:
    """HTML of what the checks found."""
    lines = "".join(
        f'<li class="{verdict.level}"><b>{_LEVELS[verdict.level]}</b><span>{html.escape(verdict.about)}: '
        f"{html.escape(verdict.text)}</span></li>"
        for verdict in checks(run.frames, run.courses)
    )
    return f'<ul class="verdicts">{lines}</ul>'


def _course(run: Run) -> str:
    figures = "".join(
        course_figure({run.label: one}, name=column) for column, one in run.courses.items() if one.quantity.drawn
    )
    words = (
        "Faint: every row of the log. Bold: running mean over 5 % of the run. Dashed: what was asked for. Grey: left "
        "out of means and slopes as not yet in equilibrium (the part without which the rest is worth most independent "
        "values). Errors take the correlation of the rows into account."
    )
    if any(course.independent < 10 for course in run.courses.values()):
        words += " Of fewer than 10 independent values errors are rough, and of fewer than 2 there are none."
    return f'<div class="plots">{figures}</div>{course_table(run.courses)}<p class="note">{words}</p>'


def _stills(run: Run) -> str:
    scene = run.shown.scene
    places = np.unique(np.rint(np.linspace(0, len(scene.positions) - 1, _STILLS)).astype(int))
    cards = "".join(
        f'<figure><button type="button" data-viewer="view" data-frame="{place}" title="Show in the view">'
        f"{image(painted(scene, frame=place, pixels=240), f'Structure at {scene.labels[place]}')}</button>"
        f"<figcaption>{scene.labels[place]}</figcaption></figure>"
        for place in places.tolist()
    )
    saved = ""
    if len(places) * len(scene.numbers) <= _MOST_SAVED:
        file = f"{run.label.replace('/', '-')}-sampled.xyz"
        link = download(_extxyz(run, places).encode(), file, "extended xyz", "text/plain")
        saved = saving(("Structures", [link]))
    return f'<div class="stills">{cards}</div>{saved}'


def _extxyz(run: Run, places: np.ndarray) -> str:
    scene, text = run.shown.scene, io.StringIO()
    structures = []
    for place in places:
        cell = scene.cells[min(place, len(scene.cells) - 1)] if len(scene.cells) else None
        pbc = run.frames.periodic if cell is not None else False
        atoms = Atoms(scene.numbers, scene.positions[place].astype(float), cell=cell, pbc=pbc)
        atoms.info["time"] = scene.labels[place]
        structures.append(atoms)
    ase.io.write(text, structures, format="extxyz")
    return text.getvalue()

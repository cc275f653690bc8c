"""The sections about several runs together."""

from __future__ import annotations

import html

from helio.report.page.document import Section, facts
from helio.report.page.figures import COLORS, image
from helio.report.page.picture import painted
from helio.report.page.viewer import viewer
from helio.report.run.course_figures import course_figure, mean_table
from helio.report.run.facts import lead, run_facts
from helio.report.run.reading import Run
from helio.report.run.single import verdicts


def about_all(runs: list[Run]) -> list[Section]:
    """The systems, whether the runs are sound, and their courses in common figures."""
    cards = "".join(
        f"<figure>{image(painted(run.shown.scene, pixels=300), run.description)}<figcaption>"
        f'<span class="swatch" style="background:{COLORS[i % len(COLORS)]}"></span>{html.escape(run.label)}'
        "</figcaption></figure>"
        for i, run in enumerate(runs)
    )
    views = "".join(
        f"<details{' open' if i == 0 else ''}><summary>{html.escape(run.label)}: {lead(run.frames)}</summary>"
        f"{viewer(run.shown.scene, name=f'view-{i}', description=run.description)}{facts(run_facts(run.frames))}"
        "</details>"
        for i, run in enumerate(runs)
    )
    found = "".join(f"<h3>{html.escape(run.label)}</h3>{verdicts(run)}" for run in runs)
    sections = [
        Section("system", "The runs", f'<div class="stills">{cards}</div>{views}'),
        Section("checks", "Are they sound?", found),
    ]
    logged = {run.label: run.courses for run in runs if run.courses}
    if logged:
        columns = dict.fromkeys(
            column for courses in logged.values() for column, course in courses.items() if course.quantity.drawn
        )
        figures = "".join(
            course_figure(
                {label: courses[column] for label, courses in logged.items() if column in courses}, name=column
            )
            for column in columns
        )
        words = "Faint: every row of the log. Bold: running means. Means leave out what is not in equilibrium yet."
        body = f'<div class="plots">{figures}</div>{mean_table(logged)}<p class="note">{words}</p>'
        sections.append(Section("course", "Along the runs", body))
    return sections

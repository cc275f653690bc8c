"""The page of a campaign for frameworks: funnel, the best as a table and in views, distributions, crystals to save."""

from __future__ import annotations

import html
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from helio.files.atomic import write_text
from helio.frameworks.adsorption import CHARGES
from helio.frameworks.campaign.outcome import Step, funnel, passed, unique
from helio.frameworks.campaign.record import Candidate, Record
from helio.frameworks.campaign.stages import crystal_file
from helio.frameworks.cif import read_cif
from helio.frameworks.crystal import Crystal
from helio.report.page.document import Section, document, facts, table
from helio.report.page.figures import COLORS, download, figure, image, page_style, saving
from helio.report.page.picture import painted
from helio.report.page.scene import Scene
from helio.report.page.viewer import viewer
from helio.report.run.facts import foot

# What a label is in words, and its unit; in the order in which they are shown.
LABELS = {
    "pore_limiting_diameter": ("Pore limiting diameter", "Å"),
    "largest_cavity_diameter": ("Largest cavity diameter", "Å"),
    "void_fraction": ("Void fraction", ""),
    "surface_area": ("Surface area", "m²/g"),
    "density": ("Density", "g/cm³"),
}
_BEST = 10
_SAVED = 200  # crystals that a page holds at most


def write_campaign_report(folder: str | Path, out: str | Path) -> Path:
    """Write the page of a campaign, whole or not at all.

    Raises:
        HelioError: there is no campaign, or `out` cannot be written.
    """
    folder, out = Path(folder), Path(out)
    with Record(folder / "record.sqlite") as record:
        candidates, known, steps = record.candidates(), record.known_labels(), funnel(record)
        settings, identities = record.settings, record.known()
    valid = passed(candidates, "check")
    best = _best(valid, identities, settings.rank_by)
    stage = "assemble" if settings.relaxation == "none" else "relax"
    labels = _labels(valid, known)
    sections = [Section("funnel", "What came through", _funnel(steps))]
    if best:
        sections.append(Section("best", "The best", _best_table(best, labels, identities)))
        sections.append(Section("gallery", "How they look", _gallery(folder, best, stage)))
    if valid:
        sections.append(Section("figures", "Against known frameworks", _distributions(valid, known, labels)))
        sections.append(Section("crystals", "Crystals to save", _crystals(folder, valid, stage)))
    sections.append(Section("settings", "Settings", facts([(key, html.escape(str(value))) for key, value in settings.model_dump().items()])))  # fmt: skip  # noqa: E501
    lead = f"{len(candidates):,} candidates, {len(valid):,} of them valid"
    write_text(out, document(folder.resolve().name, kind="Campaign for frameworks", lead=lead, sections=sections, foot=foot()))  # fmt: skip  # noqa: E501
    return out


def _best(valid: list[Candidate], known: set[str], rank_by: str) -> list[Candidate]:
    """New and unique ones, first those that were screened, by what they take up, then by the figure asked for."""
    new = unique([candidate for candidate in valid if candidate.identity not in known])
    return sorted(new, key=lambda one: (-_capacity(one), -(one.figure(rank_by) or 0.0)))[:_BEST]


def _capacity(candidate: Candidate) -> float:
    """Working capacity with the charges that it was screened with; below all others where it was not."""
    found = (candidate.figure(f"{charges}_working_capacity") for charges in CHARGES.values())
    return max((value for value in found if value is not None), default=-np.inf)


def _labels(valid: list[Candidate], known: dict[str, list[float]]) -> dict[str, tuple[str, str]]:
    """Those that any candidate has: pores, then what its screening gave."""
    screened = {label for one in valid if "screen" in one.stages for label in one.stages["screen"].figures}
    return LABELS | {label: (label.replace("_", " "), "") for label in sorted(screened - set(LABELS))}


def _funnel(steps: Sequence[Step]) -> str:
    from matplotlib.figure import Figure

    with page_style():
        drawn = Figure(figsize=(6.4, 0.5 + 0.42 * len(steps)), layout="constrained")
        axes = drawn.add_subplot()
        places = np.arange(len(steps))[::-1]
        axes.barh(places, [step.count for step in steps], color=COLORS[0], height=0.65)
        for place, step in zip(places, steps, strict=True):
            axes.annotate(
                f"{step.count:,}", (step.count, place), xytext=(4, 0), textcoords="offset points", va="center"
            )
        axes.set_yticks(places, [step.name for step in steps])
        axes.set_xlabel("candidates")
        axes.margins(x=0.12)
        axes.grid(visible=False, axis="y")
    words = ", ".join(f"{step.name} {step.count}" for step in steps)
    rows = [
        (
            step.name,
            f"{step.count:,}",
            _share(step.count, steps[0].count),
            "; ".join(f"{why} ({n})" for why, n in step.reasons[:6]),
        )
        for step in steps
    ]
    csv = "step,candidates\n" + "".join(f"{step.name},{step.count}\n" for step in steps)
    shown = figure(drawn, name="funnel", description=f"Candidates after each step: {words}", data={"CSV": csv})
    return shown + table(("step", "candidates", "share", "what stopped others"), rows, numbers=(1, 2))


def _share(count: int, of: int) -> str:
    return f"{100 * count / of:.0f} %" if of else ""


def _best_table(best: list[Candidate], labels: dict[str, tuple[str, str]], known: set[str]) -> str:
    heads = [f"{words} ({unit})" if unit else words for words, unit in labels.values()]
    rows = [
        (one.name, one.stages["assemble"].words.get("blocks", ""), *(_number(one.figure(label)) for label in labels))
        for one in best
    ]
    return table(("candidate", "blocks", *heads), rows, numbers=range(2, 2 + len(labels)))


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def _gallery(folder: Path, best: list[Candidate], stage: str) -> str:
    views = []
    for place, one in enumerate(best):
        crystal = read_cif(crystal_file(folder, one.name, stage))
        scene, words = _scene(crystal), f"{one.name}, {len(crystal)} atoms in a cell"
        still = image(painted(scene, pixels=360), words)
        view = viewer(scene, name=f"view-{place}", description=words, picture=still)
        views.append(f"<details{' open' if place == 0 else ''}><summary>{html.escape(words)}</summary>{view}</details>")
    return "".join(views)


def _scene(crystal: Crystal) -> Scene:
    return Scene(
        numbers=crystal.numbers,
        positions=crystal.positions[None].astype(np.float32),
        bonds=crystal.bonds[~crystal.images.any(axis=1)],
        labels=[crystal.name],
        cells=crystal.cell[None],
        corners=np.zeros((1, 3)),
    )


def _distributions(valid: list[Candidate], known: dict[str, list[float]], labels: dict[str, tuple[str, str]]) -> str:
    return f'<div class="plots">{"".join(_distribution(valid, known, label, *labels[label]) for label in labels)}</div>'


def _distribution(valid: list[Candidate], known: dict[str, list[float]], label: str, words: str, unit: str) -> str:
    from matplotlib.figure import Figure

    own = np.array([value for one in valid if (value := one.figure(label)) is not None])
    others = np.array(known.get(label, []))
    if not len(own):
        return ""
    every = np.concatenate([own, others])
    bins = np.linspace(every.min(), every.max() + 1e-9, 25)
    with page_style():
        drawn = Figure(figsize=(4.6, 3.0), layout="constrained")
        axes = drawn.add_subplot()
        if len(others):
            axes.hist(others, bins, density=True, color=COLORS[5], alpha=0.6, label=f"known ({len(others):,})")
        axes.hist(
            own, bins, density=True, histtype="step", linewidth=1.8, color=COLORS[0], label=f"valid ({len(own):,})"
        )
        axes.set(xlabel=f"{words} ({unit})" if unit else words, ylabel="share", yticks=[])
        axes.legend()
    median = f"{words}: median {np.median(own):.3g}{f', of known ones {np.median(others):.3g}' if len(others) else ''}"
    csv = "candidate,value\n" + "".join(f"{one.name},{one.figure(label)}\n" for one in valid)
    return figure(drawn, name=label, description=median, data={"CSV": csv})


def _crystals(folder: Path, valid: list[Candidate], stage: str) -> str:
    files = [crystal_file(folder, one.name, stage) for one in valid[:_SAVED]]
    links = [
        download(file.read_bytes(), f"{file.parent.name}.cif", file.parent.name, "chemical/x-cif") for file in files
    ]
    rest = f"<p>{len(valid) - _SAVED:,} more lie in the campaign's folder.</p>" if len(valid) > _SAVED else ""
    return saving(("Valid", links)) + rest

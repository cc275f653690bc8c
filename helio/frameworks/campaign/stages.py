"""What a worker does: one stage of one candidate, by the functions of the single commands."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from helio.errors import HelioError
from helio.files.atomic import make_folder
from helio.frameworks.campaign.record import PASSED, REJECTED, Candidate, Outcome
from helio.frameworks.campaign.settings import CampaignSettings
from helio.frameworks.cif import CoincidentAtomsError
from helio.frameworks.crystal import Crystal
from helio.frameworks.library import Library
from helio.frameworks.store import FrameworkStore

UFF = ("uff", "uff4mof")


@dataclass(frozen=True)
class Job:
    """One stage of one candidate."""

    folder: Path
    candidate: Candidate
    stage: str


def crystal_file(folder: Path, candidate: str, stage: str) -> Path:
    """Where a stage leaves its crystal."""
    return folder / "candidates" / candidate / ("assembled.cif" if stage == "assemble" else "relaxed.cif")


def do(job: Job, *, settings: CampaignSettings, calculator: Callable[[], Any] | None = None) -> Outcome:
    """Do a stage.

    What is wrong with the candidate itself rejects it: blocks that cannot be joined, atoms in the same place.

    Args:
        job: which.
        settings: of the campaign.
        calculator: makes that of a relaxation by another force field than UFF.
    """
    begun = time.perf_counter()
    make_folder(job.folder / "candidates" / job.candidate.name)
    stages: dict[str, Callable[[Job, CampaignSettings], Outcome]] = {
        "assemble": _assemble,
        "relax": partial(_relax, calculator=calculator),
        "check": _check,
        "screen": _screen,
    }
    try:
        outcome = stages[job.stage](job, settings)
    except CoincidentAtomsError as error:
        reason = f"overlap: two atoms are in the same place ({' and '.join(error.pair)})"
        outcome = Outcome(REJECTED, reason, {}, {"failed": "overlap"})
    return replace(outcome, seconds=time.perf_counter() - begun)


def _assemble(job: Job, settings: CampaignSettings) -> Outcome:
    from helio.frameworks.assembly.assemble import assemble_all
    from helio.frameworks.cif import write_cif
    from helio.frameworks.crystal import crystal_of
    from helio.frameworks.novelty import identity

    store, library = _store(job.folder / job.candidate.store)
    framework = replace(store.framework(job.candidate.source), name=job.candidate.name)
    (found,) = assemble_all([framework], library, adapt=True, dimensions=settings.dimensions, seed=settings.seed)
    if isinstance(found, HelioError):
        return Outcome(REJECTED, str(found))
    crystal = crystal_of(found.framework, library)
    write_cif(crystal_file(job.folder, job.candidate.name, "assemble"), crystal)
    figures = {"mean_gap": found.mean_gap, "largest_gap": float(found.gaps.max()), "atoms": float(len(crystal))}
    blocks = sorted({library.names[block] for block in framework.blocks})
    words = {"identity": identity(found.framework, library), "blocks": " ".join(name for name in blocks if name)}
    if found.mean_gap > settings.largest_gap:
        reason = f"connections are {found.mean_gap:.2f} A apart on average, more than {settings.largest_gap:g} A"
        return Outcome(REJECTED, reason, figures, words)
    return Outcome(PASSED, "", figures, words)


def _relax(job: Job, settings: CampaignSettings, *, calculator: Callable[[], Any] | None) -> Outcome:
    from helio.frameworks.cif import write_cif
    from helio.frameworks.relaxation.calculated import relax_with
    from helio.frameworks.relaxation.uff import relax_uff

    crystal = _crystal(job, "assemble")
    if settings.relaxation in UFF:
        variant, steps = settings.relaxation, settings.relaxation_steps
        relaxed = relax_uff(crystal, variant=variant, steps=steps, seconds=settings.limit_s)  # pyright: ignore[reportArgumentType]
    else:
        assert calculator is not None
        relaxed = relax_with(crystal, calculator(), steps=settings.relaxation_steps)
    write_cif(crystal_file(job.folder, job.candidate.name, "relax"), relaxed.crystal)
    return Outcome(PASSED, "", relaxed.figures())


def _check(job: Job, settings: CampaignSettings) -> Outcome:
    from helio.frameworks.checks import Demands, check
    from helio.frameworks.pores import pore_labels

    crystal = _crystal(job, "assemble" if settings.relaxation == "none" else "relax")
    figures = pore_labels(crystal)
    demands = Demands(settings.metal, settings.dimensions, settings.smallest_pore)
    found = check(crystal, figures["pore_limiting_diameter"], demands)
    failed = [one for one in found if not one.passed]
    words = {"failed": " ".join(one.name for one in failed)}
    reason = "; ".join(f"{one.name}: {one.reason}" for one in failed)
    return Outcome(REJECTED if failed else PASSED, reason, figures, words)


def _screen(job: Job, settings: CampaignSettings) -> Outcome:
    from helio.frameworks.adsorption import adsorption_labels

    crystal = _crystal(job, "assemble" if settings.relaxation == "none" else "relax")
    figures = adsorption_labels(
        crystal,
        charges=settings.charges,
        nitrogen=settings.nitrogen,
        cycles=settings.cycles,
        equilibration=settings.equilibration,
        seed=settings.seed + job.candidate.number,
    )
    return Outcome(PASSED, "", figures)


def _crystal(job: Job, stage: str) -> Crystal:
    from helio.frameworks.cif import read_cif

    return read_cif(crystal_file(job.folder, job.candidate.name, stage))


@lru_cache(maxsize=2)
def _store(path: Path) -> tuple[FrameworkStore, Library]:
    store = FrameworkStore(path)
    return store, store.library

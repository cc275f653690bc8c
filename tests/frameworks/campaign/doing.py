"""Stages that take a moment and do nothing: what campaigns are tested with."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from helio.errors import HelioError
from helio.frameworks.campaign.record import PASSED, REJECTED, Outcome
from helio.frameworks.campaign.stages import Job


def quick(job: Job, *, settings, calculator) -> Outcome:
    """Candidate 2 is rejected by its check, 3 breaks in LAMMPS, 4 kills its process in the check."""
    time.sleep(0.01)
    number = job.candidate.number
    if job.stage == "relax" and number == 3:
        raise HelioError("LAMMPS failed: ERROR: Lost atoms: original 9 current 8")
    if job.stage == "check" and number == 4:
        os._exit(11)
    if job.stage == "check" and number == 2:
        return Outcome(REJECTED, "pore: narrow", {}, {"failed": "pore overlap"})
    # Candidates 5 and 6 are the same.
    words = {"identity": f"graph {min(number, 5)}"} if job.stage == "assemble" else {}
    return Outcome(PASSED, "", {"surface_area": float(number), "stage": float(len(job.stage))}, words)


def main(folder: str) -> None:
    """Go on with a campaign, as a command does."""
    from helio.frameworks.campaign.run import run

    run(Path(folder), workers=2, doer=quick)


if __name__ == "__main__":
    main(sys.argv[1])

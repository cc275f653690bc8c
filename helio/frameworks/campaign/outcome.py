"""What has come of a campaign, read from its record: the funnel, what is new and unique, the best."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from helio.frameworks.campaign.record import PASSED, Candidate, Outcome, Record
from helio.frameworks.campaign.settings import CampaignSettings


@dataclass(frozen=True)
class Step:
    """A step of the funnel: how many came through, and why the others did not, the most frequent first."""

    name: str
    count: int
    reasons: tuple[tuple[str, int], ...]


def funnel(record: Record) -> list[Step]:
    """How many candidates came through each step, in order; a reason is the kind of it, without its numbers."""
    candidates, settings = record.candidates(), record.settings
    steps = [Step("sampled", len(candidates), ())]
    names = {"assemble": "assembled", "relax": "relaxed", "check": "valid"}
    for stage, name in names.items():
        if stage == "relax" and settings.relaxation == "none":
            continue
        ended = [candidate.stages[stage] for candidate in candidates if stage in candidate.stages]
        steps.append(Step(name, sum(outcome.outcome == PASSED for outcome in ended), _reasons(ended)))
    valid = passed(candidates, "check")
    new = [candidate for candidate in valid if candidate.identity not in record.known()]
    steps += [Step("new", len(new), ()), Step("unique", len(unique(new)), ())]
    if settings.screen:
        ended = [candidate.stages["screen"] for candidate in candidates if "screen" in candidate.stages]
        steps.append(Step("screened", sum(outcome.outcome == PASSED for outcome in ended), _reasons(ended)))
    return steps


def passed(candidates: list[Candidate], stage: str) -> list[Candidate]:
    """Those that have passed a stage."""
    return [one for one in candidates if stage in one.stages and one.stages[stage].outcome == PASSED]


def unique(candidates: list[Candidate]) -> list[Candidate]:
    """The first of each identity."""
    first: dict[str | None, Candidate] = {}
    for candidate in candidates:
        first.setdefault(candidate.identity, candidate)
    return list(first.values())


def chosen(record: Record, settings: CampaignSettings) -> list[Candidate]:
    """The valid, new and unique candidates that are screened: so many, with the largest figure asked for."""
    known = record.known()
    valid = passed(record.candidates(), "check")
    new = unique([candidate for candidate in valid if candidate.identity not in known])
    ranked = sorted(new, key=lambda one: (-(one.figure(settings.rank_by) or 0.0), one.number))
    return ranked[: settings.screen]


def _reasons(ended: list[Outcome]) -> tuple[tuple[str, int], ...]:
    """How often each reason stopped a candidate; one that fails several checks counts for each."""
    words = [word for outcome in ended if outcome.outcome != PASSED for word in _kinds(outcome)]
    return tuple(Counter(words).most_common())


def _kinds(outcome: Outcome) -> list[str]:
    """The checks that were failed, else the reason without what differs from candidate to candidate."""
    if outcome.words.get("failed"):
        return outcome.words["failed"].split()
    words = [word for word in outcome.reason.split() if not any(sign.isdigit() for sign in word)]
    return [" ".join(words)]

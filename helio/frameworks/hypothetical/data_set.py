"""A store of hypothetical frameworks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from helio.errors import HelioError
from helio.frameworks.crystal import crystal_of
from helio.frameworks.framework import Framework
from helio.frameworks.hypothetical.building import Built, build
from helio.frameworks.hypothetical.plan import Recipe, plan
from helio.frameworks.library import Library
from helio.frameworks.pores import pore_labels
from helio.frameworks.split import combination, split_combinations
from helio.frameworks.store import Entry, StoreContent
from helio.frameworks.store_writer import write_store
from helio.frameworks.workers import Failure, run_jobs
from helio.packages import need

_LIMIT_S = 300.0  # for one framework; most take a second
_PATIENCE = 2  # give nodes up on a net that fail so often without success ...
_NET_PATIENCE = 30  # ... and a net likewise


@dataclass
class BuildSummary:
    """How many frameworks there are, and how often others failed for each reason."""

    built: int = 0
    failures: Counter[str] = field(default_factory=Counter)


def build_store(
    path: str | Path,
    nets: Sequence[str],
    *,
    count: int,
    seed: int = 0,
    nodes_per_net: int = 10,
    linkers: int = 80,
    validation: float = 0.1,
    test: float = 0.1,
    workers: int = 1,
    overwrite: bool = False,
    report: Callable[[int, int], None] = lambda done, of: None,
) -> BuildSummary:
    """Build hypothetical frameworks with pore labels into a store.

    Args:
        path: of the store.
        nets: names of pormake's nets; frameworks are built on each in turn.
        count: how many to build; fewer where the recipes come to an end.
        seed: of blocks, order and split; the same seed gives the same store, with any number of workers.
        nodes_per_net: choose from at most so many blocks for each type of node.
        linkers: choose from at most so many linkers with two connections.
        validation: share of the combinations of node and linker that validate.
        test: likewise, for the test.
        workers: processes.
        overwrite: replace `path`.
        report: called with the number built and `count`.

    Raises:
        HelioError: pormake or pyzeo is missing, an unknown net, nothing could be built, or `path` cannot be written.
    """
    if Path(path).exists() and not overwrite:
        raise HelioError(f"{path} exists; give another name or --overwrite")
    need("pyzeo", extra="frameworks")
    recipes = plan(nets, nodes_per_net=nodes_per_net, linker_count=linkers, seed=seed, report=lambda net: None)
    summary, built = BuildSummary(), []
    hopeless = _Hopeless()
    jobs = (recipe for recipe in recipes if not hopeless.includes(recipe))
    for recipe, result in run_jobs(_build, jobs, workers=workers, limit_s=_LIMIT_S):
        if hopeless.includes(recipe):  # begun before the failures that show it
            continue
        hopeless.count(recipe, isinstance(result, Failure))
        if isinstance(result, Failure):
            summary.failures[result.reason] += 1
            continue
        built.append((recipe, result))
        report(len(built), count)
        if len(built) == count:
            break
    if not built:
        reason = summary.failures.most_common(1)[0][0]
        raise HelioError(f"none of {summary.failures.total()} frameworks could be built: {reason}")
    summary.built = len(built)
    origin = f"pormake, nets {','.join(nets)}, seed {seed}"
    write_store(path, _content(built, origin, validation, test, seed), overwrite=overwrite)
    return summary


def _build(recipe: Recipe) -> Built:
    """In a worker."""
    built = build(recipe)
    labels = built.framework.labels | pore_labels(crystal_of(built.framework, built.library))
    return Built(replace(built.framework, labels=labels), built.library)


class _Hopeless:
    """Nodes, and whole nets, that nothing can be built with."""

    def __init__(self) -> None:
        self._failed: Counter[object] = Counter()
        self._succeeded: set[object] = set()

    def includes(self, recipe: Recipe) -> bool:
        limits = [((recipe.net, recipe.nodes), _PATIENCE), (recipe.net, _NET_PATIENCE)]
        return any(self._failed[key] >= most and key not in self._succeeded for key, most in limits)

    def count(self, recipe: Recipe, failed: bool) -> None:
        for key in ((recipe.net, recipe.nodes), recipe.net):
            if failed:
                self._failed[key] += 1
            else:
                self._succeeded.add(key)


def _content(built: list[tuple[Recipe, Built]], origin: str, validation: float, test: float, seed: int) -> StoreContent:
    """With one library of all blocks, in the order of their names."""
    known = {name: block for _, one in built for name, block in zip(one.library.names, one.library.blocks, strict=True)}
    names = sorted(known)
    library = Library(tuple(known[name] for name in names), tuple(names))
    number = {name: i for i, name in enumerate(names)}
    frameworks: list[Framework] = [
        replace(one.framework, blocks=np.array([number[name] for name in one.library.names], np.int32))
        for _, one in built
    ]
    combinations = [combination(framework, library) for framework in frameworks]
    parts = split_combinations(combinations, validation=validation, test=test, seed=seed)
    entries = [
        Entry(framework, part, recipe.net)
        for framework, part, (recipe, _) in zip(frameworks, parts, built, strict=True)
    ]
    return StoreContent(library, entries, origin)

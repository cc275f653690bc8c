"""What a fine-tuning gained on its own data, and what it lost on others."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np

from helio.datasets.store import Store
from helio.errors import HelioError
from helio.evaluate.training import trained_model
from helio.files.run_folder import RunFolder
from helio.force_field import ForceField, ManyLevels, read_model_info
from helio.force_field.registry import model_path
from helio.precision import numerics
from helio.settings.checking import checked
from helio.train.batches import Batch
from helio.train.devices import make_mesh
from helio.train.loss import UNITS, Loss, Term
from helio.train.reference_energies import Table, given_energies
from helio.train.replay import renumbered
from helio.train.run import REFERENCES, read_references
from helio.train.settings import TrainSettings
from helio.train.setup import chosen_structures, make_loader, replay_structures
from helio.train.start import Start, all_levels, labelling, read_start, reference_table
from helio.train.step import make_measure
from helio.train.summary import Sums

VALIDATION, REPLAY, DRIFT = "validation", "replay", "replay, from the start"


@dataclass(frozen=True)
class Change:
    """Mean absolute errors of one label on one set of structures."""

    structures: str  # VALIDATION and REPLAY: against their labels; DRIFT: against the predictions of the start
    label: str
    unit: str
    before: float
    after: float


def compare_with_start(path: str | Path) -> list[Change]:
    """Errors of the model that a training in a run folder started from, and of the one that it gave.

    Neither saw these structures in training: those to validate on, and those kept of the replay store. What is known
    of none of them is left out.

    Raises:
        HelioError: the folder holds no fine-tuning, no model yet, or its data are gone.
    """
    folder = RunFolder(Path(path))
    settings = checked(TrainSettings, folder.read_settings())
    if settings.start is None:
        raise HelioError(f"{path} holds no fine-tuning: its settings name no start")
    (store, _), (others, validation) = chosen_structures(settings)
    with numerics(settings.precision):
        start = read_start(settings)
        levels = all_levels(settings, store, start)
        before, after = start.model(settings, levels), trained_model(folder.path, settings, levels)
        loss = Loss(settings.loss.weights, long_range_cutoff=settings.long_range_cutoff)
        comparison = _Comparison(settings, start, before, after, make_measure(loss, mesh=make_mesh(1)))
        found: list[Change] = []
        if len(validation):
            known = read_references(folder.path / REFERENCES)
            found += comparison.over(VALIDATION, others, validation, given_energies(others, known))
        if settings.replay is not None:
            found += comparison.over_replay(levels)
    return found


def start_is_calibrated(path: str | Path) -> bool:
    """Whether the model that a training in a run folder started from has an uncertainty; its result has none."""
    start = checked(TrainSettings, RunFolder(Path(path)).read_settings()).start
    return start is not None and read_model_info(model_path(start)).uncertainty is not None


@dataclass(frozen=True)
class _Comparison:
    settings: TrainSettings
    start: Start
    before: ForceField | ManyLevels
    after: ForceField | ManyLevels
    measure: Callable[[Any, Any], dict[str, Term]]

    def over_replay(self, levels: tuple[str, ...]) -> list[Change]:
        """Against the labels that the store of replay has, and against the start."""
        store, train, kept = replay_structures(self.settings)
        numbers = np.array([levels.index(level) for level in store.levels], np.int32)
        zero, found = given_energies(store, {}), []
        if any(store.known(name)[kept].any() for name in self.settings.loss.weights):
            table = reference_table(self.settings, store, train, self.start)
            found = self.over(REPLAY, store, kept, table, levels=numbers)
        label = labelling(self.before, make_mesh(1), long_range_cutoff=self.settings.long_range_cutoff)
        return found + self.over(DRIFT, store, kept, zero, levels=numbers, label=label)

    def over(
        self,
        name: str,
        store: Store,
        chosen: np.ndarray,
        table: Table,
        *,
        levels: np.ndarray | None = None,
        label: Any = None,
    ) -> list[Change]:
        """Errors of both models over some structures of a store."""
        weights, sums = self.settings.loss.weights, (Sums(), Sums())
        loader = make_loader(self.settings, store, chosen, self.start.force_field, make_mesh(1), table, once=True)
        with closing(loader):
            for batch in loader:
                known: Batch = batch if levels is None else renumbered(batch, levels)
                known = known if label is None else label(known)
                for model, total in zip((self.before, self.after), sums, strict=True):
                    total.add(jax.device_get(self.measure(model, known)))
        before, after = (total.summary(weights).mae for total in sums)
        changes = [Change(name, kind, UNITS[kind], before[kind], after[kind]) for kind in before]
        return [change for change in changes if np.isfinite(change.before)]

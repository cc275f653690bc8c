"""What a trained model gets wrong on the structures that it was validated on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import jax
import numpy as np
from ase.data import chemical_symbols
from ase.formula import Formula

from helio.datasets.store import Store
from helio.errors import HelioError
from helio.evaluate.metrics import ErrorSums, PairSample
from helio.files.run_folder import RunFolder
from helio.force_field import ForceField, ManyLevels, load_model
from helio.force_field.model_file import read_levels
from helio.precision import numerics
from helio.prediction import Prediction
from helio.settings.checking import checked
from helio.train.batches import Batch
from helio.train.loader import Loader
from helio.train.loss import UNITS, predictions, residuals
from helio.train.reference_energies import given_energies
from helio.train.run import MODEL, REFERENCES, read_references
from helio.train.settings import TrainSettings
from helio.train.setup import chosen_structures


@dataclass
class LabelErrors:
    """Errors of one label and a sample of its values."""

    unit: str
    sums: ErrorSums = field(default_factory=ErrorSums)
    sample: PairSample = field(default_factory=PairSample)


@dataclass(frozen=True)
class StructureErrors:
    """One structure: its number in the store, where it came from, and its mean absolute error of each label."""

    index: int
    source: str
    number: int  # in its source
    formula: str
    mae: dict[str, float]


@dataclass(frozen=True)
class TrainingErrors:
    """Errors of the labels that the loss weighs, over all validated structures."""

    labels: dict[str, LabelErrors]
    structures: list[StructureErrors]

    def worst(self, label: str, count: int) -> list[StructureErrors]:
        """The structures with the largest mean absolute errors of a label."""
        having = [structure for structure in self.structures if label in structure.mae]
        return sorted(having, key=lambda structure: -structure.mae[label])[:count]


def evaluate_training(path: str | Path) -> TrainingErrors | None:
    """Compare the model of a run folder with the labels of its validation structures; None where it has none.

    Raises `HelioError` where the folder holds no model yet, or its data are gone.
    """
    folder = RunFolder(Path(path))
    settings = checked(TrainSettings, folder.read_settings())
    _, (store, validation) = chosen_structures(settings)
    with numerics(settings.precision):
        model = trained_model(folder.path, settings, store.levels)
        if len(validation) == 0:
            return None
        errors = TrainingErrors({name: LabelErrors(UNITS[name]) for name in settings.loss.weights}, [])
        predict = jax.jit(partial(predictions, long_range_cutoff=settings.long_range_cutoff))
        for batch in _batches(folder, settings, store, validation, model.settings.cutoff):
            _compare(errors, store, batch, jax.device_get(predict(model, batch.astype(settings.precision))))
    return errors


def trained_model(folder: Path, settings: TrainSettings, levels: tuple[str, ...]) -> ForceField | ManyLevels:
    """The model that a training left in its folder, its levels in this order, where they have heads of their own.

    Raises `HelioError` where it left none yet.
    """
    if not (folder / MODEL).exists():
        raise HelioError(f"{folder} holds no model yet")
    if settings.heads == "one":
        return load_model(folder / MODEL, kernels="plain")
    return read_levels(folder / MODEL).for_levels(levels)


def _batches(
    folder: RunFolder, settings: TrainSettings, store: Store, validation: np.ndarray, cutoff: float
) -> Iterator[Batch]:
    references = read_references(folder.path / REFERENCES)
    loader = Loader(
        store,
        validation,
        short_cutoff=cutoff,
        long_cutoff=settings.long_range_cutoff,
        structures_per_batch=settings.structures_per_batch,
        atoms_per_batch=settings.atoms_per_batch,
        shuffle=False,
        epochs=1,
        reference_energies=given_energies(store, {k: v for k, v in references.items() if k in store.levels}),
    )
    with closing(loader):
        yield from loader


def _compare(errors: TrainingErrors, store: Store, batch: Batch, predicted: Prediction) -> None:
    known_errors: list[dict[str, float]] = [{} for _ in batch.real]
    for name, found in errors.labels.items():
        values, reference, known = residuals(name, predicted, batch)
        for row in np.flatnonzero(known.any(axis=1)):
            one, other = np.asarray(values)[row][known[row]], np.asarray(reference)[row][known[row]]
            found.sums = found.sums.including(one - other)
            found.sample.add(other, one)
            known_errors[row][name] = float(np.abs(one - other).mean())
    for row in np.flatnonzero(batch.real):
        index = int(batch.index[row])
        numbers = [int(z) for z in batch.system.atomic_numbers[row] if z > 0]
        source = store.sources[int(batch.source[row])]
        formula = Formula.from_list([chemical_symbols[z] for z in numbers]).format("hill")
        errors.structures.append(
            StructureErrors(index, source, int(store.rows("number")[index]), formula, known_errors[row])
        )

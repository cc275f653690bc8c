"""What a store gives to a training."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from helio.errors import HelioError
from helio.frameworks.library import Library
from helio.frameworks.model.data import FrameworkArrays, framework_arrays
from helio.frameworks.model.scaling import Scales, fit_scales
from helio.frameworks.model.settings import FrameworkTrainSettings
from helio.frameworks.store import FrameworkStore


@dataclass(frozen=True, eq=False)
class TrainingSet:
    """Frameworks to train on and to validate on; the latter have no blocks that the former do not have."""

    library: Library  # blocks of the frameworks that are trained on
    train: FrameworkArrays
    validation: FrameworkArrays
    labels: tuple[str, ...]


def read_training_set(settings: FrameworkTrainSettings) -> TrainingSet:
    """Read and check a store.

    Raises:
        HelioError: it has no frameworks to train on, too large ones, or not the labels that are asked for.
    """
    with FrameworkStore(settings.data) as store:
        if not store.names("train"):
            raise HelioError(f"{settings.data} has no frameworks in the part train")
        labels = settings.labels or _common_labels(store)
        known = store.labels("train")
        for name in labels:
            if name not in known or not np.isfinite(known[name]).any():
                raise HelioError(f"the frameworks of {settings.data} have no label {name!r}; it has {', '.join(known)}")
        train, validation = (list(store.frameworks(part)) for part in ("train", "validation"))
        whole = store.library
    used = sorted({int(block) for framework in train for block in framework.blocks})
    library = Library(tuple(whole[i] for i in used), tuple(whole.names[i] for i in used))
    place = np.full(len(whole), -1)
    place[used] = np.arange(len(used))
    train, validation = (
        [replace(each, blocks=place[each.blocks].astype(np.int32)) for each in part if (place[each.blocks] >= 0).all()]
        for part in (train, validation)
    )
    return TrainingSet(
        library, framework_arrays(train, library, labels), framework_arrays(validation, library, labels), tuple(labels)
    )


def fitted_scales(data: TrainingSet, embeddings: np.ndarray) -> Scales:
    """Units fitted to the frameworks to train on; `embeddings` (library, C) are those of the blocks."""
    train = data.train
    return fit_scales(train.parameters, train.count, embeddings[train.blocks[train.mask]], train.labels, data.labels)


def _common_labels(store: FrameworkStore) -> tuple[str, ...]:
    """Those that more than half of the frameworks to train on have."""
    found = store.labels("train")
    return tuple(sorted(name for name, values in found.items() if np.isfinite(values).mean() > 0.5))

"""Where candidates come from: batches of a store of samples, or of a model, each in a store of the campaign's own."""

from __future__ import annotations

import threading
from pathlib import Path

from helio.errors import HelioError
from helio.files.atomic import make_folder
from helio.frameworks.campaign.record import Record
from helio.frameworks.campaign.settings import CampaignSettings
from helio.frameworks.store import Entry, FrameworkStore, StoreContent
from helio.frameworks.store_writer import write_store

_BATCHES = 1_000_000  # seeds of one campaign, so that those of another are others


def add_samples(record: Record, folder: Path, settings: CampaignSettings, stop: threading.Event) -> None:
    """Sample the batches that the record does not have, and enter their candidates.

    A batch depends on the settings and its number alone; one that was cut off is made again.
    """
    there = record.batches()
    make_folder(folder / "samples")
    for number, begin in enumerate(range(0, settings.count, settings.batch)):
        if number in there:
            continue
        if stop.is_set():
            return
        numbers = range(begin, min(begin + settings.batch, settings.count))
        path = folder / "samples" / f"{number:05d}.h5"
        if settings.samples is not None:
            names = _taken(Path(settings.samples), path, numbers)
        else:
            names = _generated(settings, path, number, len(numbers))
        entered = [(place + 1, name) for place, name in zip(numbers, names, strict=False)]
        record.add_batch(number, str(path.relative_to(folder)), entered)


def _taken(samples: Path, path: Path, numbers: range) -> list[str]:
    """Copy the frameworks with these numbers."""
    with FrameworkStore(samples) as store:
        names = list(store.names()[numbers.start : numbers.stop])
        if not names and numbers.start == 0:
            raise HelioError(f"{samples} holds no frameworks")
        if names:
            entries = [Entry(store.framework(name)) for name in names]
            write_store(path, StoreContent(store.library, entries, str(samples)), overwrite=True)
    return names


def _generated(settings: CampaignSettings, path: Path, number: int, count: int) -> list[str]:
    """Draw as many from the model; those with impossible lattices are left out."""
    from helio.frameworks.model.generation import GenerationSettings, generate
    from helio.frameworks.model.model_file import read_framework_model

    assert settings.model is not None
    drawn = GenerationSettings(
        count,
        seed=settings.seed * _BATCHES + number,
        spread=settings.spread,
        known_sites=not settings.drawn_sites,
    )
    found = generate(read_framework_model(settings.model), drawn)
    if found.content.entries:
        write_store(path, found.content, overwrite=True)
    return [entry.framework.name for entry in found.content.entries]

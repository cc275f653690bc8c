"""From a recipe to a store: structures are made, sampled and labelled block by block.

Beside the store stands a folder `STORE.parts` with a small store for each block that is finished and `recipe.json`;
the same command goes on there after an interruption, and removes it when the store is whole.
"""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from helio.datasets.structure import LabelledStructure
from helio.distillation.diversity import farthest_points
from helio.distillation.dynamics import Dynamics
from helio.distillation.modes import displaced
from helio.distillation.parts import starts_of
from helio.distillation.recipe import Files, Recipe
from helio.distillation.starts import Start, Starts, is_held_out, seed_of
from helio.distillation.teacher import Described, Labelled, evaluate
from helio.errors import HelioError
from helio.files.atomic import make_folder, write_text
from helio.files.json_text import read_json
from helio.files.run_contents import LOCK, check_regular
from helio.files.run_folder import locked
from helio.force_field import ForceField, load_model
from helio.settings.checking import checked
from helio.system import System
from helio.train.filters import FilterSettings
from helio.train.importing import ImportSettings, import_files, write_store

RECIPE = "recipe.json"
JOINING = "joining.json"  # all blocks are there, and the stores are being written


@dataclass
class Progress:
    """Where a generation stands."""

    part: str = ""
    starts: int = 0  # done
    all_starts: int = 0
    kept: int = 0
    held_out: int = 0
    left_out: Counter[str] = field(default_factory=Counter)  # reason -> structures or starts
    seconds: float = 0.0  # of this session
    fresh: int = 0  # starts done in this session
    fresh_kept: int = 0  # structures kept in this session

    @property
    def rate(self) -> float:
        """Structures kept per second."""
        return self.fresh_kept / max(self.seconds, 1e-9)

    @property
    def seconds_left(self) -> float:
        """As long as the rest takes, if it goes on like this; NaN before anything is known."""
        if not self.fresh:
            return float("nan")
        return self.seconds / self.fresh * (self.all_starts - self.starts)


Report = Callable[[Progress], None]


def generate(
    recipe: Recipe, store: str | Path, *, overwrite: bool = False, report: Report = lambda progress: None
) -> Progress:
    """Make the store, and `STORE-held-out` beside it where the recipe holds something out.

    Args:
        recipe: by `read_recipe`.
        store: path to write.
        overwrite: whether an existing store may be replaced.
        report: is told after each block.

    Raises:
        HelioError: files that exist or cannot be read, an unfinished store of another recipe, or no structure left.
    """
    store = Path(store)
    outputs = [store, *([held_out_store(store)] if recipe.held_out else [])]
    folder = _blocks_of(store)
    _check_folder(folder, recipe)
    overwrite = overwrite or (folder / JOINING).exists()  # then what is there was written here
    for path in outputs:
        if path.exists() and not overwrite:
            raise HelioError(f"{path} exists; give another name or --overwrite")
    make_folder(folder)
    with locked(folder):
        write_text(folder / RECIPE, json.dumps(recipe.model_dump(mode="json"), indent=1, sort_keys=True))
        progress = _blocks(recipe, folder, report)
        write_text(folder / JOINING, "{}")
        _join(folder, outputs, overwrite=overwrite)
        _remove(folder)
    return progress


def is_unfinished(store: Path) -> bool:
    """Whether a generation of the store was cut off."""
    return (_blocks_of(store) / RECIPE).exists()


def _blocks(recipe: Recipe, folder: Path, report: Report) -> Progress:
    """Make all blocks that are not there."""
    teacher = load_model(recipe.teacher, level=recipe.teacher_level)
    elements = teacher.settings.supported_elements
    parts = {name: starts_of(part, name, seed=recipe.seed, elements=elements) for name, part in recipe.parts.items()}
    progress = Progress(all_starts=sum(starts.count for starts in parts.values()))
    dynamics, began = Dynamics(teacher), time.monotonic()
    for name, starts in parts.items():
        maker = _PartMaker(teacher, dynamics, recipe, name)
        for first in range(0, starts.count, recipe.starts_per_block):
            numbers = range(first, min(first + recipe.starts_per_block, starts.count))
            fresh = _block(maker, starts, numbers, folder, progress)
            progress.part, progress.starts = name, progress.starts + len(numbers)
            progress.seconds, progress.fresh = time.monotonic() - began, progress.fresh + fresh * len(numbers)
            report(progress)
    return progress


def held_out_store(store: Path) -> Path:
    """The store of what is held out."""
    return store.with_name(f"{store.stem}-held-out{store.suffix}")


def _blocks_of(store: Path) -> Path:
    """The folder of the blocks of a store."""
    return store.with_name(f"{store.name}.parts")


def _remove(folder: Path) -> None:
    """Remove the blocks; what says that the stores are theirs goes last, should this be cut off."""
    last = {RECIPE: 1, JOINING: 2}
    for entry in sorted(folder.iterdir(), key=lambda entry: last.get(entry.name, 0)):
        entry.unlink()
    folder.rmdir()


def _check_folder(folder: Path, recipe: Recipe) -> None:
    """Raise `HelioError` if a folder of blocks is not that of this recipe or holds what is no block: it is removed."""
    check_regular(folder)
    if not folder.is_dir():
        return
    known, names = folder / RECIPE, "|".join(map(re.escape, recipe.parts))
    if known.exists() and not _is_that_of(known, recipe):
        raise HelioError(
            f"{folder} holds the unfinished work of another recipe: put that recipe back to go on, or remove the "
            "folder to begin anew"
        )
    block = re.compile(rf"(\.?({names})-\d{{7}}\b.*(json|h5)|\.?recipe\b.*json|{re.escape(JOINING)}|{LOCK})", re.DOTALL)
    for entry in sorted(folder.iterdir()):
        if entry.is_dir() or not block.fullmatch(entry.name):
            raise HelioError(f"{folder} holds {entry.name}, which is none of its blocks: move it elsewhere")


def _is_that_of(known: Path, recipe: Recipe) -> bool:
    """Whether a file holds this recipe; settings that did not exist when it was written count as their defaults."""
    try:
        return checked(Recipe, read_json(known, "recipe")) == recipe
    except HelioError:
        return False


def _block(maker: _PartMaker, starts: Starts, numbers: range, folder: Path, progress: Progress) -> bool:
    """Make one block, unless it is there; whether it was made now."""
    done = folder / f"{maker.name}-{numbers.start:07d}.json"
    fresh = not done.exists()
    if fresh:
        counts = maker.make(starts, numbers, done.with_suffix(""))
        write_text(done, json.dumps(counts))
    counts = read_json(done, "count of a block")
    try:
        kept, held_out, left_out = int(counts["train"]), int(counts["held-out"]), Counter(counts["left out"])
    except (LookupError, TypeError, ValueError):
        raise HelioError(f"{done} is damaged: remove it, and the block is made again") from None
    progress.kept += kept
    progress.held_out += held_out
    progress.fresh_kept += fresh * (kept + held_out)
    progress.left_out.update(left_out)
    return fresh


def _join(folder: Path, outputs: Sequence[Path], *, overwrite: bool) -> None:
    for path, kind in zip(outputs, ("train", "held-out"), strict=False):
        blocks = sorted(folder.glob(f"*.{kind}.h5"))
        if not blocks:
            raise HelioError(f"no structure is left for {path}: make the recipe larger or its limits wider")
        import_files(blocks, path, ImportSettings(filters=_FILTERS, check_units=False), overwrite=overwrite)


_FILTERS = FilterSettings(max_force=None)


class _PartMaker:
    """Makes the blocks of a part."""

    def __init__(self, teacher: ForceField, dynamics: Dynamics, recipe: Recipe, name: str) -> None:
        self.name, self._teacher, self._dynamics, self._recipe = name, teacher, dynamics, recipe
        self._part = recipe.parts[name]
        self._describe = any(one.sampling.keep < 1 for one in recipe.parts.values())

    def make(self, starts: Starts, numbers: range, path: Path) -> dict[str, Any]:
        """Write the stores of a block, `PATH.train.h5` and `PATH.held-out.h5`, and count what is in them."""
        left_out: Counter[str] = Counter()
        made = dict(self._made(starts, numbers, left_out))
        held_out = {
            number: is_held_out(start.group, self._recipe.seed, self._recipe.held_out) for number, start in made.items()
        }
        systems = [(number, System.from_ase(start.atoms)) for number, start in made.items()]
        found = self._labelled(systems, left_out)
        samples = self._labelled(self._sampled(found, held_out), left_out)
        kept = _diverse([one for one in found + samples if not held_out[one[0]]], self._part.sampling.keep)
        counts: dict[str, Any] = {}
        for kind, some in (("train", kept), ("held-out", [one for one in samples if held_out[one[0]]])):
            counts[kind] = self._written(some, path.with_name(f"{path.name}.{kind}.h5"), left_out)
        return counts | {"left out": dict(left_out)}

    def _made(self, starts: Starts, numbers: range, left_out: Counter[str]) -> Iterator[tuple[int, Start]]:
        for number in numbers:
            try:
                yield number, starts.make(number)
            except HelioError as error:
                left_out[f"starts that cannot be built ({error})"] += 1

    def _sampled(
        self, starts: Sequence[tuple[int, Labelled]], held_out: Mapping[int, bool]
    ) -> list[tuple[int, System]]:
        """Samples with the numbers of their starts; what is held out is sampled by dynamics in any case."""
        sampling, own = self._part.sampling, self._recipe
        temperatures = {
            number: own.held_out_temperature if apart else sampling.temperatures[number % len(sampling.temperatures)]
            for number, apart in held_out.items()
        }
        moved, shaken = [], []
        for number, start in starts:
            if held_out[number] or sampling.method == "md":
                moved.append((number, start.system))
            elif sampling.method == "modes":
                shaken.append((number, start.system))
        found = []
        for some, way in ((moved, self._dynamics.samples), (shaken, partial(displaced, self._teacher))):
            numbers = [number for number, _ in some]
            heat = [temperatures[number] for number in numbers]
            seeds = [seed_of(own.seed, self.name, "sampling", number) for number in numbers]
            samples = way(sampling, [system for _, system in some], heat, seeds) if some else []
            found += [(number, one) for number, made in zip(numbers, samples, strict=True) for one in made]
        return found

    def _labelled(self, systems: Sequence[tuple[int, System]], left_out: Counter[str]) -> list[tuple[int, Labelled]]:
        labelled = evaluate(self._teacher, [system for _, system in systems], describe=self._describe)
        good = []
        for (number, _), one in zip(systems, labelled, strict=True):
            if one.largest_force <= self._recipe.most_force:
                good.append((number, one))
            else:
                left_out[f"forces above {self._recipe.most_force:g} eV/A"] += 1
        return good

    def _written(self, found: Sequence[tuple[int, Labelled]], path: Path, left_out: Counter[str]) -> int:
        if not found:
            return 0
        settings = ImportSettings(
            filters=_FILTERS,
            level=self._recipe.level,
            source=self.name,
            licence=self._part.licence if isinstance(self._part, Files) else None,
            check_units=False,
        )
        report = write_store((_structure(number, one) for number, one in found), path, settings, overwrite=True)
        left_out.update(report.dropped)
        return report.kept


def _diverse(found: list[tuple[int, Labelled]], keep: float) -> list[tuple[int, Labelled]]:
    if keep == 1 or not found:
        return found
    points = [one.prediction.features for _, one in found if isinstance(one.prediction, Described)]
    chosen = farthest_points(np.array(points), max(1, round(keep * len(found))))
    return [found[number] for number in chosen]


def _structure(number: int, one: Labelled) -> LabelledStructure:
    system, said = one.system, one.prediction
    labels = {
        "energy": said.energy,
        "forces": said.forces,
        "dipole": said.dipole,
        "charges": said.charges,
        "hirshfeld_ratios": said.hirshfeld_ratios,
        "atomic_energies": said.atomic_energies,
    }
    if said.stress is not None:
        labels["stress"] = said.stress
    return LabelledStructure(
        np.asarray(system.atomic_numbers),
        np.asarray(system.positions, np.float64),
        {name: np.asarray(value, np.float64) for name, value in labels.items()},
        cell=np.asarray(system.cell) * np.asarray(system.pbc)[:, None],
        pbc=system.pbc,
        charge=float(system.total_charge),
        unpaired_electrons=float(system.unpaired_electrons),
        number=number,
    )

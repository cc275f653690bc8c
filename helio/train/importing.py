"""From files of any layout to one store."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from helio.datasets import ReadingChoices, read_labelled
from helio.datasets.labels import VIRIAL
from helio.datasets.pair_counts import most_within
from helio.datasets.store_writer import StoreWriter, store_writer
from helio.datasets.structure import LabelledStructure
from helio.errors import HelioError
from helio.train.filters import FilterSettings, digest, reason_against, reason_before_geometry
from helio.train.groups import group_of
from helio.train.plausibility import Plausibility

UNKNOWN_LEVEL = "unspecified"
_REPORT_EVERY = 100


@dataclass(frozen=True)
class ImportSettings:
    """How files are read, and what is written about them."""

    layout: str | None = None  # None finds out
    choices: ReadingChoices = field(default_factory=ReadingChoices)
    filters: FilterSettings = field(default_factory=FilterSettings)
    level: str | None = None  # of theory; None takes that of the file or layout
    source: str | None = None  # None takes the name of the file
    licence: str | None = None
    group_by: str | None = None  # what keeps structures together in splits: `helio.train.groups`
    check_units: bool = True


@dataclass
class FileReport:
    """What became of one file."""

    path: Path
    read: int = 0
    kept: int = 0
    dropped: Counter[str] = field(default_factory=Counter)  # reason -> structures
    labels: Counter[str] = field(default_factory=Counter)  # label -> structures kept that have it
    assumed_charge: int = 0  # structures kept whose charge the file does not tell
    broken: str | None = None  # why the file was skipped
    problems: dict[str, str] = field(default_factory=dict)  # reason -> first structure that makes no sense, and why
    units: str | None = None  # that its numbers were taken to have, and where they come from
    unused: dict[str, None] = field(default_factory=dict)  # names in the file that were not used, in their order
    groups: set[Hashable] = field(default_factory=set)  # of the structures kept


@dataclass
class ImportReport:
    """What became of all files."""

    files: list[FileReport] = field(default_factory=list)

    @property
    def kept(self) -> int:
        """Structures in the store."""
        return sum(file.kept for file in self.files)


def import_files(
    paths: Sequence[str | Path],
    store: str | Path,
    settings: ImportSettings | None = None,
    *,
    overwrite: bool = False,
    advance: Callable[[int], None] = lambda done: None,
) -> ImportReport:
    """Read files (or all files of folders), filter their structures and write them into one store.

    A file that is broken is left out as a whole, and the report says why; the others are imported. The store appears
    when all is done, whole or not at all.

    Args:
        paths: files of any layout of `helio.datasets`, stores included.
        store: where to write.
        settings: of the reading and filtering.
        overwrite: whether an existing store may be replaced.
        advance: called with the number of structures that were read since the last call.

    Raises:
        HelioError: all files are broken, the units are not what was declared, or no structure is left.
    """
    settings = settings or ImportSettings()
    files = [(path, _structures(path, settings)) for path in _files(paths)]
    return _written(files, Path(store), settings, overwrite=overwrite, advance=advance)


def write_store(
    structures: Iterable[LabelledStructure],
    store: str | Path,
    settings: ImportSettings | None = None,
    *,
    overwrite: bool = False,
    advance: Callable[[int], None] = lambda done: None,
) -> FileReport:
    """Filter structures that come one after another, as from a teacher model, and write them into a store.

    Arguments and errors are those of `import_files`; a source that `settings` and structures leave open is called as
    the store.
    """
    store, settings = Path(store), settings or ImportSettings()
    return _written([(store, structures)], store, settings, overwrite=overwrite, advance=advance).files[0]


def _written(
    files: Sequence[tuple[Path, Iterable[LabelledStructure]]],
    store: Path,
    settings: ImportSettings,
    *,
    overwrite: bool,
    advance: Callable[[int], None],
) -> ImportReport:
    """Write the structures of each file into the store."""
    if store.exists() and not overwrite:
        raise HelioError(f"{store} exists; give another name or --overwrite")
    report = ImportReport()
    with store_writer(store) as writer:
        run = _Import(settings, writer, advance)
        for path, structures in files:
            report.files.append(run.take(path, structures))
        broken = [file for file in report.files if file.broken is not None]
        if len(broken) == len(files):
            raise HelioError(broken[0].broken or "")
        if writer.count == 0:
            raise HelioError(_nothing_left(report))
        _check_names(report, settings.choices.keys)
        writer.write(store, levels=list(run.levels), sources=list(run.sources.values()))
    return report


def _structures(path: Path, settings: ImportSettings) -> Iterator[LabelledStructure]:
    """The structures of a file, which is looked at only when they are asked for: it may be broken."""
    yield from read_labelled(path, settings.choices, layout=settings.layout)


def _check_names(report: ImportReport, keys: Mapping[str, str]) -> None:
    """Raise `HelioError` for a label whose name was chosen, but stands nowhere."""
    for label, name in keys.items():
        label = "stress" if label == VIRIAL else label
        if name and not any(file.labels[label] for file in report.files):
            raise HelioError(f"no structure that is kept has a label {name!r}, which was given for {label}")


def _files(paths: Sequence[str | Path]) -> list[Path]:
    found: list[Path] = []
    for path in map(Path, paths):
        if path.is_dir():
            inside = sorted(entry for entry in path.iterdir() if entry.is_file() and not entry.name.startswith("."))
            if not inside:
                raise HelioError(f"the folder {path} holds no files")
            found += inside
        elif not path.exists():
            raise HelioError(f"there is no file {path}")
        else:
            found.append(path)
    return found


def _nothing_left(report: ImportReport) -> str:
    dropped: Counter[str] = sum((file.dropped for file in report.files), Counter())
    reasons = ", ".join(f"{count:,} for {reason}" for reason, count in dropped.most_common())
    return f"no structure is left of {sum(file.read for file in report.files):,}" + (f": {reasons}" if reasons else "")


class _Import:
    """Names of levels and sources and the structures seen so far."""

    def __init__(self, settings: ImportSettings, writer: StoreWriter, advance: Callable[[int], None]) -> None:
        self.settings, self._writer, self._advance = settings, writer, advance
        self.levels: dict[str, int] = {}
        self.sources: dict[tuple[str, str | None], dict[str, Any]] = {}
        self._seen: set[bytes] = set()
        self._groups: dict[Hashable, int] = {}

    def take(self, path: Path, structures: Iterable[LabelledStructure]) -> FileReport:
        """Import the structures of one file; if it turns out to be broken, take back what came from it."""
        report, fresh = FileReport(path), set()
        mark, levels, sources = self._writer.mark(), dict(self.levels), dict(self.sources)
        plausible = Plausibility()
        try:
            for structure in structures:
                report.read += 1
                report.unused.update(dict.fromkeys(structure.unused))
                if report.read % _REPORT_EVERY == 0:
                    self._advance(_REPORT_EVERY)
                reason = self._keep(structure, path, report, plausible, fresh)
                if reason is not None:
                    report.dropped[reason] += 1
        except HelioError as error:
            self._writer.take_back(mark)
            self.levels, self.sources = levels, sources
            return FileReport(path, read=report.read, broken=str(error))
        self._advance(report.read % _REPORT_EVERY)
        if self.settings.check_units and (problem := plausible.problem()) is not None:
            raise HelioError(f"{path}: {problem}; declare the units, or --trust-units if the data are right")
        self._seen |= fresh
        return report

    def _keep(
        self,
        structure: LabelledStructure,
        path: Path,
        report: FileReport,
        plausible: Plausibility,
        fresh: set[bytes],
    ) -> str | None:
        """Write the structure, or say why not."""
        if structure.problem is not None:
            reason = _short(structure.problem)
            report.problems.setdefault(reason, f"structure {structure.number}: {structure.problem}")
            return reason
        assumed = structure.charge is None and self.settings.choices.charge is None
        structure = self._completed(structure)
        if (reason := reason_before_geometry(structure)) is not None:
            return reason
        pairs, columns, closest = most_within(structure.positions, structure.cell, structure.pbc)
        plausible.add(structure, closest)
        if (reason := reason_against(structure, closest, self.settings.filters)) is not None:
            return reason
        key = digest(structure)
        if not self.settings.filters.keep_duplicates and (key in self._seen or key in fresh):
            return "duplicates"
        fresh.add(key)
        group = group_of(structure, path, self.settings.group_by)
        rows: dict[str, Any] = dict(structure.labels) | {
            "charge": structure.charge,
            "unpaired_electrons": structure.unpaired_electrons,
            "periodic": structure.pbc,
            "cell": _whole_cell(structure),
            "level": self.levels.setdefault(structure.level or "", len(self.levels)),
            "source": self._source(structure, path),
            "number": structure.number,
            "group": -1 if group is None else self._groups.setdefault(group, len(self._groups)),
            "pairs": pairs,
            "columns": columns,
            "closest": closest,
            "atomic_numbers": structure.atomic_numbers,
            "positions": structure.positions,
        }
        self._writer.add(rows)
        report.kept += 1
        report.assumed_charge += assumed
        report.labels.update(structure.labels.keys())
        report.groups |= {group} - {None}
        report.units = structure.units.described(report.labels)
        return None

    def _completed(self, structure: LabelledStructure) -> LabelledStructure:
        """With the charge, spin and level of theory that the settings or usage give it."""
        settings = self.settings
        charge = (settings.choices.charge or 0.0) if structure.charge is None else structure.charge
        unpaired = structure.unpaired_electrons
        if unpaired is None:
            unpaired = float((structure.atomic_numbers.sum() - charge) % 2)
        level = settings.level or structure.level or UNKNOWN_LEVEL
        return replace(structure, charge=charge, unpaired_electrons=unpaired, level=level)

    def _source(self, structure: LabelledStructure, path: Path) -> int:
        name = self.settings.source or structure.source or path.stem
        licence = self.settings.licence or structure.licence
        if (name, licence) not in self.sources:
            self.sources[name, licence] = {"name": name, "licence": licence, "file": path.name}
        return list(self.sources).index((name, licence))


def _short(problem: str) -> str:
    """The beginning of a sentence, which is the same for structures of other values."""
    return re.split(r"[:;,(]", problem, maxsplit=1)[0].strip()


def _whole_cell(structure: LabelledStructure) -> np.ndarray:
    """The cell with unit vectors along the directions that are not periodic, so that it can be inverted."""
    if not any(structure.pbc):
        return np.eye(3)
    from ase.cell import Cell

    periodic = structure.cell * np.asarray(structure.pbc)[:, None]
    return np.asarray(Cell(periodic).complete().array, np.float64)

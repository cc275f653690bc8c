"""CIF files become a store of frameworks: read, taken apart, checked by putting together again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from scipy.spatial import KDTree

from helio.errors import HelioError
from helio.frameworks.block import Block
from helio.frameworks.cif import read_cif
from helio.frameworks.crystal import Crystal, connection_gaps, crystal_of
from helio.frameworks.decompose.branching import branching_split
from helio.frameworks.decompose.cutting import check_connected, cut
from helio.frameworks.decompose.matching import Collection
from helio.frameworks.decompose.metal_oxo import metal_oxo_split
from helio.frameworks.decompose.primitive import primitive
from helio.frameworks.elements import is_metal
from helio.frameworks.framework import Framework
from helio.frameworks.library import Library
from helio.frameworks.pores import pore_labels
from helio.frameworks.split import combination, split_combinations
from helio.frameworks.store import Entry, StoreContent
from helio.frameworks.store_writer import write_store
from helio.frameworks.workers import Failure, run_jobs
from helio.packages import need

KINDS = ("auto", "mof", "cof")
_LIMIT_S = 600.0  # for one file


@dataclass
class ImportSummary:
    """What became of the files."""

    imported: int = 0
    refused: dict[str, str] = field(default_factory=dict)  # file -> reason

    @property
    def reasons(self) -> list[tuple[str, list[str]]]:
        """Each kind of reason with its files, the most frequent first: what differs in numbers or names is one kind."""
        kinds: dict[str, list[str]] = {}
        for file, reason in self.refused.items():
            general = reason.replace(file, "a file").split(":")[0]
            kinds.setdefault("".join("n" if c.isdigit() else c for c in general).replace("nn", "n"), []).append(file)
        return sorted(kinds.items(), key=lambda kind: -len(kind[1]))


def import_store(
    path: str | Path,
    sources: Sequence[str | Path],
    *,
    kind: str = "auto",
    pores: bool = True,
    validation: float = 0.1,
    test: float = 0.1,
    seed: int = 0,
    workers: int = 1,
    overwrite: bool = False,
    report: Callable[[int, int], None] = lambda done, of: None,
) -> ImportSummary:
    """Import CIF files; those that are no fit frameworks are refused, each with its reason, and the others go on.

    Args:
        path: of the store.
        sources: files, and folders whose files end in .cif.
        kind: `mof` (metal-oxo split), `cof` (split at branches), or `auto`: the first where there is metal
            and it succeeds.
        pores: whether to label with pore figures.
        validation: share of the combinations of blocks that validate.
        test: likewise, for the test.
        seed: of the split.
        workers: processes.
        overwrite: replace `path`.
        report: called with the number of files done and of all.

    Raises:
        HelioError: a package is missing, there are no files, none could be imported, or `path` cannot be written.
    """
    if Path(path).exists() and not overwrite:
        raise HelioError(f"{path} exists; give another name or --overwrite")
    need("gemmi", extra="frameworks")
    if pores:
        need("pyzeo", extra="frameworks")
    files = _files(sources)
    summary, collection, frameworks = ImportSummary(), Collection(), []
    jobs = [(file, kind, pores) for file in files]
    for done, ((file, *_), result) in enumerate(run_jobs(_import, jobs, workers=workers, limit_s=_LIMIT_S), 1):
        if isinstance(result, Failure):
            summary.refused[str(file)] = result.reason
        else:
            frameworks.append(collection.adopt(*result))
        report(done, len(files))
    if not frameworks:
        first = next(iter(summary.refused.items()))
        raise HelioError(f"none of {len(files)} files could be imported; {first[0]}: {first[1]}")
    summary.imported = len(frameworks)
    library = collection.library
    combinations = [combination(framework, library) for framework in frameworks]
    parts = split_combinations(combinations, validation=validation, test=test, seed=seed)
    entries = [Entry(framework, part) for framework, part in zip(_unique_names(frameworks), parts, strict=True)]
    origin = f"CIF files of {', '.join(str(source) for source in sources)}"
    write_store(path, StoreContent(library, entries, origin), overwrite=overwrite)
    return summary


def take_apart(crystal: Crystal, *, kind: str = "auto") -> tuple[Framework, list[Block]]:
    """The framework of a crystal's primitive cell and its blocks, of which it is put together again exactly.

    Args:
        crystal: with its bonds.
        kind: as in `import_store`.

    Raises:
        HelioError: it does not come apart into fit blocks, or they do not make up the same bonds again.
    """
    if kind not in KINDS:
        raise HelioError(f"crystals are split as {', '.join(KINDS)}, not {kind!r}")
    check_connected(crystal)
    small = primitive(crystal)
    framework, blocks = _split(small, kind)
    own = Library(tuple(blocks), tuple(str(g) for g in range(len(blocks))))
    if not same_bonds(small, crystal_of(framework, own)):
        raise HelioError("its blocks, put together again, do not make up the same bonds")
    if connection_gaps(framework, own).max() > 1e-6:
        raise HelioError("its blocks, put together again, do not meet")
    return framework, blocks


def _split(crystal: Crystal, kind: str) -> tuple[Framework, list[Block]]:
    """By the kind wanted; crystals with metal that are no MOFs, such as COFs of metal porphyrins, as COFs."""
    if kind == "cof" or (kind == "auto" and not is_metal(crystal.numbers).any()):
        return cut(crystal, *branching_split(crystal))
    try:
        return cut(crystal, *metal_oxo_split(crystal))
    except HelioError as as_mof:
        if kind == "mof":
            raise
        try:
            return cut(crystal, *branching_split(crystal))
        except HelioError:
            raise as_mof from None


def same_bonds(one: Crystal, other: Crystal, *, tolerance: float = 1e-3) -> bool:
    """Whether two crystals in the same cell have the same bonds, in whatever order: elements, ends and vectors (A)."""
    if len(one.bonds) != len(other.bonds) or len(one) != len(other):
        return False
    places, kinds, lines = zip(*map(_bond_rows, (one, other)), strict=True)
    nearest = np.asarray(KDTree(places[1], boxsize=1.0).query(places[0])[1])
    steps = places[0] - places[1][nearest]
    apart = np.linalg.norm((steps - np.round(steps)) @ one.cell, axis=1).max(initial=0.0)
    turned = np.abs(lines[0] - lines[1][nearest]).max(initial=0.0)
    each = len(np.unique(nearest)) == len(nearest) and (kinds[0] == kinds[1][nearest]).all()
    return bool(each and max(apart, turned) < tolerance)


def _bond_rows(crystal: Crystal) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of each bond: fractional place of its middle, elements, and the products of its vector's components."""
    vectors, (i, j) = crystal.bond_vectors, crystal.bonds.T
    middles = (crystal.positions[i] + vectors / 2) @ np.linalg.inv(crystal.cell)
    kinds = np.sort(np.column_stack([crystal.numbers[i], crystal.numbers[j]]), axis=1)
    return middles % 1.0 % 1.0, kinds, (vectors[:, :, None] * vectors[:, None]).reshape(-1, 9)


def _import(job: tuple[Path, str, bool]) -> tuple[Framework, list[Block]]:
    """In a worker."""
    file, kind, pores = job
    crystal = read_cif(file)
    framework, blocks = take_apart(crystal, kind=kind)
    labels = pore_labels(crystal) if pores else {}
    return replace(framework, labels=labels), blocks


def _files(sources: Sequence[str | Path]) -> list[Path]:
    files: list[Path] = []
    for source in map(Path, sources):
        if not source.exists():
            raise HelioError(f"there is no file or folder {source}")
        found = sorted(source.rglob("*.cif")) if source.is_dir() else [source]
        if not found:
            raise HelioError(f"the folder {source} holds no CIF files")
        files += found
    return files


def _unique_names(frameworks: list[Framework]) -> list[Framework]:
    """Frameworks of files with the same name in different folders are numbered."""
    counts: Counter[str] = Counter()
    named = []
    for framework in frameworks:
        counts[framework.name] += 1
        again = counts[framework.name]
        named.append(framework if again == 1 else replace(framework, name=f"{framework.name}-{again}"))
    return named

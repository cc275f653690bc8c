"""A file of labelled structures or of dimers against a model: what is read, with which model, and what comes out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, cast

from helio.datasets import LabelledStructure, ReadingChoices, count_labelled, read_labelled
from helio.errors import HelioError
from helio.evaluate.dimers import REFERENCE_KEYS, DimerEvaluation, evaluate_dimers
from helio.evaluate.structures import Evaluation, evaluate_structures
from helio.force_field import ForceField, ModelInfo, load_model, read_model_info
from helio.force_field.registry import model_path
from helio.long_range import DispersionTail, Electrostatics, why_not_comparable
from helio.precision import Precision


@dataclass(frozen=True)
class FileEvaluation:
    """A comparison: model, data and how they are compared."""

    data: Path
    model: str = "so3lr"
    level: str | None = None  # of theory, of a model that has several
    total_energies: bool = False
    dimers: bool = False
    choices: ReadingChoices = field(default_factory=ReadingChoices)
    stride: int = 1
    limit: int | None = None
    reference_key: str | None = None  # of interaction energies
    long_range_cutoff: float | None = None  # A
    electrostatics: str = "shifted"
    dispersion_tail: str = "none"
    precision: str | None = None  # by default float64 for dimers, else float32
    atoms_per_block: int = 512
    skip_unusable: bool = False

    def __post_init__(self) -> None:
        """Check what does not go together."""
        if self.dimers and self.total_energies:
            raise HelioError("interaction energies are differences: leave out --total-energies")

    @property
    def reference_unit(self) -> str:
        """The unit of interaction energies."""
        return self.choices.units.get("energy") or "kcal/mol"

    @property
    def arithmetic(self) -> Precision:
        """The precision that is taken."""
        return cast(Precision, self.precision or ("float64" if self.dimers else "float32"))

    @cached_property
    def loaded(self) -> tuple[ForceField, ModelInfo]:
        """The model with the cutoff and electrostatics that are asked for."""
        path = model_path(self.model)
        force_field = load_model(path, level=self.level).with_options(
            long_range_cutoff=self.long_range_cutoff,
            electrostatics=cast(Electrostatics, self.electrostatics),
            dispersion_tail=cast(DispersionTail, self.dispersion_tail),
        )
        return force_field, read_model_info(path).info.at(self.level)

    def count(self) -> int | None:
        """How many structures will be looked at; None where only reading tells."""
        return count_labelled(self.data, self.choices, stride=self.stride, limit=self.limit)

    def check_names(self) -> None:
        """Raise `HelioError` where a label whose name was chosen is in none of the structures."""
        if self.dimers:
            keys = REFERENCE_KEYS if self.reference_key is None else (self.reference_key,)
            if not any(key in structure.attributes for structure in self._structures() for key in keys):
                raise HelioError(
                    f"no dimer has a {' or '.join(keys)}: name the reference energies with --reference-key"
                )
            return
        missing = {label: name for label, name in self.choices.keys.items() if name}
        for structure in self._structures() if missing else ():
            missing = {label: name for label, name in missing.items() if name not in structure.found_as.values()}
            if not missing:
                return
        for label, name in missing.items():
            raise HelioError(f"no structure has a label {name!r}, which was given for {label}")

    def description(self) -> str:
        """Model, cutoff, electrostatics and precision, in one line."""
        cutoff = "12 A in boxes, all pairs of molecules"
        if self.long_range_cutoff is not None:
            cutoff = f"{self.long_range_cutoff:g} A"
        return (
            f"{self.data} against {self.model}: long-range cutoff {cutoff}, {self.electrostatics} electrostatics, "
            f"{self.arithmetic}"
        )

    def run(
        self, advance: Callable[[int], None] = lambda done: None
    ) -> tuple[Evaluation | DimerEvaluation, dict[str, Any]]:
        """The errors, and the settings that they were computed with, as plain values."""
        force_field, info = self.loaded
        periodic: set[bool] = set()
        structures = _recorded(self._structures(), periodic)
        if self.dimers:
            result = evaluate_dimers(
                force_field,
                ((structure.number, structure.to_ase()) for structure in structures),
                reference_key=self.reference_key,
                reference_unit=self.reference_unit,
                precision=self.arithmetic,
                atoms_per_block=self.atoms_per_block,
                skip_unusable=self.skip_unusable,
                advance=advance,
            )
        else:
            result = evaluate_structures(
                force_field,
                structures,
                energy_of_atoms=info.energy_of_atoms if self.total_energies else None,
                precision=self.arithmetic,
                atoms_per_block=self.atoms_per_block,
                skip_unusable=self.skip_unusable,
                advance=advance,
            )
        cutoffs = sorted({force_field.cutoff_for((kind, kind, kind)) for kind in periodic})
        return result, self._settings(info, cutoffs, result)

    def _structures(self) -> Iterator[LabelledStructure]:
        return read_labelled(self.data, self.choices, stride=self.stride, limit=self.limit)

    def _settings(self, info: ModelInfo, cutoffs: list[float], result: Evaluation | DimerEvaluation) -> dict[str, Any]:
        return {
            "data": str(self.data),
            "model": self.model,
            "level": info.level(self.level),
            "total_energies": self.total_energies,
            "stride": self.stride,
            "limit": self.limit,
            "electrostatics": self.electrostatics,
            "dispersion_tail": self.dispersion_tail,
            "precision": self.arithmetic,
            "label_units": self.reference_unit if isinstance(result, DimerEvaluation) else result.units,
            "long_range_cutoff": cutoffs[0] if len(cutoffs) == 1 else cutoffs,
        }

    def notes(self, settings: dict[str, Any]) -> list[str]:
        """Notes without which the numbers would be misread."""
        cutoffs = settings["long_range_cutoff"]
        problem = why_not_comparable(self.electrostatics, cutoffs if isinstance(cutoffs, list) else [cutoffs])
        return [] if problem is None else [f"Warning: {problem} (--electrostatics wolf)."]


def _recorded(structures: Iterator[LabelledStructure], periodic: set[bool]) -> Iterator[LabelledStructure]:
    """The same structures; `periodic` learns whether there are boxes and molecules among them."""
    for structure in structures:
        periodic.add(any(structure.pbc))
        yield structure

"""What a user can choose for the generation of structures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, NonNegativeInt, PositiveInt, model_validator

from helio.distillation.sequences import Chain
from helio.errors import HelioError
from helio.files.yaml_file import read_yaml
from helio.settings.checking import Settings, checked

Positive = Annotated[float, Field(gt=0)]


class Sampling(Settings):
    """How structures are made of a start."""

    method: Literal["md", "modes", "none"] = Field(
        "md", description="molecular dynamics, displacements along normal modes, or the start alone"
    )
    temperatures: tuple[Positive, ...] = Field(
        (100.0, 300.0, 500.0, 1000.0), min_length=1, description="in K; the starts take them in turn"
    )
    samples: PositiveInt = Field(8, description="structures of each start, besides the start itself")
    interval_fs: Positive = Field(25.0, description="between samples of molecular dynamics")
    warmup_fs: float = Field(50.0, ge=0, description="of molecular dynamics before the first sample")
    timestep_fs: Positive = Field(0.5, description="of molecular dynamics")
    friction: Positive = Field(20.0, description="in 1/ps, of the Langevin thermostat")
    keep: float = Field(1.0, gt=0, le=1, description="share of the structures that is kept: the most diverse")


_SAMPLING = Sampling.model_validate({})


class _Part(Settings):
    """What all kinds of parts share."""

    sampling: Sampling = Field(_SAMPLING, description="of each start")


class Files(_Part):
    """Geometries in files of any layout that `helio data import` reads; their labels are not used."""

    kind: Literal["files"]
    paths: tuple[str, ...] = Field(min_length=1, description="files, relative to the recipe")
    count: PositiveInt | None = Field(None, description="starts, drawn at random; by default all")
    most_atoms: PositiveInt = Field(200, description="in a start")
    licence: str | None = Field(None, description="of the geometries")


class _Molecules(Settings):
    """Where molecules come from."""

    smiles: tuple[str, ...] = Field((), description="molecules")
    smiles_file: str | None = Field(None, description="file with a SMILES in each line, relative to the recipe")
    enumerated: NonNegativeInt = Field(0, description="molecules drawn from combinations of fragments")
    heavy_atoms: tuple[PositiveInt, PositiveInt] = Field((1, 20), description="least and most, of all of these")
    most_charge: NonNegativeInt = Field(2, description="in e, of either sign")

    @model_validator(mode="after")
    def _some(self) -> _Molecules:
        if not (self.smiles or self.smiles_file or self.enumerated):
            raise ValueError("give smiles, smiles_file or enumerated")
        return self


class Molecules(_Molecules, _Part):
    """Single molecules from SMILES."""

    kind: Literal["molecules"]
    conformers: PositiveInt = Field(1, description="starts of each molecule")


class Chains(_Part):
    """Peptides, nucleic acids, sugars and lipids from sequences."""

    kind: Literal["chains"]
    chain: Chain = Field(description="what they are made of")
    sequences: tuple[str, ...] = Field((), description="as in `helio.distillation.sequences`")
    random: NonNegativeInt = Field(0, description="random sequences besides these")
    lengths: tuple[PositiveInt, PositiveInt] = Field((1, 3), description="least and most units of random ones")
    conformers: PositiveInt = Field(1, description="starts of each sequence")
    most_charge: NonNegativeInt = Field(2, description="in e, of random ones")

    @model_validator(mode="after")
    def _some(self) -> Chains:
        if not (self.sequences or self.random):
            raise ValueError("give sequences or a number of random ones")
        return self


class Clusters(_Molecules, _Part):
    """Molecules placed at random: dimers, molecules in some water, clusters of one kind."""

    kind: Literal["clusters"]
    count: PositiveInt = Field(description="starts")
    molecules: tuple[NonNegativeInt, NonNegativeInt] = Field((2, 2), description="least and most of them in a start")
    solvent: str = Field("O", description="SMILES of the solvent")
    solvent_molecules: tuple[NonNegativeInt, NonNegativeInt] = Field((0, 0), description="least and most in a start")
    gaps: tuple[float, float] = Field((0.0, 1.0), description="in A, least and most beyond contact")


class Boxes(_Part):
    """Periodic cubes of a liquid."""

    kind: Literal["boxes"]
    count: PositiveInt = Field(description="starts")
    smiles: str = Field("O", description="molecule")
    molecules: tuple[PositiveInt, PositiveInt] = Field((16, 32), description="least and most in a start")
    densities: tuple[Positive, Positive] = Field((0.9, 1.1), description="in g/cm3, least and most")


class Fragments(_Part):
    """Pieces of large systems, whose cut bonds end in hydrogens."""

    kind: Literal["fragments"]
    paths: tuple[str, ...] = Field(min_length=1, description="structures with all hydrogens, relative to the recipe")
    way: Literal["top-down", "bottom-up"] = Field(
        "top-down", description="spheres around random atoms, as they are, or all bonded fragments as molecules"
    )
    count: PositiveInt | None = Field(None, description="starts; by default 100 spheres, or all molecules")
    radius: Positive = Field(5.0, description="in A, of spheres")
    most_atoms: PositiveInt = Field(200, description="of a sphere; larger ones are left out")
    heavy_atoms: tuple[PositiveInt, PositiveInt] = Field((1, 8), description="least and most, bottom-up")
    conformers: PositiveInt = Field(1, description="starts of each molecule, bottom-up")
    most_charge: NonNegativeInt = Field(2, description="in e, of either sign")


Part = Annotated[Files | Molecules | Chains | Clusters | Boxes | Fragments, Field(discriminator="kind")]


class Recipe(Settings):
    """All structures of a store."""

    seed: int = Field(0, ge=0, lt=2**32, description="of everything random")
    teacher: str = Field("so3lr", description="name of a model or path of a model file, which samples and labels")
    teacher_level: str | None = Field(
        None, description="level of theory, of a teacher that has several; by default the one that it names first"
    )
    held_out: float = Field(0.0, ge=0, lt=1, description="share of molecules that go to a store of their own")
    held_out_temperature: Positive = Field(300.0, description="in K, at which these are sampled by dynamics")
    most_force: Positive = Field(30.0, description="in eV/A; structures with a larger force on an atom are left out")
    starts_per_block: PositiveInt = Field(96, description="starts that are sampled together")
    parts: dict[str, Part] = Field(min_length=1, description="by the name that is their source in the store")

    @property
    def level(self) -> str:
        """Of theory, of the labels that the teacher gives."""
        return level_of(self.teacher, self.teacher_level)


def level_of(teacher: str, level: str | None) -> str:
    """The name of what a teacher says at one of its levels, which is not quite that level."""
    return teacher if level is None else f"{teacher} at {level}"


def read_recipe(path: str | Path) -> Recipe:
    """The recipe in a YAML file, with absolute paths.

    Raises:
        HelioError: the file cannot be read, or something in it is wrong.
    """
    path = Path(path)
    values = read_yaml(path)
    if not isinstance(values, dict):
        raise HelioError(f"{path} is no recipe: it needs a line `parts:` with the structures to make")
    return checked_recipe(values, path.parent)


def checked_recipe(values: dict[str, Any], folder: Path) -> Recipe:
    """A recipe from plain values, with paths relative to a folder; `HelioError` that names what is wrong."""
    recipe = checked(Recipe, values, "the recipe")
    parts: dict[str, Any] = {name: _with_paths(part, folder) for name, part in recipe.parts.items()}
    return recipe.model_copy(update={"parts": parts})


def _with_paths(part: Any, folder: Path) -> Any:
    def absolute(path: str) -> str:
        return str((folder / Path(path).expanduser()).resolve())

    if isinstance(part, Files | Fragments):
        return part.model_copy(update={"paths": tuple(map(absolute, part.paths))})
    if isinstance(part, _Molecules) and part.smiles_file is not None:
        return part.model_copy(update={"smiles_file": absolute(part.smiles_file)})
    return part


def drawn(rng: Any, limits: Sequence[int]) -> int:
    """A random whole number between limits, both included."""
    return int(rng.integers(limits[0], limits[1] + 1))

"""What a user can ask of restraints, as plain values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from ase import Atoms
from pydantic import Field, TypeAdapter, ValidationError

from helio.errors import HelioError
from helio.settings.checking import Settings
from helio.simulate.selection import selected_atoms

if TYPE_CHECKING:
    import equinox as eqx

    from helio.simulate import restraints

Selected = Annotated[
    str | tuple[int, ...], Field(description="numbers of atoms from 0, or element symbols, heavy or all")
]
Point = tuple[float, float, float]
Bounds = tuple[float | None, float | None, float | None]


class _Harmonic(Settings):
    stiffness: float = Field(gt=0, description="eV/A^2")


class PositionSettings(_Harmonic):
    """Atoms stay near their places in the start structure."""

    kind: Literal["position"]
    atoms: Selected = "heavy"

    def restraint(self, atoms: Atoms) -> restraints.Position:
        """The energy, for the start structure."""
        from helio.simulate import restraints

        chosen = selected_atoms(self.atoms, atoms)
        return restraints.Position(chosen, atoms.positions[chosen], np.asarray(self.stiffness))


class DistanceSettings(_Harmonic):
    """The distance between two atoms, or between the centres of mass of two sets of atoms, stays near a length."""

    kind: Literal["distance"]
    first: Selected
    second: Selected
    length: float = Field(ge=0, description="A")

    def restraint(self, atoms: Atoms) -> restraints.Distance:
        """The energy, for the start structure."""
        from helio.simulate import restraints

        ends = _two_sets(self.first, self.second, atoms)
        return restraints.Distance(*ends, np.asarray(self.length), np.asarray(self.stiffness))


class FlatDistanceSettings(_Harmonic):
    """The distance between two atoms or centres of mass stays between two lengths."""

    kind: Literal["flat-distance"]
    first: Selected
    second: Selected
    shortest: float = Field(0.0, ge=0, description="A")
    longest: float | None = Field(None, gt=0, description="A; by default no limit")

    def restraint(self, atoms: Atoms) -> restraints.FlatDistance:
        """The energy, for the start structure."""
        from helio.simulate import restraints

        longest = np.inf if self.longest is None else self.longest
        if longest < self.shortest:
            raise HelioError(f"a flat-distance restraint has longest {longest} below shortest {self.shortest}")
        ends = _two_sets(self.first, self.second, atoms)
        return restraints.FlatDistance(
            *ends, np.asarray(self.shortest), np.asarray(longest), np.asarray(self.stiffness)
        )


class DihedralSettings(Settings):
    """A dihedral angle stays near a value."""

    kind: Literal["dihedral"]
    atoms: tuple[int, int, int, int]
    angle: float = Field(description="degrees")
    stiffness: float = Field(gt=0, description="eV/rad^2")

    def restraint(self, atoms: Atoms) -> restraints.Dihedral:
        """The energy, for the start structure."""
        from helio.simulate import restraints

        if len(selected_atoms(self.atoms, atoms)) < 4:
            raise HelioError(f"a dihedral angle needs four different atoms, not {list(self.atoms)}")
        return restraints.Dihedral(np.asarray(self.atoms), np.asarray(self.angle), np.asarray(self.stiffness))


class SphereSettings(_Harmonic):
    """Atoms stay inside a sphere around a point or around their own centre of mass."""

    kind: Literal["sphere"]
    atoms: Selected = "all"
    center: Point | None = Field(None, description="A; by default the centre of mass of the chosen atoms, moving along")
    radius: float = Field(gt=0, description="A")

    def restraint(self, atoms: Atoms) -> restraints.Sphere:
        """The energy, for the start structure."""
        from helio.simulate import restraints

        center = None if self.center is None else np.asarray(self.center)
        chosen = selected_atoms(self.atoms, atoms)
        return restraints.Sphere(chosen, center, np.asarray(self.radius), np.asarray(self.stiffness))


class WallsSettings(_Harmonic):
    """Atoms stay between planes normal to x, y and z; null where there is none."""

    kind: Literal["walls"]
    atoms: Selected = "all"
    lower: Bounds = Field((None, None, None), description="A")
    upper: Bounds = Field((None, None, None), description="A")

    def restraint(self, atoms: Atoms) -> restraints.Walls:
        """The energy, for the start structure."""
        from helio.simulate import restraints

        lower = np.array([-np.inf if x is None else x for x in self.lower])
        upper = np.array([np.inf if x is None else x for x in self.upper])
        if not (lower <= upper).all():
            raise HelioError(f"walls have an upper bound {list(self.upper)} below the lower one {list(self.lower)}")
        return restraints.Walls(selected_atoms(self.atoms, atoms), lower, upper, np.asarray(self.stiffness))


RestraintSettings = Annotated[
    PositionSettings | DistanceSettings | FlatDistanceSettings | DihedralSettings | SphereSettings | WallsSettings,
    Field(discriminator="kind"),
]


def restraint_from_settings(values: dict[str, Any], atoms: Atoms) -> eqx.Module:
    """The restraint that plain values describe: `kind`, and what that kind takes; host arrays.

    Raises:
        HelioError: a value is missing, wrong or unknown, or names atoms that are not there.
    """
    try:
        settings = TypeAdapter(RestraintSettings).validate_python(values)
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(map(str, problem['loc'])) or 'restraint'}: {problem['msg']} (got {problem['input']!r})"
            for problem in error.errors()
        )
        raise HelioError(f"a restraint is wrong: {problems}") from None
    return settings.restraint(atoms)


def _two_sets(first: str | tuple[int, ...], second: str | tuple[int, ...], atoms: Atoms) -> tuple[Any, Any]:
    ends = selected_atoms(first, atoms), selected_atoms(second, atoms)
    if len(np.intersect1d(*ends)):
        raise HelioError(f"a distance needs two sets without a common atom, not {first!r} and {second!r}")
    return ends

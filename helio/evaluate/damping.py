"""The two constants of the long-range terms that no training finds, chosen for interaction energies.

    E_int(sigma, gamma) = E_rest + E_electrostatics(sigma) + E_dispersion(gamma)

sigma smears the charges and gamma scales the damping radius of the dispersion. The network, its charges and its
Hirshfeld ratios depend on neither, so they are evaluated once; each of the two terms is then a sum over pairs for
every value that is tried, and their errors follow for all pairs of values at once. SO3LR chose them so for S66x8
(JACS 2025): sigma 4 A, gamma 1.2. What is made small here is the mean absolute error.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from helio.errors import HelioError
from helio.evaluate.batches import predict_many
from helio.evaluate.dimers import dimer_systems
from helio.force_field import ForceField
from helio.force_field.long_range_cutoff import ALL_PAIRS
from helio.physics import coulomb, dispersion
from helio.physics.free_atoms import free_atom_table
from helio.precision import numerics
from helio.prediction import Prediction
from helio.system import System
from helio.units import KCAL_PER_MOL

if TYPE_CHECKING:
    from ase import Atoms

# What is tried at first, A and without unit; then ever finer around the best.
SIGMAS = (0.5, 10.0)
SCALES = (0.6, 2.4)
_POINTS = 25
_ROUNDS = 4
# The grid shrinks by this factor from round to round.
_ZOOM = 5.0


@dataclass(frozen=True)
class DampingParts:
    """What interaction energies of M dimers consist of, as functions of the constants; in kcal/mol."""

    reference: Float[np.ndarray, " M"]
    rest: Float[np.ndarray, " M"]
    electrostatics: Callable[[float], Float[np.ndarray, " M"]]  # of sigma
    dispersion: Callable[[float], Float[np.ndarray, " M"]]  # of gamma

    def mae(self, sigma: float, scale: float) -> float:
        """Mean absolute error in kcal/mol."""
        predicted = self.rest + self.electrostatics(sigma) + self.dispersion(scale)
        return float(np.abs(predicted - self.reference).mean())


@dataclass(frozen=True)
class Damping:
    """The constants before and after, and the mean absolute errors that go with them (kcal/mol)."""

    sigma: tuple[float, float]  # A
    scale: tuple[float, float]
    mae: tuple[float, float]
    count: int  # dimers
    at_edge: bool  # the best lies at the edge of what was tried: more may be gained outside


def tune_damping(
    force_field: ForceField,
    frames: Iterable[tuple[int, Atoms]],
    *,
    reference_key: str = "reference_Eint",
    sigmas: tuple[float, float] = SIGMAS,
    scales: tuple[float, float] = SCALES,
) -> Damping:
    """The constants with the least error over dimers as `evaluate_dimers` takes them, in float64 without a cutoff.

    Raises:
        HelioError: the model lacks one of the terms, a range is empty, no dimer has a reference, or one is wrong.
    """
    settings = force_field.settings
    if not (settings.electrostatics and settings.dispersion):
        raise HelioError("the model has no electrostatics or no dispersion: there is nothing to tune")
    for name, (low, high) in {"sigma": sigmas, "the dispersion scale": scales}.items():
        if not 0 < low < high:
            raise HelioError(
                f"the range of {name} must go from a number above zero to a larger one, not {low} to {high}"
            )
    parts = damping_parts(force_field, frames, reference_key=reference_key)
    sigma, scale, at_edge = best(parts, sigmas, scales)
    before = parts.mae(settings.electrostatics_sigma, settings.dispersion_scale)
    after = parts.mae(sigma, scale)
    if after >= before:
        sigma, scale, after, at_edge = settings.electrostatics_sigma, settings.dispersion_scale, before, False
    return Damping(
        (settings.electrostatics_sigma, sigma),
        (settings.dispersion_scale, scale),
        (before, after),
        len(parts.reference),
        at_edge,
    )


def with_damping(force_field: ForceField, sigma: float, scale: float) -> ForceField:
    """The same weights with other constants, without compiled tables."""
    plain = force_field.with_options(kernels="plain")
    settings = replace(plain.settings, electrostatics_sigma=sigma, dispersion_scale=scale)
    return replace(plain, settings=settings, uncertainty=None)  # whose calibration was for the old ones


def best(parts: DampingParts, sigmas: tuple[float, float], scales: tuple[float, float]) -> tuple[float, float, bool]:
    """The sigma and gamma with the least mean absolute error, and whether they lie at the edge of the ranges."""
    limits = (sigmas, scales)
    ranges, found = [np.linspace(*limit, _POINTS) for limit in limits], (0.0, 0.0)
    for number in range(_ROUNDS):
        first = np.stack([parts.electrostatics(float(sigma)) for sigma in ranges[0]])
        second = np.stack([parts.dispersion(float(scale)) for scale in ranges[1]])
        rest = parts.rest - parts.reference
        errors = np.stack([np.abs(rest + row + second).mean(axis=1) for row in first])
        place = np.unravel_index(int(errors.argmin()), errors.shape)
        found = float(ranges[0][place[0]]), float(ranges[1][place[1]])
        reach = [(high - low) / 2 / _ZOOM ** (number + 1) for low, high in limits]
        ranges = [
            np.linspace(max(low, value - half), min(high, value + half), _POINTS)
            for (low, high), value, half in zip(limits, found, reach, strict=True)
        ]
    at_edge = any(np.isclose(value, limit).any() for value, limit in zip(found, limits, strict=True))
    return *found, at_edge


def damping_parts(
    force_field: ForceField, frames: Iterable[tuple[int, Atoms]], *, reference_key: str = "reference_Eint"
) -> DampingParts:
    """One evaluation of the model for every dimer and for its molecules far apart."""
    force_field = force_field.with_options(long_range_cutoff=None, kernels="plain")
    references, systems = _systems(force_field, frames, reference_key)
    predictions = dict(predict_many(force_field, systems.items(), precision="float64"))
    pairs = _Pairs.of(systems, predictions, len(references))
    rest = np.zeros(len(references))
    for (dimer, sign), prediction in predictions.items():
        terms = prediction.energy_terms
        long_range = terms["electrostatics"] + terms["dispersion"]
        rest[dimer] += sign * float(prediction.energy - long_range) / KCAL_PER_MOL
    return DampingParts(np.array(references), rest, pairs.electrostatics, pairs.dispersion)


def _systems(
    force_field: ForceField, frames: Iterable[tuple[int, Atoms]], key: str
) -> tuple[list[float], dict[tuple[int, int], System]]:
    """References, and systems by dimer and sign: +1 for the complex, -1 for the molecules apart."""
    references: list[float] = []
    systems: dict[tuple[int, int], System] = {}
    for index, atoms in frames:
        if key not in atoms.info:
            continue
        try:
            near, apart = dimer_systems(atoms)
            force_field.check(near)
            references.append(float(atoms.info[key]))
        except (HelioError, TypeError, ValueError) as error:
            raise HelioError(f"dimer {index} ({atoms.info.get('name', 'no name')}): {error}") from error
        systems |= {(len(references) - 1, 1): near, (len(references) - 1, -1): apart}
    if not references:
        raise HelioError(f"no structure has a {key}: name the reference energies with --reference-key")
    return references, systems


@dataclass(frozen=True)
class _Pairs:
    """All pairs of atoms of all systems in one row, with the sign and number of their dimer."""

    distance: np.ndarray  # A
    charges: tuple[np.ndarray, np.ndarray]
    polarizabilities: tuple[np.ndarray, np.ndarray]
    c6: tuple[np.ndarray, np.ndarray]
    sign: np.ndarray
    dimer: np.ndarray
    count: int

    @classmethod
    def of(
        cls, systems: dict[tuple[int, int], System], predictions: dict[tuple[int, int], Prediction], count: int
    ) -> _Pairs:
        columns: list[list[np.ndarray]] = []
        free = np.asarray(free_atom_table(), np.float64)
        for (dimer, sign), system in systems.items():
            found = predictions[dimer, sign]
            i, j = np.triu_indices(len(system), 1)
            with numerics("float64"):
                own = jnp.asarray(free[system.atomic_numbers])
                values = dispersion.atoms_in_molecules(own[:, 0], own[:, 1], jnp.asarray(found.hirshfeld_ratios))
            alpha, c6 = map(np.asarray, values)
            distance = np.linalg.norm(system.positions[i] - system.positions[j], axis=1)
            per_pair = [distance, found.charges[i], found.charges[j], alpha[i], alpha[j], c6[i], c6[j]]
            columns.append([*per_pair, np.full(len(i), sign), np.full(len(i), dimer)])
        r, qi, qj, ai, aj, ci, cj, sign, dimer = (np.concatenate(column) for column in zip(*columns, strict=True))
        return cls(r, (qi, qj), (ai, aj), (ci, cj), sign, dimer, count)

    def electrostatics(self, sigma: float) -> np.ndarray:
        """In kcal/mol, of every dimer."""
        with numerics("float64"):
            distance = jnp.asarray(self.distance)
            potential = jnp.where(distance < ALL_PAIRS, coulomb.shifted_coulomb(distance, sigma, ALL_PAIRS), 0)
            return self._summed(coulomb.pair_energy(potential, *map(jnp.asarray, self.charges)))

    def dispersion(self, scale: float) -> np.ndarray:
        """In kcal/mol, of every dimer."""
        with numerics("float64"):
            values = map(jnp.asarray, (self.distance, *self.polarizabilities, *self.c6))
            return self._summed(dispersion.pair_energy(*values, scale=scale))

    def _summed(self, energies: np.ndarray | jnp.ndarray) -> np.ndarray:
        weighted = self.sign * np.asarray(energies)
        return np.bincount(self.dimer, weighted, minlength=self.count) / KCAL_PER_MOL

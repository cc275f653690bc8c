"""The atoms that are simulated, and how to get them from ASE."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from helio.electrons import electrons_of
from helio.errors import HelioError

if TYPE_CHECKING:
    from ase import Atoms


_FARTHEST = 1e6  # A from the origin; float64 then still resolves 1e-10 A


class System(eqx.Module):
    """Positions, elements, cell, charge and spin of N atoms.

    Arrays live on the host (numpy, float64) until `astype` makes JAX arrays of them. Atoms with Z = 0 are padding:
    they feel and exert nothing.
    """

    positions: Float[Any, "N 3"]  # A
    atomic_numbers: Int[Any, " N"]
    masses: Float[Any, " N"]  # amu
    cell: Float[Any, "3 3"]  # A, row vectors; rows of directions that are not periodic are ignored
    total_charge: Float[Any, ""]  # e
    unpaired_electrons: Float[Any, ""]
    # Charge per fragment, for complexes of molecules with known charges: the number of the fragment that
    # each atom belongs to, and the fragments' charges, which sum to the total charge.
    fragments: Int[Any, " N"] | None = None
    fragment_charges: Float[Any, " G"] | None = None
    pbc: tuple[bool, bool, bool] = eqx.field(static=True, default=(False, False, False))

    @property
    def atom_mask(self) -> Bool[Any, " N"]:
        """True for real atoms, False for padding."""
        return self.atomic_numbers > 0

    @property
    def volume(self) -> Float[Any, ""]:
        """Volume of the cell in A^3."""
        a, b, c = self.cell
        xp = jnp if isinstance(self.cell, Array) else np
        return xp.abs(xp.dot(a, xp.cross(b, c)))

    def __len__(self) -> int:
        return self.positions.shape[0]

    def astype(self, dtype: str) -> System:
        """The same system as JAX arrays, floating-point ones in `dtype`."""

        def convert(leaf: Any) -> Array:
            return jnp.asarray(leaf, dtype if np.issubdtype(leaf.dtype, np.floating) else jnp.int32)

        import jax

        return jax.tree.map(convert, self)

    def padded(self, size: int) -> System:
        """The same system with padding atoms up to `size` rows (host arrays)."""
        extra = size - len(self)
        if extra == 0:
            return self

        def grow(array: Any, value: float) -> Any:
            return np.concatenate([array, np.full((extra, *array.shape[1:]), value, array.dtype)])

        return System(
            positions=grow(self.positions, 0),
            atomic_numbers=grow(self.atomic_numbers, 0),
            masses=grow(self.masses, 1),
            cell=self.cell,
            total_charge=self.total_charge,
            unpaired_electrons=self.unpaired_electrons,
            fragments=None if self.fragments is None else grow(self.fragments, 0),
            fragment_charges=self.fragment_charges,
            pbc=self.pbc,
        )

    def near_origin(self) -> tuple[System, Float[Any, "N 3"]]:
        """The same atoms around the origin, and what was taken off each position (A, float64; host arrays).

        Whole cells are taken off where the system is periodic, then the middle of what is left. Energies and forces are
        the same, but in float32 those of positions far from the origin would lose the digits that the place takes.
        """
        pbc = np.asarray(self.pbc)
        images = np.floor(self.positions @ np.linalg.inv(self.cell)) * pbc if pbc.any() else np.zeros((1, 3))
        taken = images @ self.cell + np.zeros_like(self.positions)
        inside = self.positions - taken
        taken = taken + (inside.min(axis=0) + inside.max(axis=0)) / 2
        return replace(self, positions=self.positions - taken), taken

    def without_padding(self) -> System:
        """The real atoms alone (host arrays)."""
        real = np.asarray(self.atom_mask)
        if real.all():
            return self
        return System(
            positions=self.positions[real],
            atomic_numbers=self.atomic_numbers[real],
            masses=self.masses[real],
            cell=self.cell,
            total_charge=self.total_charge,
            unpaired_electrons=self.unpaired_electrons,
            fragments=None if self.fragments is None else self.fragments[real],
            fragment_charges=self.fragment_charges,
            pbc=self.pbc,
        )

    def taken(self, order: Int[Array, " M"]) -> System:
        """The same atoms in another order (JAX arrays); a number N or beyond stands for a padding atom."""

        def take(values: Array, fill: float) -> Array:
            return values.at[order].get(mode="fill", fill_value=fill)

        return System(
            positions=take(self.positions, 0),
            atomic_numbers=take(self.atomic_numbers, 0),
            masses=take(self.masses, 1),
            cell=self.cell,
            total_charge=self.total_charge,
            unpaired_electrons=self.unpaired_electrons,
            fragments=None if self.fragments is None else take(self.fragments, 0),
            fragment_charges=self.fragment_charges,
            pbc=self.pbc,
        )

    @classmethod
    def from_ase(
        cls,
        atoms: Atoms,
        *,
        charge: float | None = None,
        unpaired_electrons: int | None = None,
        fragments: Sequence[int] | None = None,
        fragment_charges: Sequence[float] | None = None,
        check_parity: bool = True,
    ) -> System:
        """Make a system from ASE `Atoms`.

        The total charge and the number of unpaired electrons are, in this order: the argument; what `atoms` state under
        any of the names in `helio.electrons`; zero.

        Raises `HelioError` for no atoms, positions that are not finite, two atoms at one place, a periodic
        direction without a cell vector, a charge that is no integer, or a charge and spin that the number of
        electrons contradicts.
        """
        electrons = electrons_of(atoms, charge=charge, unpaired_electrons=unpaired_electrons, check_parity=check_parity)
        system = cls(
            positions=np.asarray(atoms.positions, np.float64),
            atomic_numbers=np.asarray(atoms.numbers, np.int32),
            masses=np.asarray(atoms.get_masses(), np.float64),
            cell=_complete_cell(atoms),
            total_charge=np.float64(electrons.charge),
            unpaired_electrons=np.float64(electrons.unpaired),
            fragments=None if fragments is None else np.asarray(fragments, np.int32),
            fragment_charges=None if fragment_charges is None else np.asarray(fragment_charges, np.float64),
            pbc=(bool(atoms.pbc[0]), bool(atoms.pbc[1]), bool(atoms.pbc[2])),
        )
        _check(system)
        return system

    def to_ase(self) -> Atoms:
        """The real atoms as ASE `Atoms`, with `charge` and `spin` in `info`."""
        from ase import Atoms

        real = np.asarray(self.atom_mask)
        return Atoms(
            numbers=np.asarray(self.atomic_numbers)[real],
            positions=np.asarray(self.positions, np.float64)[real],
            masses=np.asarray(self.masses, np.float64)[real],
            cell=np.asarray(self.cell, np.float64) * np.asarray(self.pbc)[:, None],
            pbc=self.pbc,
            info={"charge": float(self.total_charge), "spin": float(self.unpaired_electrons)},
        )


def _complete_cell(atoms: Atoms) -> np.ndarray:
    """The cell with unit vectors for the directions that are not periodic, so that it can be inverted."""
    cell = np.asarray(atoms.cell.array, np.float64)
    for axis, periodic in enumerate(atoms.pbc):
        if periodic and not (np.isfinite(cell[axis]).all() and np.linalg.norm(cell[axis]) > 1e-8):
            raise HelioError(
                f"the structure is periodic along cell vector {axis + 1}, but that vector is {cell[axis].tolist()}; "
                "give a cell or switch pbc off"
            )
    periodic_part = cell * np.asarray(atoms.pbc)[:, None]
    completed = np.asarray(atoms.cell.new(periodic_part).complete().array, np.float64)
    if atoms.pbc.any() and abs(np.linalg.det(completed)) < 1e-8:
        raise HelioError(f"the cell vectors {cell.tolist()} lie in one plane: the cell has no volume")
    return completed


def _check(system: System) -> None:
    if len(system) == 0:
        raise HelioError("the structure has no atoms")
    if not np.isfinite(system.positions).all():
        atom = int(np.flatnonzero(~np.isfinite(system.positions).all(axis=1))[0])
        raise HelioError(f"the position of atom {atom} is not a finite number: {system.positions[atom].tolist()}")
    farthest = int(np.abs(system.positions).max(axis=1).argmax())
    if np.abs(system.positions[farthest]).max() > _FARTHEST:
        raise HelioError(
            f"atom {farthest} lies at {system.positions[farthest].tolist()} A, beyond the {_FARTHEST:g} A that Helio "
            "computes with: check the units of the positions, or move the system towards the origin"
        )
    if (system.atomic_numbers < 1).any():
        raise HelioError("the structure has atoms of an unknown element (atomic number 0); give each atom its element")
    if system.fragments is not None:
        _check_fragments(system)


def _check_fragments(system: System) -> None:
    charges = system.fragment_charges
    fragments = np.asarray(system.fragments)
    if charges is None or fragments.shape != (len(system),):
        raise HelioError("fragments need one number per atom and fragment_charges one charge per fragment")
    if set(np.unique(fragments)) != set(range(len(charges))):
        raise HelioError(f"atoms must be assigned to fragments 0 to {len(charges) - 1}, each with at least one atom")
    if abs(charges.sum() - system.total_charge) > 1e-6:
        raise HelioError(
            f"the fragment charges {charges.tolist()} do not sum to the total charge {system.total_charge:g}"
        )

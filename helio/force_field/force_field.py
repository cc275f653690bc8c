"""The potential: network plus physical terms, and its derivatives."""

from __future__ import annotations

from dataclasses import replace
from typing import TypedDict, Unpack

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from helio.errors import HelioError
from helio.force_field.arrangement import deformed, in_order_of_atoms, network_pairs, own_part, plan_lists
from helio.force_field.checks import check_system
from helio.force_field.long_range_cutoff import automatic_cutoff
from helio.force_field.settings import ForceFieldSettings
from helio.force_field.tabulation import Kernels, filter_tables, physics_compiled, why_plain
from helio.force_field.uncertainty import Uncertainty
from helio.kernels import TabulatedFilters
from helio.long_range import LATTICE_SUMS, DispersionTail, Electrostatics
from helio.neighbors import (
    NeighborList,
    NeighborPlans,
    Neighbors,
    Plan,
    device_list,
    host_neighbors,
    reciprocal_vectors,
    round_up,
    sizes,
    widened,
)
from helio.network import ChargeHead, EnergyHead, HirshfeldHead, SO3krates
from helio.physics import coulomb, dispersion, dispersion_tail, ewald, pair, pme
from helio.physics.compiled import compiled_atomic_energies, compiled_repulsion
from helio.physics.free_atoms import free_atom_table
from helio.physics.tiles import LongRangePair, tiled_atomic_energies
from helio.physics.zbl import ZBL
from helio.precision import Precision
from helio.prediction import Prediction
from helio.rows import ALL_ROWS, Rows
from helio.system import System


class Options(TypedDict, total=False):
    """Choices of each simulation; see `ForceField` and `ForceField.with_options`."""

    long_range_cutoff: float | None
    electrostatics: Electrostatics
    dispersion_tail: DispersionTail
    pme_tolerance: float
    kernels: Kernels


class ForceField(eqx.Module):
    """E = E_ZBL + E_SO3krates + E_electrostatics + E_dispersion (SO3LR, JACS 2025, eq. 1).

    Parameters are leaves of the tree; `settings` fix the functional form. The long-range cutoff (A; None for
    that of `helio.force_field.long_range_cutoff`: 12 A where a system is periodic, all pairs of a molecule) and the
    kind of electrostatics are choices of each simulation:

    - "shifted": erf(r/sigma)/r shifted to zero at the cutoff, as published;
    - "wolf": the same with the self-term of `coulomb.wolf_self_energies`, an energy term of its own;
    - "ewald": the exact periodic sum; "pme": the same on a mesh, to the relative accuracy of forces `pme_tolerance`.
      Dispersion keeps its cutoff, beyond which `dispersion_tail` may add to it: see `helio.physics.dispersion_tail`.

    With `tables` of the radial filters, attention and, on CPUs, long-range pairs run compiled (`helio.kernels`). They
    are made from the parameters that the model has then: whoever changes parameters or differentiates in them, or
    twice, leaves them out. So it is with the `uncertainty` that belongs to the parameters of a calibrated model;
    nothing here uses it, `helio.uncertainty` does.
    """

    network: SO3krates
    energy_head: EnergyHead
    charge_head: ChargeHead
    hirshfeld_head: HirshfeldHead
    zbl: ZBL
    settings: ForceFieldSettings = eqx.field(static=True)
    long_range_cutoff: float | None = eqx.field(static=True, default=None)
    electrostatics: Electrostatics = eqx.field(static=True, default="shifted")
    dispersion_tail: DispersionTail = eqx.field(static=True, default="none")
    pme_tolerance: float = eqx.field(static=True, default=1e-4)
    tables: tuple[TabulatedFilters, ...] | None = None
    uncertainty: Uncertainty | None = None

    @classmethod
    def initialise(cls, settings: ForceFieldSettings, seed: int | np.random.Generator) -> ForceField:
        """A force field with random float32 parameters, the same for the same seed."""
        rng = np.random.default_rng(seed)
        return cls(
            network=SO3krates(
                num_layers=settings.num_layers,
                features=settings.features,
                num_heads=settings.num_heads,
                degrees=settings.degrees,
                num_radial=settings.num_radial,
                spherical_hidden=settings.spherical_hidden,
                average_neighbors=settings.average_neighbors,
                rng=rng,
            ),
            energy_head=EnergyHead(settings.features, rng=rng),
            charge_head=ChargeHead(settings.features, rng=rng),
            hirshfeld_head=HirshfeldHead(settings.features, settings.hirshfeld_width, rng=rng),
            zbl=ZBL.universal(),
            settings=settings,
        )

    def with_options(self, **options: Unpack[Options]) -> ForceField:
        """The same model with other options; those that are not named stay as they are.

        Args:
            options: `long_range_cutoff` (A, None for the automatic one); `electrostatics`; `dispersion_tail`;
                `pme_tolerance`; `kernels`:
                "auto" lets what is slow run compiled where it can (`why_plain` says why not), "plain" never,
                "compiled" also where that is not proven.

        Raises:
            HelioError: `kernels` is "compiled" and the model cannot run so.
        """
        if "kernels" not in options:
            return replace(self, **options)
        kernels, tables = options.pop("kernels"), None
        if kernels in ("auto", "compiled"):
            problem = why_plain(self.settings, kernels=kernels)
            if problem is None:
                tables = filter_tables(self.network, self.settings)
            elif kernels == "compiled":
                raise HelioError(f"the model cannot run compiled: {problem}; --kernels auto runs it all the same")
        return replace(self, **options, tables=tables)

    def cutoff_for(self, pbc: tuple[bool, bool, bool]) -> float:
        """The long-range cutoff in A of a system with these periodic directions."""
        return automatic_cutoff(pbc) if self.long_range_cutoff is None else self.long_range_cutoff

    def astype(self, dtype: Precision) -> ForceField:
        """The same model with parameters in `dtype`, and with tables as fine as that precision asks for.

        Not to be traced where the model has tables.
        """
        tables = self.tables
        if tables is not None and any(table.precision != dtype for table in tables):
            tables = filter_tables(self.network, self.settings, precision=dtype)
        return jax.tree.map(lambda leaf: jnp.asarray(leaf, dtype), replace(self, tables=tables))

    def check(self, system: System) -> None:
        """Raise `HelioError` if this force field cannot describe `system` (host arrays)."""
        check_system(
            system,
            supported_elements=self.settings.supported_elements,
            long_range_cutoff=self.cutoff_for(system.pbc),
            electrostatics=self.electrostatics,
            dispersion_tail=self.dispersion_tail,
        )

    def neighbors(
        self,
        system: System,
        *,
        skin: float = 0.0,
        rows: int | None = None,
    ) -> Neighbors:
        """The lists that this force field needs for `system`, made on the host (numpy arrays).

        `system` holds host arrays without padding; `rows` sets the number of rows, N or more, and `skin` (A) is added
        to both cutoffs. Sizes are rounded up, so that compiled programs are reused.
        """
        reciprocal, mesh = self._reciprocal_space(system)
        neighbors = host_neighbors(
            system.positions,
            system.cell,
            system.pbc,
            short_cutoff=self.settings.cutoff,
            long_cutoff=self.cutoff_for(system.pbc),
            skin=skin,
            rows=rows,
            reciprocal=reciprocal,
            mesh=mesh,
        )
        made = sizes(neighbors)
        if made.reciprocal:
            made = made._replace(reciprocal=round_up(made.reciprocal))
        return widened(neighbors, made)

    def plan(
        self,
        system: System,
        *,
        short_skin: float,
        long_skin: float,
        spare: float = 1.1,
        all_within: bool = False,
        devices: int = 1,
    ) -> NeighborPlans:
        """Sizes of lists that are made on the device, for systems like `system` (host arrays without padding).

        Args:
            system: as it is now.
            short_skin: in A, added to the network's cutoff.
            long_skin: in A, added to the long-range cutoff.
            spare: sizes are what is needed now times this.
            all_within: give pairs in the skin of the short list as much room as those within the cutoff; else they
                are left out of every evaluation, which is faster, and the energy is NaN where more pairs come within
                the cutoff than there is room for.
            devices: how many share the rows of the lists.
        """
        reciprocal, mesh = self._reciprocal_space(system)
        return plan_lists(
            system,
            cutoff=self.settings.cutoff,
            long_range_cutoff=self.cutoff_for(system.pbc),
            short_skin=short_skin,
            long_skin=long_skin,
            spare=spare,
            all_within=all_within,
            devices=devices,
            reciprocal=reciprocal,
            mesh=mesh,
        )

    def make_list(self, system: System, plan: Plan, rows: Rows = ALL_ROWS) -> NeighborList:
        """A list of `system` in the order of its rows (JAX arrays), in compiled code."""
        return device_list(system.positions, system.cell, system.atom_mask, system.pbc, plan, rows)

    def placed(self, pairs: NeighborList) -> NeighborList:
        """The list on the device where `make_list` leaves it: any."""
        return pairs

    def _reciprocal_space(self, system: System) -> tuple[np.ndarray | None, tuple[int, int, int] | None]:
        """The reciprocal vectors of an Ewald sum, and the mesh, where there are such (host arrays)."""
        reciprocal, sigma = None, self.settings.electrostatics_sigma
        if self.electrostatics == "ewald":
            reciprocal = reciprocal_vectors(system.cell, longest=ewald.longest_wave_vector(sigma))
        return reciprocal, self.mesh(system.cell)

    def mesh(self, cell: np.ndarray) -> tuple[int, int, int] | None:
        """The mesh that a cell (A, host array) needs, for charges and dispersion alike; None where neither uses one."""
        meshes = []
        if self.electrostatics == "pme":
            meshes.append(pme.mesh_for(cell, self.settings.electrostatics_sigma, self.pme_tolerance))
        if self.dispersion_tail == "mesh":
            meshes.append(dispersion_tail.mesh_for(cell))
        return tuple(max(sizes) for sizes in zip(*meshes, strict=True)) or None  # pyright: ignore[reportReturnType]

    def __call__(self, system: System, neighbors: Neighbors, rows: Rows = ALL_ROWS) -> Prediction:
        """Energy, forces, stress and per-atom quantities; JAX arrays of one precision.

        Forces are -dE/dr and stress (1/V) dE/dstrain of the very energy that is returned, by automatic
        differentiation. Use it inside `jax.jit`.

        Args:
            system: the whole system.
            neighbors: the lists, of the rows that are here.
            rows: which these are; `Sharded` calls this on every device of a mesh.
        """
        periodic = all(system.pbc)
        listed = system if neighbors.order is None else system.taken(neighbors.order)

        def energy(positions: Array, strain: Array) -> tuple[Array, Prediction]:
            prediction = self._energies(deformed(listed, positions, strain if periodic else None), neighbors, rows)
            return prediction.atomic_energies.sum(), prediction

        strain = jnp.zeros((3, 3), listed.positions.dtype)
        (gradient, virial), prediction = jax.grad(energy, argnums=(0, 1), has_aux=True)(listed.positions, strain)
        gradient, virial = rows.sum((gradient, virial))
        stress = (virial + virial.T) / (2 * system.volume) if periodic else None
        return in_order_of_atoms(prediction, -gradient, stress, neighbors.order, len(system), rows)

    def _energies(self, system: System, neighbors: Neighbors, rows: Rows) -> Prediction:
        """The prediction with forces and stress left at None; per-atom quantities are those of the rows here."""
        settings, own = self.settings, own_part(system, rows)
        numbers, mask = own.atomic_numbers, own.atom_mask
        short, geometry, overflow = network_pairs(settings, self.tables, system, neighbors, rows)
        x = self.network(numbers, system.total_charge, system.unpaired_electrons, mask, geometry)
        charges = self._charges(x, own, rows)
        ratios = jnp.where(mask, self.hirshfeld_head(x, numbers), 1)

        terms = {"network": jnp.where(mask, self.energy_head(x, numbers), 0)}
        if settings.zbl:
            terms["zbl"] = self._repulsion(system, neighbors, short, rows)
        terms |= self._long_range(system, neighbors, charges, ratios, rows)
        atomic = jnp.where(overflow, jnp.nan, jnp.sum(jnp.stack(list(terms.values())), axis=0))
        return Prediction(
            energy=rows.sum(atomic.sum()),
            energy_terms=rows.sum({name: values.sum() for name, values in terms.items()}),
            atomic_energies=atomic,
            forces=None,  # pyright: ignore
            stress=None,
            charges=charges,
            hirshfeld_ratios=jnp.where(mask, ratios, 0),
            dipole=rows.sum(charges @ own.positions),
        )

    def _repulsion(
        self, system: System, neighbors: Neighbors, short: pair.MeasuredPairs | None, rows: Rows
    ) -> Float[Array, " N"]:
        """Of the rows here; over `short` where there is one."""
        numbers, settings = system.atomic_numbers, self.settings
        reach = {"cutoff": settings.cutoff, "reach": settings.zbl_reach}
        if short is None:
            where = system.positions, system.cell, neighbors.short
            return compiled_repulsion(self.zbl, numbers, *where, **reach, rows=rows)
        own = rows.own(numbers)
        return pair.per_atom(pair.zbl_energies(self.zbl, own, short, **reach), short, len(own))

    def _charges(self, x: Float[Array, "N F"], system: System, rows: Rows) -> Float[Array, " N"]:
        groups, group_charges = system.fragments, system.fragment_charges
        if groups is None or group_charges is None:
            groups, group_charges = jnp.zeros_like(system.atomic_numbers), system.total_charge[None]
        return self.charge_head(x, system.atomic_numbers, system.atom_mask, groups, group_charges, rows)

    def _long_range(
        self, system: System, neighbors: Neighbors, charges: Float[Array, " N"], ratios: Float[Array, " N"], rows: Rows
    ) -> dict[str, Float[Array, " N"]]:
        """Terms over the long list or in reciprocal space, as energies per atom."""
        settings, terms, cutoff = self.settings, {}, self.cutoff_for(system.pbc)
        positions, cell = system.positions, system.cell
        in_pairs = settings.electrostatics and self.electrostatics not in LATTICE_SUMS
        free = jnp.asarray(free_atom_table(), charges.dtype)[rows.own(system.atomic_numbers)]
        polarizability, c6 = dispersion.atoms_in_molecules(free[:, 0], free[:, 1], ratios)
        energy = LongRangePair(
            cutoff=cutoff,
            sigma=settings.electrostatics_sigma if in_pairs else None,
            dispersion_scale=settings.dispersion_scale if settings.dispersion else None,
            switch_width=settings.dispersion_switch_width,
        )
        if in_pairs or settings.dispersion:
            atomic = {"charge": charges, "polarizability": polarizability, "c6": c6}
            where = atomic, positions, cell, neighbors.long
            if not physics_compiled(self.tables):
                terms = tiled_atomic_energies(energy, *where, cutoff=cutoff, rows=rows)
            else:
                terms = compiled_atomic_energies(energy, *where, rows=rows)
        if in_pairs and self.electrostatics == "wolf":
            terms["electrostatics_self"] = coulomb.wolf_self_energies(charges, settings.electrostatics_sigma, cutoff)
        if settings.electrostatics and not in_pairs:
            whole, sigma = (rows.own(positions), charges, cell), settings.electrostatics_sigma
            if self.electrostatics == "pme":
                assert neighbors.mesh is not None
                terms["electrostatics"] = pme.atomic_energies(*whole, neighbors.mesh, pme.ORDER, sigma, rows)
            else:
                assert neighbors.reciprocal is not None
                terms["electrostatics"] = ewald.atomic_energies(*whole, neighbors.reciprocal, sigma, rows)
        if settings.dispersion and self.dispersion_tail != "none":
            terms["dispersion_tail"] = self._dispersion_tail(system, neighbors, polarizability, rows)
        return terms

    def _dispersion_tail(
        self, system: System, neighbors: Neighbors, polarizability: Float[Array, " N"], rows: Rows
    ) -> Float[Array, " N"]:
        own = own_part(system, rows)
        polarizability = jnp.where(own.atom_mask, polarizability, 0)
        reach = {"cutoff": self.cutoff_for(system.pbc), "switch_width": self.settings.dispersion_switch_width}
        if self.dispersion_tail == "isotropic":
            where = own.atomic_numbers, system.cell
            return dispersion_tail.isotropic_energies(polarizability, *where, **reach, rows=rows)
        assert neighbors.mesh is not None
        return dispersion_tail.mesh_energies(
            polarizability,
            own.atomic_numbers,
            own.positions,
            system.cell,
            mesh=neighbors.mesh,
            elements=self.settings.supported_elements,
            **reach,
            rows=rows,
        )

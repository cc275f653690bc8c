"""Lists that are watched: they hold as long as they say, and are made anew in time."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from ase import Atoms
from hypothesis import given, settings
from hypothesis import strategies as st

from helio.neighbors import NeighborList, Neighbors, host_list
from helio.precision import numerics
from helio.simulate import Freedom, Schedule, advance, make_lists, start
from helio.simulate.barostats import Coupling, OuterPressure, StochasticCell
from helio.simulate.ensembles import constant_energy, with_stochastic_cell
from helio.simulate.lists import Watched
from helio.simulate.thermostats import Langevin
from helio.system import System
from helio.units import BOLTZMANN, FS

CUTOFF, SKIN = 3.0, 0.6
EVERYWHERE = (True, True, True)
CELL = np.array([[7.0, 0, 0], [1.5, 6.5, 0], [-1.0, 2.0, 7.5]])


def periodic(positions: np.ndarray, cell: np.ndarray) -> System:
    return System.from_ase(Atoms(f"H{len(positions)}", positions, cell=cell, pbc=True), check_parity=False)


def pairs_of(found: NeighborList) -> set[tuple[int, ...]]:
    assert found.shift is not None
    rows, columns = np.nonzero(np.asarray(found.mask))
    shifts = np.asarray(found.shift)[rows, columns]
    return set(map(tuple, np.column_stack([rows, np.asarray(found.index)[rows, columns], shifts]).tolist()))


def room(reference: System, now: System) -> float:
    """In A, for a list made at the reference."""
    with numerics("float64"):
        reference, now = reference.astype("float64"), now.astype("float64")
        nothing: Any = None
        watched = Watched(nothing, reference.positions, reference.cell, jnp.asarray(True))
        return float(measured(watched, now))


measured = jax.jit(lambda watched, system: watched.room(system, cutoff=CUTOFF, skin=SKIN))


@settings(max_examples=60, deadline=None)
@given(
    strain=st.lists(st.floats(-0.12, 0.12), min_size=9, max_size=9),
    share=st.floats(0.0, 1.0),
    seed=st.integers(0, 2**32 - 1),
)
def test_a_list_with_room_is_complete(strain: list[float], share: float, seed: int) -> None:
    """Deform the cell, then move all atoms by as much as is allowed, in random directions."""
    generator = np.random.default_rng(seed)
    positions = generator.random((40, 3)) @ CELL
    # A random strain at its full size seldom leaves room: scaled to use the given share of the skin.
    stretch = np.eye(3) + np.array(strain).reshape(3, 3) * share * 0.3
    reference, followed = periodic(positions, CELL), periodic(positions @ stretch, CELL @ stretch)
    left = room(reference, followed)
    if left < 0:
        return
    moves = generator.normal(size=positions.shape)
    moves *= 0.999 * left / np.linalg.norm(moves, axis=1)[:, None]
    now = periodic(positions @ stretch + moves, CELL @ stretch)
    assert 0 <= room(reference, now) < 0.002 * max(left, 1e-6) + 1e-9
    made = host_list(positions, CELL, EVERYWHERE, cutoff=CUTOFF + SKIN)
    needed = host_list(now.positions, now.cell, EVERYWHERE, cutoff=CUTOFF)
    assert pairs_of(needed) <= pairs_of(made)


def test_the_rule_is_as_sharp_as_it_can_be() -> None:
    """Two atoms just outside the list approach by more than the skin: it is left at the moment they are in reach."""
    apart = CUTOFF + SKIN + 1e-3
    positions = np.array([[0, 0, 0], [apart, 0, 0]])
    cell = np.diag([30.0, 30.0, 30.0])
    for moved in (0.2, 0.299, 0.301):
        now = periodic(positions + np.array([[moved, 0, 0], [-moved, 0, 0]]), cell)
        assert (room(periodic(positions, cell), now) > 0) == (moved < 0.5 * SKIN)
    # A cell that shrinks alike in all directions uses up the skin sqrt 3 times as fast as it must.
    must = 1 - CUTOFF / (CUTOFF + SKIN)
    for strain, enough in ((must / np.sqrt(3) * 0.9, True), (must * 1.01, False)):
        now = periodic(positions * (1 - strain), cell * (1 - strain))
        assert (room(periodic(positions, cell), now) > 0) == enough


def test_not_a_number_leaves_no_room() -> None:
    positions = np.array([[0, 0, 0], [1.0, 0, 0]])
    reference = periodic(positions, CELL)
    broken = eqx.tree_at(lambda system: system.positions, reference, positions * np.nan)
    assert not room(reference, broken) >= 0


def test_lists_follow_a_cell_that_changes_much(soft_spheres: Any) -> None:
    """At the end of a run that compresses the cell, energy, forces and stress are those of new lists."""
    positions = np.random.default_rng(3).random((40, 3)) * 10.0
    with numerics("float64"):
        kt = Schedule.constant(600 * BOLTZMANN)
        potential = soft_spheres(jnp.asarray(0.3))
        system = System.from_ase(Atoms("Ne40", positions, cell=[10.0] * 3, pbc=True)).astype("float64")
        barostat = StochasticCell(
            OuterPressure(Schedule.constant(0.012), jnp.asarray(0.0)),
            kt,
            jnp.asarray(100 * FS),
            jnp.asarray(20.0),
            coupling=Coupling.TRICLINIC,
        )
        integrator = with_stochastic_cell(
            jnp.asarray(2 * FS), Freedom(), Langevin(kt, jnp.asarray(0.02 / FS)), barostat
        )
        lists = make_lists(potential, system, skin=0.3, long_skin=0.5, spare=2.5)
        state, lists = start(
            potential, integrator, system, lists, key=jax.random.PRNGKey(2), thermal_energy=600 * BOLTZMANN
        )
        apart = []
        for until in range(5, 151, 5):
            state, lists = advance(potential, integrator, state, lists, until=until)
            apart.append((np.asarray(lists.short.reference) != np.asarray(lists.long.reference)).any())
        where = np.asarray(state.system.positions), np.asarray(state.system.cell), EVERYWHERE
        lists_of_host = Neighbors(host_list(*where, cutoff=2.0), host_list(*where, cutoff=3.0), short_within=1000)
        fresh = eqx.filter_jit(potential)(state.system, jax.tree.map(jnp.asarray, lists_of_host))
        volume, old_volume = float(state.system.volume), float(system.volume)
        tilt = float(jnp.abs(state.system.cell - jnp.diag(jnp.diagonal(state.system.cell))).max())
    assert volume < 0.9 * old_volume and tilt > 0.05
    assert any(apart)  # each list was made when it was its turn
    assert (np.asarray(lists.short.cell) != np.asarray(system.cell)).any()
    for name in ("energy", "forces", "stress"):
        old, new = (np.asarray(getattr(p, name)) for p in (state.prediction, fresh))
        np.testing.assert_allclose(old, new, rtol=1e-10, atol=1e-12)


def test_lists_of_another_cell_are_made_anew_where_the_cell_stays(soft_spheres: Any) -> None:
    """Such runs look at the cell when they begin, and never again."""
    positions = np.random.default_rng(3).random((40, 3)) * 10.0
    with numerics("float64"):
        potential, integrator = soft_spheres(jnp.asarray(0.3)), constant_energy(jnp.asarray(FS), Freedom())
        system = System.from_ase(Atoms("Ne40", positions, cell=[10.0] * 3, pbc=True)).astype("float64")
        lists = make_lists(potential, system, skin=0.3, long_skin=0.5, spare=2.5)
        smaller = eqx.tree_at(lambda s: s.cell, system, 0.95 * system.cell)
        state, lists = start(potential, integrator, smaller, lists, key=jax.random.PRNGKey(2), thermal_energy=0.01)
        where = np.asarray(state.system.positions), np.asarray(smaller.cell), EVERYWHERE
        lists_of_host = Neighbors(host_list(*where, cutoff=2.0), host_list(*where, cutoff=3.0), short_within=1000)
        fresh = eqx.filter_jit(potential)(state.system, jax.tree.map(jnp.asarray, lists_of_host))
    assert not integrator.moves_cell and (np.asarray(lists.short.cell) == np.asarray(smaller.cell)).all()
    np.testing.assert_allclose(state.prediction.forces, fresh.forces, rtol=1e-10, atol=1e-12)

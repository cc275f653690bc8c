"""The engine's lists: what happens when they no longer suffice."""

from __future__ import annotations

import dataclasses

import ase.build
import jax
import jax.numpy as jnp
import numpy as np

from helio.force_field import ForceField
from helio.precision import numerics
from helio.simulate.engine import advance, start
from helio.simulate.nve import VelocityVerlet
from helio.system import System
from helio.units import BOLTZMANN, FS


def test_pairs_that_outgrow_their_room_are_given_more(small_force_field: ForceField):
    atoms = ase.build.molecule("CH3CH2NH2")
    atoms.rattle(0.02, seed=4)
    with numerics("float64"):
        model = small_force_field.astype("float64")
        integrator = VelocityVerlet(jnp.asarray(0.2 * FS))
        state, lists = start(
            model,
            integrator,
            System.from_ase(atoms).astype("float64"),
            key=jax.random.key_data(jax.random.key(0)).astype(jnp.uint32),
            thermal_energy=100 * BOLTZMANN,
            skin=0.6,
        )
        expected, _ = advance(model, integrator, state, lists, until=4)

        # Too little room, and the atoms no longer where the list was made.
        used = dataclasses.replace(
            lists,
            neighbors=dataclasses.replace(lists.neighbors, short_within=4),
            reference=lists.reference + 1e-3,
        )
        found, renewed = advance(model, integrator, state, used, until=4)
    assert renewed.neighbors.short_within > 4
    assert int(found.step) == 4
    np.testing.assert_allclose(
        np.asarray(found.system.positions), np.asarray(expected.system.positions), rtol=0, atol=1e-12
    )

"""The whole force field with compiled attention, against the authors' numbers and against the plain path."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from helio.errors import HelioError
from helio.force_field import ForceField, load_model, save_model
from helio.force_field.model_file import ModelInfo, named_tensors
from helio.force_field.sharded import everywhere, sharded
from helio.force_field.tabulation import physics_compiled, why_plain
from helio.kernels import available, why_unavailable
from helio.neighbors import sizes, widened
from helio.precision import Precision, numerics
from helio.prediction import Prediction
from helio.simulate.engine import advance, make_lists, start
from helio.simulate.ensembles import constant_energy
from helio.simulate.freedom import Freedom
from helio.system import System
from helio.units import FS
from tests.conftest import ReferenceCase, reference_case
from tests.force_field.test_reference import BOX, MOLECULE, NAMES

pytestmark = pytest.mark.skipif(not available(), reason=str(why_unavailable()))

evaluate = eqx.filter_jit(lambda force_field, system, neighbors: force_field(system, neighbors))


@pytest.fixture(scope="module")
def compiled(so3lr: ForceField) -> ForceField:
    force_field = so3lr.with_options(kernels="auto")
    assert force_field.tables is not None
    return force_field


def predict(force_field: ForceField, case: ReferenceCase, precision: Precision) -> Prediction:
    """With lists that reach beyond the cutoffs and carry free places."""
    force_field = force_field.with_options(long_range_cutoff=case.long_range_cutoff)
    system = System.from_ase(case.atoms)
    rows, common = (192, BOX) if all(system.pbc) else (64, MOLECULE)
    neighbors = widened(force_field.neighbors(system, rows=rows), common)
    assert sizes(neighbors) == common
    with numerics(precision):
        arrays = system.padded(rows).astype(precision), jax.tree.map(jnp.asarray, neighbors)
        return evaluate(force_field.astype(precision), *arrays)


FEW = ("docosahexaenoic_acid_lr12", "water_64_triclinic_lr12")


@pytest.mark.parametrize(
    "name", [*FEW, *(pytest.param(name, marks=pytest.mark.slow) for name in NAMES if name not in FEW)]
)
def test_published_numbers(compiled: ForceField, name: str):
    """Within 1e-9 eV per atom and 1e-8 eV/A in float64, whose tables are finer, and 1e-4 eV/A in float32."""
    case = reference_case(name)
    count = len(case.atoms)
    exact = predict(compiled, case, "float64")
    assert abs(float(exact.energy) - case.values["energy"]) < 1e-9 * count
    assert np.abs(np.asarray(exact.forces)[:count] - case.values["forces"]).max() < 1e-8
    assert np.abs(np.asarray(exact.charges)[:count] - case.values["partial_charges"]).max() < 1e-9
    single = predict(compiled, case, "float32")
    assert single.forces.dtype == np.float32
    assert np.abs(np.asarray(single.forces)[:count] - case.values["forces"]).max() < 1e-4
    network = float(single.energy_terms["network"]) - case.values["energy_so3k"]
    assert abs(network) < 1e-6 * count + 6e-8 * abs(case.values["energy_so3k"]) * 4
    if "stress" in case.values:
        assert exact.stress is not None and single.stress is not None
        assert np.abs(np.asarray(exact.stress) - case.values["stress"]).max() < 1e-8
        assert np.abs(np.asarray(single.stress) - case.values["stress"]).max() < 1e-6


def test_choice(small_force_field: ForceField, monkeypatch: pytest.MonkeyPatch):
    assert small_force_field.tables is None
    chosen = small_force_field.with_options(kernels="auto")
    assert chosen.tables is not None and len(chosen.tables) == 2
    assert chosen.with_options().tables is not None
    assert chosen.with_options(kernels="plain").tables is None
    assert physics_compiled(chosen.tables) and not physics_compiled(None)
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert "not been proven" in str(why_plain(small_force_field.settings))
    assert why_plain(small_force_field.settings, kernels="compiled") is None
    narrow = replace(small_force_field.settings, num_heads=4)  # heads of 8 features
    assert "power of two" in str(why_plain(narrow, kernels="compiled"))
    assert not physics_compiled(chosen.tables)
    monkeypatch.setattr(jax, "default_backend", lambda: "tpu")
    assert "CPU" in str(why_plain())
    assert small_force_field.with_options(kernels="auto").tables is None
    with pytest.raises(HelioError, match=r"cannot run compiled: .*tpu; --kernels auto"):
        small_force_field.with_options(kernels="compiled")


def test_tables_are_no_parameters(small_force_field: ForceField, tmp_path):
    path = tmp_path / "model.safetensors"
    save_model(small_force_field.with_options(kernels="auto"), path, ModelInfo("small"))
    assert set(named_tensors(load_model(path))) == set(named_tensors(small_force_field))
    assert load_model(path).tables is not None
    assert load_model(path, kernels="plain").tables is None


@cache
def water() -> System:
    atoms = reference_case("water_64_lr10").atoms
    return System.from_ase(atoms[:48])  # pyright: ignore[reportArgumentType]


def test_second_derivatives_ask_for_the_plain_path(small_force_field: ForceField):
    system = water()
    with numerics("float32"):
        force_field = small_force_field.with_options(kernels="auto").astype("float32")
        neighbors = jax.tree.map(jnp.asarray, force_field.neighbors(system))
        arrays = system.astype("float32")

        def forces(positions: jax.Array) -> Any:
            moved = eqx.tree_at(lambda s: s.positions, arrays, positions)
            return force_field(moved, neighbors).forces

        with pytest.raises(HelioError, match="plain"):
            jax.jacfwd(forces)(arrays.positions)


def test_batches_equal_single_systems(small_force_field: ForceField):
    system = water()
    with numerics("float64"):
        force_field = small_force_field.with_options(kernels="auto").astype("float64")
        neighbors = jax.tree.map(jnp.asarray, force_field.neighbors(system, skin=0.5))
        arrays = system.astype("float64")
        moves = jnp.asarray(np.random.default_rng(0).normal(scale=0.02, size=(3, *arrays.positions.shape)))

        def forces(move: jax.Array) -> Any:
            moved = eqx.tree_at(lambda s: s.positions, arrays, arrays.positions + move)
            prediction = force_field(moved, neighbors)
            return prediction.energy, prediction.forces, prediction.stress

        together = jax.jit(jax.vmap(forces))(moves)
        single = jax.jit(forces)
        for number, move in enumerate(moves):
            for a, b in zip(single(move), together, strict=True):
                assert float(jnp.abs(a - b[number]).max()) < 1e-10


def test_several_devices_equal_one(small_force_field: ForceField):
    host = water()
    with numerics("float64"):
        force_field = small_force_field.with_options(kernels="auto", long_range_cutoff=6.0).astype("float64")
        alone = evaluate(force_field, host.astype("float64"), jax.tree.map(jnp.asarray, force_field.neighbors(host)))
        many = sharded(force_field, 4)
        plans = many.plan(host, short_skin=0.3, long_skin=0.3)

        @eqx.filter_jit
        def shared(many: Any, system: System, plans: Any) -> Prediction:
            order = plans.order(system.positions, system.cell, system.pbc, system.atom_mask)
            lists = (many.make_list(system.taken(order), plan) for plan in (plans.short, plans.long))
            return many(system, plans.joined(*lists, order))

        found = shared(*everywhere(many.mesh, (many, host.astype("float64"), plans)))
    for name, tolerance in {"energy": 1e-10, "forces": 1e-10, "stress": 1e-12}.items():
        one, several = (np.asarray(getattr(prediction, name)) for prediction in (alone, found))
        assert np.abs(several - one).max() < tolerance, name


@pytest.mark.slow
def test_energy_is_kept_as_well_as_on_the_plain_path(so3lr: ForceField, compiled: ForceField):
    """Spread of the total energy of a hot molecule over 400 steps of NVE in float32."""
    spread = {}
    for name, force_field in {"plain": so3lr, "compiled": compiled}.items():
        with numerics("float32"):
            potential = force_field.with_options(long_range_cutoff=6.0).astype("float32")
            arrays = reference_system().astype("float32")
            integrator = constant_energy(jnp.asarray(0.5 * FS, "float32"), Freedom(fixed_center=True))
            lists = make_lists(potential, arrays, skin=0.3, long_skin=0.3)
            key = jax.random.PRNGKey(0)
            state, lists = start(potential, integrator, arrays, lists, key=key, thermal_energy=0.0259)
            totals = []
            for step in range(20, 401, 20):
                state, lists = advance(potential, integrator, state, lists, until=step)
                kinetic = 0.5 * jnp.sum(state.momenta**2 / state.system.masses[:, None])
                totals.append(float(state.prediction.energy) + float(kinetic))
        spread[name] = np.ptp(totals)
    assert spread["compiled"] < 1.2 * spread["plain"] + 1e-3


def reference_system() -> System:
    return System.from_ase(reference_case("ethanol_lr12").atoms)

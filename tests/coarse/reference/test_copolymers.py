"""The bead-spring engine against gradients, temperatures and single chains; sequences of the two classes."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from helio.coarse.reference import bead_spring
from helio.coarse.reference.bead_spring import advance, make_chains, push_apart, start
from helio.coarse.reference.copolymers import (
    EPSILON,
    TYPES,
    CopolymerSettings,
    class_one,
    class_two,
    copolymer,
    copolymers,
    simulate,
)
from helio.coarse.reference.data_sets import StoreOptions, write_copolymers
from helio.errors import HelioError
from helio.precision import numerics

# Compiled as a whole: one by one, their operations take much longer to compile.
forces, energies = jax.jit(bead_spring.forces), jax.jit(bead_spring.energies)
TABLE = np.sqrt(np.outer(EPSILON, EPSILON))
SMALL = CopolymerSettings(units=12, frames=30, interval=0.5, equilibration=1.0)


def two_chains(dtype: str):
    made = [copolymer(class_one(12, np.random.default_rng(seed))) for seed in (0, 1)]
    assert len(made[0]) != len(made[1])
    return made, make_chains([s.types for s in made], [s.bonds for s in made], TABLE, dtype=dtype)


def crowded(size: int, scale: float = 1.0) -> np.ndarray:
    """Random places that no two beads share, in a ball where most pairs interact."""
    random = np.random.default_rng(4)
    grid = np.stack(np.meshgrid(*[np.arange(4)] * 3), axis=-1).reshape(-1, 3)
    places = np.stack([random.permutation(grid)[:size] for _ in range(2)])
    return scale * (places + random.uniform(-0.1, 0.1, places.shape))


def test_forces_are_the_gradient():
    with numerics("float64"):
        _, chains = two_chains("float64")
        r = jnp.asarray(crowded(chains.real.shape[1]))
        found = np.asarray(forces(chains, r))
        automatic = -jax.jit(jax.grad(lambda r: energies(chains, r).sum()))(r)
        assert np.allclose(found, automatic, rtol=1e-10, atol=1e-9)
        shift = 1e-5
        for chain, bead, axis in ((0, 0, 0), (0, 7, 1), (1, 3, 2), (1, 11, 0)):
            ends = [float(energies(chains, r.at[chain, bead, axis].add(s))[chain]) for s in (-shift, shift)]
            assert found[chain, bead, axis] == pytest.approx((ends[0] - ends[1]) / (2 * shift), rel=1e-6, abs=1e-5)
        assert np.allclose(found.sum(axis=1), 0, atol=1e-9)


def test_energy_of_two_beads():
    """A dumbbell with a third bead at distance d: bond and pair energies by hand."""
    with numerics("float64"):
        types, bonds = [np.array([0, 1, 3])], [np.array([[0, 1]])]
        chains = make_chains(types, bonds, TABLE, dtype="float64")
        r = jnp.asarray([[[0, 0, 0], [1.07, 0, 0], [0, 1.2, 0]]])
        pair = lambda d, eps: 4 * eps * (d**-12 - d**-6 - 2.5**-12 + 2.5**-6)  # noqa: E731
        exact = 200 * 0.1**2 + pair(1.2, 0.16**0.5) + pair((1.2**2 + 1.07**2) ** 0.5, 0.4**0.5)
        assert float(energies(chains, r)[0]) == pytest.approx(exact)
        far = r.at[0, 2, 1].set(2.501)
        assert float(energies(chains, far)[0]) == pytest.approx(2.0)


def test_single_precision_far_from_the_origin():
    _, chains = two_chains("float32")
    r = jnp.asarray(crowded(chains.real.shape[1]), "float32")
    # Moved by a power of two that loses few digits of the positions.
    near = jnp.round(r * 2**12) / 2**12
    assert np.allclose(forces(chains, near + 256), forces(chains, near), rtol=1e-4, atol=1e-2)


def test_temperature_and_bonds():
    """Maxwell-Boltzmann velocities, and bonds of the harmonic potential: <(r - r0)^2> is about kT / k."""
    made = [copolymer(np.zeros(10, int)) for _ in range(40)]  # B1 alone
    chains = make_chains([s.types for s in made], [s.bonds for s in made], TABLE, dtype="float32")
    straight = np.zeros((40, 10, 3), np.float32)
    straight[:, :, 0] = 0.97 * np.arange(10)
    motion = start(chains, straight, temperature=0.8, seed=0)
    velocities, lengths = [], []
    settings = {"timestep": 0.01, "temperature": 0.8, "friction": 1.0}
    for moment in range(45):
        motion, frames = advance(chains, motion, frames=1, steps=60, **settings)
        if moment >= 10:
            velocities.append(np.asarray(motion.velocities))
            lengths.append(np.linalg.norm(np.diff(np.asarray(frames[0]), axis=1), axis=2))
    v = np.stack(velocities)
    kinetic = np.square(v).mean(axis=(1, 2, 3)).astype(float)
    assert kinetic.mean() == pytest.approx(0.8, abs=4 * kinetic.std() / len(kinetic) ** 0.5)
    assert kinetic.std() / len(kinetic) ** 0.5 < 0.01
    assert (v**4).mean() / np.square(v).mean() ** 2 == pytest.approx(3, abs=0.1)  # of a normal distribution
    r = np.stack(lengths)
    grid = np.linspace(0.6, 1.4, 4001)
    weight = grid**2 * np.exp(-(400 / 2) * (grid - 0.97) ** 2 / 0.8)  # with the measure of three dimensions
    assert r.mean() == pytest.approx(np.average(grid, weights=weight), abs=0.005)
    assert r.var() == pytest.approx(0.8 / 400, rel=0.08)


def test_padding_changes_nothing():
    """A chain in a batch moves as alone, as far as single precision goes, and padding stays where it is."""
    made, both = two_chains("float32")
    short = min(range(2), key=lambda i: len(made[i]))
    size = len(made[short])
    alone = make_chains([made[short].types], [made[short].bonds], TABLE, dtype="float32")
    r = jnp.asarray(crowded(both.real.shape[1], 1.1), "float32")
    assert np.allclose(
        forces(both, r)[short, :size], forces(alone, r[short : short + 1, :size])[0], rtol=1e-5, atol=1e-4
    )
    assert not np.asarray(forces(both, r)[short, size:]).any()
    pushed = push_apart(both, r, steps=20)
    assert np.array_equal(pushed[short, size:], r[short, size:])


def test_simulation():
    systems = copolymers(3, 2, SMALL, seed=5)
    blocks = list(simulate(systems, SMALL, seed=1))
    series = {name: np.concatenate([block[name].positions for block in blocks]) for name in systems}
    for name, system in systems.items():
        assert series[name].shape == (30, len(system), 3)
        ends = series[name][:, system.bonds]
        assert np.abs(np.linalg.norm(ends[:, :, 0] - ends[:, :, 1], axis=2) - 0.97).max() < 0.35
        assert np.linalg.norm(np.diff(series[name], axis=0), axis=2).min() > 0
    again = next(simulate(systems, SMALL, seed=1))
    other = next(simulate(systems, SMALL, seed=2))
    name = "class-1-0000"
    assert np.array_equal(again[name].positions, blocks[0][name].positions)
    assert not np.array_equal(other[name].positions, blocks[0][name].positions)


def test_classes():
    random = np.random.default_rng(0)
    one = class_one(95, random)
    assert np.array_equal(one[10:], one[:-10])
    blocky = class_two(95, random, 1)
    assert 1 <= np.count_nonzero(np.diff(blocky)) <= 5
    gradient = np.stack([class_two(95, np.random.default_rng(i), 2) for i in range(200)])
    assert all(len(set(sequence)) == 2 for sequence in gradient)
    assert np.mean(gradient[:, :10] == gradient[:, :1]) > 0.85 and np.mean(gradient[:, -10:] == gradient[:, :1]) < 0.15
    assert not any(np.array_equal(s[10:], s[:-10]) for s in (blocky, *gradient, class_two(95, random, 0)))
    system = copolymer(np.array([0, 1, 5, 3] * 3))
    assert [TYPES[number] for number in system.types] == ["B1", "B1", "B2", "B2"] * 3 + ["S1", "S2"] * 3
    assert system.bonds[system.bonds[:, 1] >= 12].tolist() == [[1, 12], [2, 13], [5, 14], [6, 15], [9, 16], [10, 17]]
    assert system.molecule_count == 1
    assert all(
        np.array_equal(a.types, b.types)
        for a, b in zip(*(copolymers(3, 3, SMALL, seed=9).values() for _ in range(2)), strict=True)
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"units": 5}, "at least 10 units"),
        ({"timestep": 0.0}, r"multiple of the time step \(0 tau\)"),
        ({"interval": 0.505}, "between frames .* must be a multiple"),
        ({"temperature": 0.0}, "above zero"),
    ],
)
def test_mistakes(change, message):
    with pytest.raises(HelioError, match=message):
        copolymers(2, 1, dataclasses.replace(SMALL, **change), seed=0)
    with pytest.raises(HelioError, match="give at least one of class I"):
        copolymers(0, 1, SMALL, seed=0)


def test_long_time_step_is_noticed():
    settings = dataclasses.replace(SMALL, timestep=0.1, frames=60)
    with pytest.raises(HelioError, match=r"a bond of class-1-0000 became .* time step of 0\.1 tau is too long"):
        list(simulate(copolymers(1, 0, settings, seed=0), settings, seed=0))


def test_chains_of_the_test_are_no_share(tmp_path):
    options = StoreOptions(beads_per_group=4, validation=0, test=0.2, seed=0)
    with pytest.raises(HelioError, match=r"give their number, not the share 0\.2"):
        write_copolymers(tmp_path / "a.h5", 3, settings=SMALL, options=options)

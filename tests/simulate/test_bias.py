"""A user's own energy on top of a potential."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ase.build
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from ase import Atoms

from helio.errors import HelioError
from helio.force_field import ForceField
from helio.precision import numerics
from helio.prediction import Prediction
from helio.simulate.bias import add_bias, check_energy, load_bias
from helio.simulate.restraints import Distance
from helio.system import System


def spring(system: System) -> Any:
    """Depends on positions and cell."""
    vector = system.positions[1] - system.positions[0] + system.cell[0]
    return 0.3 * jnp.sum(vector**2) + 0.1 * jnp.sum(system.positions[2] ** 4)


class Constant(eqx.Module):
    """A potential that predicts what it was given."""

    prediction: Prediction

    def __call__(self, system: System, neighbors: Any) -> Prediction:
        return self.prediction


def arbitrary_prediction() -> Prediction:
    rng = np.random.default_rng(4)
    atomic = jnp.asarray(rng.normal(size=9))
    return Prediction(
        energy=atomic.sum(),
        energy_terms={"given": atomic.sum()},
        atomic_energies=atomic,
        forces=jnp.asarray(rng.normal(size=(9, 3))),
        stress=jnp.asarray(rng.normal(size=(3, 3))),
        charges=jnp.asarray(rng.normal(size=9)),
        hirshfeld_ratios=jnp.asarray(rng.normal(size=9)),
        dipole=jnp.asarray(rng.normal(size=3)),
    )


def test_everything_is_added_and_of_one_energy():
    """Forces, stress and shares are those of the spring, by finite differences of its energy."""
    atoms = ase.build.molecule("CH3CH2OH")
    atoms.cell, atoms.pbc = np.array([[9, 0, 0], [1, 8, 0], [0, 2, 9.5]]), True
    rng = np.random.default_rng(0)
    with numerics("float64"):
        plain, system = arbitrary_prediction(), System.from_ase(atoms).astype("float64")
        way, drawn = jnp.asarray(rng.normal(size=(9, 3))), rng.normal(size=(3, 3))
        strain = jnp.asarray(drawn + drawn.T)

        @jax.jit
        def differences() -> tuple[Any, Any]:
            def rise(shift: Any, growth: Any) -> Any:
                def at(step: float) -> Any:
                    places = {"positions": system.positions + step * shift, "cell": system.cell + step * growth}
                    return spring(System(**(vars(system) | places)))

                return (at(1e-5) - at(-1e-5)) / 2e-5

            return rise(way, jnp.zeros((3, 3))), rise(system.positions @ strain, system.cell @ strain)

        found = jax.jit(add_bias(Constant(plain), spring, name="spring").__call__)(system, None)
        assert found.stress is not None
        slopes = [float(rise) for rise in differences()]
        energy = float(spring(system))
        terms = found.energy_terms
        same_terms = eqx.tree_at(lambda p: p.energy_terms, plain, terms)
        added = jax.tree.map(lambda a, b: np.asarray(a) - np.asarray(b), found, same_terms)
    assert added.energy == pytest.approx(energy)
    assert float(terms["spring"]) == pytest.approx(energy) and set(terms) == {"given", "spring"}
    np.testing.assert_allclose(added.atomic_energies, energy / 9)
    assert -np.sum(added.forces * np.asarray(way)) == pytest.approx(slopes[0], rel=1e-7)
    assert atoms.get_volume() * np.sum(added.stress * np.asarray(strain)) == pytest.approx(slopes[1], rel=1e-7)
    np.testing.assert_allclose(added.stress, added.stress.T, atol=1e-14)
    for rest in (added.charges, added.hirshfeld_ratios, added.dipole):
        np.testing.assert_array_equal(rest, 0)


def test_a_force_field_can_be_biased(small_force_field: ForceField):
    host = System.from_ase(ase.build.molecule("CH3CH2OH"))
    with numerics("float64"):
        biased = add_bias(small_force_field.with_options(long_range_cutoff=None), spring).astype("float64")
        biased.check(host)
        neighbors = biased.neighbors(host, skin=0.3)
        shape = jax.eval_shape(biased, host.astype("float64"), neighbors)
    assert shape.energy.dtype == "float64" and "bias" in shape.energy_terms
    with pytest.raises(HelioError):
        biased.check(System.from_ase(Atoms("Xe")))


def test_padding_and_molecules(wells: Any):
    with numerics("float64"):
        system = System.from_ase(ase.build.molecule("H2O")).padded(5).astype("float64")
        biased = add_bias(wells(jnp.ones(3)), lambda s: jnp.sum(s.positions**2) + jnp.sum(s.positions[:, 0]))
        found = jax.jit(biased.__call__)(system, None)
        share = np.asarray(found.atomic_energies - wells(jnp.ones(3))(system, None).atomic_energies)
    assert found.stress is None
    np.testing.assert_allclose(share[:3], float(found.energy_terms["bias"]) / 3)
    np.testing.assert_array_equal(share[3:], 0)
    np.testing.assert_array_equal(found.forces[3:], 0)


def test_modules_follow_the_precision_and_stack(wells: Any):
    class Wells(wells):
        def astype(self, dtype: str) -> Any:
            return eqx.tree_at(lambda w: w.stiffness, self, jnp.asarray(self.stiffness, dtype))

        def check(self, system: System) -> None:
            assert isinstance(system.positions, np.ndarray)

    host = System.from_ase(ase.build.molecule("H2O"))
    restraint = Distance(np.array([0]), np.array([1]), np.asarray(1.5), np.asarray(2.0))
    for precision in ("float32", "float64"):
        with numerics(precision):
            twice = add_bias(add_bias(Wells(jnp.ones(3)), restraint), lambda s: jnp.ones(()), name="constant")
            twice.check(host)
            ready = twice.astype(precision)
            found = jax.jit(ready.__call__)(host.astype(precision), None)
            assert {"well", "bias", "constant"} == set(found.energy_terms)
            assert all(leaf.dtype.name == precision for leaf in jax.tree.leaves(found))
            length = np.linalg.norm(host.positions[1] - host.positions[0])
            assert float(found.energy_terms["bias"]) == pytest.approx((length - 1.5) ** 2, rel=1e-5)
            with pytest.raises(HelioError, match="'bias' already"):
                jax.eval_shape(add_bias(ready, restraint), host.astype(precision), None)


def write(folder: Path, text: str) -> Path:
    path = folder / "own.py"
    path.write_text(text)
    return path


def test_file(tmp_path: Path):
    path = write(
        tmp_path,
        "from __future__ import annotations\n"
        "import equinox as eqx\nimport jax.numpy as jnp\n"
        "class Pull(eqx.Module):\n    strength: float\n"
        "    def __call__(self, system):\n        return self.strength * jnp.sum(system.positions[:, 2])\n"
        "energy = Pull(0.5)\n",
    )
    host = System.from_ase(ase.build.molecule("H2O"))
    energy = load_bias(path)
    check_energy(energy, host)
    assert float(energy(host.astype("float32"))) == pytest.approx(0.5 * host.positions[:, 2].sum(), rel=1e-5)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("def energy(system) return 1", r"cannot be loaded: SyntaxError"),
        ("import there_is_no_such_module", r"no module named 'there_is_no_such_module' \(line 1: import"),
        ("x = 1\ny = x / 0", r"ZeroDivisionError: division by zero \(line 2: y = x / 0\)"),
        ("def bias(system):\n    return 0.0", "must define `energy"),
        ("energy = 3", "must define `energy"),
    ],
)
def test_files_that_cannot_be_used(tmp_path: Path, text: str, message: str):
    with pytest.raises(HelioError, match=f"(?i){message}"):
        load_bias(write(tmp_path, text))


def test_no_file(tmp_path: Path):
    with pytest.raises(HelioError, match="no file"):
        load_bias(tmp_path / "none.py")
    other = tmp_path / "own.txt"
    other.write_text("")
    with pytest.raises(HelioError, match=r"end in \.py"):
        load_bias(other)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("    return jnp.sum(system.velocities)", r"AttributeError.*line 3: return jnp.sum\(system.velocities\)"),
        ("    return 1.0 if system.positions[0, 0] > 0 else 0.0", r"line 3.*without Python's `if`"),
        ("    return system.positions[:, 0]", r"one number.*shape \(3,\)"),
        ("    return jnp.log(-jnp.sum(system.positions**2))", "nan eV for the start structure"),
        ("    return 1 / jnp.sum(0 * system.positions)", "inf eV"),
        ("    return jnp.sum(jnp.sqrt(0 * system.positions))", "forces that are not finite"),
        ("    return None", "fails"),
    ],
)
def test_energies_that_cannot_be_used(tmp_path: Path, text: str, message: str):
    energy = load_bias(write(tmp_path, f"import jax.numpy as jnp\ndef energy(system):\n{text}\n"))
    with pytest.raises(HelioError, match=message):
        check_energy(energy, System.from_ase(ase.build.molecule("H2O")))

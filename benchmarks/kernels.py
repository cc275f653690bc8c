"""The compiled operations against the plain ones: whole force evaluations, and each operation alone.

    python benchmarks/kernels.py [--model so3lr] [--repeats 7] [--out benchmarks/results/kernels.json]

Every case runs in a process of its own. Times are the fastest of the repeats, in float32, with lists that reach 0.5 A
beyond the cutoffs as in dynamics, and a long-range cutoff of 12 A. `first` is the network's first layer, whose filters
are all table; `layer` its second, forward and backward operation; `pairs` electrostatics and dispersion, energies alone
and with their gradients; in microseconds per atom.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
CASES = {
    "alanine dipeptide": ("examples/alanine_dipeptide.xyz", 1),
    "deca-alanine": ("examples/deca_alanine.xyz", 1),
    "water, 64 molecules": ("tests/reference/water_64.extxyz", 1),
    "water, 512 molecules": ("tests/reference/water_64.extxyz", 2),
    "water, 1728 molecules": ("tests/reference/water_64.extxyz", 3),
}
SKIN = 0.5  # A


def measure(case: str, model: str, repeats: int) -> dict[str, Any]:
    """Run one case in this process."""
    import ase.io
    import jax
    from ase import Atoms

    from helio.force_field import load_model
    from helio.precision import numerics
    from helio.system import System

    path, repeat = CASES[case]
    atoms = ase.io.read(ROOT / path)
    assert isinstance(atoms, Atoms)
    system = System.from_ase(atoms.repeat(repeat))
    row: dict[str, Any] = {"case": case, "atoms": len(system), "jax": jax.__version__}
    with numerics("float32"):
        for kernels in ("plain", "compiled" if jax.default_backend() == "gpu" else "auto"):
            force_field = load_model(model, kernels=kernels).with_options(long_range_cutoff=12.0)
            name = "plain" if force_field.tables is None else "compiled"
            row |= {f"{name}_{key}": value for key, value in whole(force_field, system, repeats).items()}
        if force_field.tables is not None:
            row["attention"] = {
                name: alone(force_field, system, repeats, layer) for layer, name in ((0, "first"), (1, "layer"))
            }
            if jax.default_backend() == "cpu":  # elsewhere these terms run plain
                row["pairs"] = long_range(force_field, system, repeats)
    return row


def whole(force_field: Any, system: Any, repeats: int) -> dict[str, float]:
    """Energy and forces, as a step of dynamics needs them."""
    import equinox as eqx

    arrays, potential = system.astype("float32"), force_field.astype("float32")
    plans = potential.plan(system, short_skin=SKIN, long_skin=SKIN)
    order = plans.order(arrays.positions, arrays.cell, arrays.pbc, arrays.atom_mask)
    listed = arrays if order is None else arrays.taken(order)
    make = eqx.filter_jit(potential.make_list)
    lists = plans.joined(make(listed, plans.short), make(listed, plans.long), order)
    evaluate = eqx.filter_jit(lambda f, s, n: (lambda p: (p.energy, p.forces))(f(s, n)))
    start = time.perf_counter()
    compiled = evaluate.lower(potential, arrays, lists).compile()
    seconds = time.perf_counter() - start
    best = fastest(lambda: compiled(potential, arrays, lists), repeats)
    return {"microseconds_per_atom": 1e6 * best / len(system), "compile_seconds": seconds}


def alone(force_field: Any, system: Any, repeats: int, layer: int) -> dict[str, float]:
    """Forward and backward operation of one layer, with random values per atom."""
    import jax
    import jax.numpy as jnp
    import numpy as np

    from helio.kernels import attention_backward, attention_forward

    settings, rng, count = force_field.settings, np.random.default_rng(0), len(system)
    pairs = force_field.neighbors(system, skin=SKIN).short
    components = sum(2 * degree + 1 for degree in settings.degrees)

    def values(width: int) -> jax.Array:
        return jnp.asarray(rng.normal(size=(count, width)), "float32")

    q1, q2, k1, k2, v, dx = (values(settings.features) for _ in range(6))
    chi, arrays = values(components) if layer else None, system.astype("float32")
    shift = None if pairs.shift is None else jnp.asarray(pairs.shift)
    tables = jax.tree.map(lambda leaf: jnp.asarray(leaf, "float32"), force_field.tables[layer])
    arguments: Any = (
        tables,
        (q1, q2),
        (k1, k2),
        v,
        chi,
        arrays.positions,
        arrays.cell,
        jnp.asarray(pairs.index),
        shift,
    )
    forward, dc = jax.jit(attention_forward), values(components)

    @jax.jit
    def backward(arguments: Any) -> Any:
        return attention_backward(*arguments, features_cotangent=dx, euclidean_cotangent=dc)

    return {
        "forward": 1e6 * fastest(lambda: forward(*arguments), repeats) / count,
        "backward": 1e6 * fastest(lambda: backward(arguments), repeats) / count,
    }


def long_range(force_field: Any, system: Any, repeats: int) -> dict[str, float]:
    """Energies of the long-range terms alone, and with their gradients, with random values per atom."""
    import jax
    import jax.numpy as jnp
    import numpy as np

    from helio.kernels import long_range_atoms, long_range_forward, long_range_with_gradients
    from helio.physics.compiled import compiled_terms
    from helio.physics.tiles import LongRangePair

    settings, rng, count = force_field.settings, np.random.default_rng(0), len(system)
    pairs, arrays = force_field.neighbors(system, skin=SKIN).long, system.astype("float32")
    pair = LongRangePair(
        cutoff=force_field.long_range_cutoff,
        sigma=settings.electrostatics_sigma,
        dispersion_scale=settings.dispersion_scale,
        switch_width=settings.dispersion_switch_width,
    )
    terms = compiled_terms(pair)
    ranges = ((-0.5, 0.5), (2, 12), (3, 50))
    values: Any = tuple(jnp.asarray(rng.uniform(*between, size=count), "float32") for between in ranges)
    shift = None if pairs.shift is None else jnp.asarray(pairs.shift)
    atoms = long_range_atoms(values, arrays.positions, arrays.cell, jnp.asarray(pairs.index), shift)
    forward = jax.jit(lambda atoms: long_range_forward(terms, atoms))
    both = jax.jit(lambda atoms: long_range_with_gradients(terms, atoms))
    return {
        "energies": 1e6 * fastest(lambda: forward(atoms), repeats) / count,
        "with_gradients": 1e6 * fastest(lambda: both(atoms), repeats) / count,
    }


def fastest(run: Callable[[], Any], repeats: int) -> float:
    """Seconds of the fastest of some runs after the first."""
    import jax

    seconds = []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        jax.block_until_ready(run())
        seconds.append(time.perf_counter() - start)
    return min(seconds[1:])


def main() -> None:
    """Print a table and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="so3lr")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--case", choices=CASES, help="one case, as JSON on standard output")
    arguments = parser.parse_args()
    if arguments.case:
        print(json.dumps(measure(arguments.case, arguments.model, arguments.repeats)))
        return

    rows = []
    print(f"{'microseconds per atom':24}{'atoms':>7}{'plain':>9}{'compiled':>10}{'ratio':>7}", end="")
    print(f"{'first':>8}{'back':>8}{'layer':>8}{'back':>8}{'pairs':>8}{'+grad':>8}")
    for case in CASES:
        command = [sys.executable, __file__, "--model", arguments.model, "--repeats", str(arguments.repeats)]
        output = subprocess.run([*command, "--case", case], check=True, capture_output=True, text=True).stdout
        row = json.loads(output.splitlines()[-1])
        rows.append(row)
        print(line(row), flush=True)
    if arguments.out:
        record = {
            "date": date.today().isoformat(),
            "machine": platform.machine(),
            "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
            "skin_A": SKIN,
            "rows": rows,
        }
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        arguments.out.write_text(json.dumps(record, indent=2) + "\n")


def line(row: dict[str, Any]) -> str:
    """One row of the table."""
    plain = row["plain_microseconds_per_atom"]
    text = f"{row['case']:24}{row['atoms']:7d}{plain:9.1f}"
    if "attention" not in row:
        return text + "  the compiled operations cannot be used here: helio doctor"
    compiled = row["compiled_microseconds_per_atom"]
    text += f"{compiled:10.1f}{plain / compiled:7.1f}"
    for part in (*row["attention"].values(), *([row["pairs"]] if "pairs" in row else [])):
        text += "".join(f"{value:8.2f}" for value in part.values())
    return text


if __name__ == "__main__":
    main()

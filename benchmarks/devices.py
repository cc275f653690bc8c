"""One force evaluation divided among devices: what each computes, keeps and receives, against the model in the docs.

    python benchmarks/devices.py [--box 4 4 2] [--devices 1 2 4 8] [--out FILE.json]

Devices are parts of the host's processors, so times tell the total work and not a speed-up. Bytes that a device
receives are counted in the compiled program: of an all-gather and a reduce-scatter the blocks of the others, of an
all-reduce twice that; memory is what the compiler lays out for one device besides its arguments. Balance is the mean
number of pairs on a device over the largest.
"""

from __future__ import annotations

import argparse
import json
import math
import re
import time
from datetime import date
from pathlib import Path
from typing import Any

import jax
import numpy as np

ROOT = Path(__file__).parents[1]
_OPERATION = re.compile(r"= \(?((?:\w+\[[\d,]*\]\S* ?,? ?)+)\)? (all-gather|reduce-scatter|all-reduce)\(")
_ARRAY = re.compile(r"(?:f32|s32|pred)\[([\d,]*)\]")


def received(program: str, devices: int) -> dict[str, float]:
    """Bytes that one device receives in an evaluation, by the kind of operation."""
    found: dict[str, float] = {"all-gather": 0.0, "reduce-scatter": 0.0, "all-reduce": 0.0}
    for arrays, kind in _OPERATION.findall(program):
        numbers = sum(math.prod(int(n) for n in shape.split(",") if n) for shape in _ARRAY.findall(arrays))
        # The result of a reduce-scatter is one block, that of the others is whole.
        share = {"all-gather": 1 / devices, "reduce-scatter": 1, "all-reduce": 2 / devices}[kind]
        found[kind] += 4 * numbers * share * (devices - 1)
    return found


def modelled(force_field: Any, rows: int, devices: int) -> float:
    """Bytes that one device receives for features, there and back, by the formula in docs/scaling.md."""
    settings = force_field.settings
    features, components = settings.features, sum(2 * degree + 1 for degree in settings.degrees)
    # Queries, keys, values and chi to the pairs, two sums back, and all derivatives the other way. The first layer has
    # no chi, and its features do not depend on positions.
    numbers = 2 * settings.num_layers * (6 * features + 2 * components) - 2 * components - 5 * features
    return 4 * numbers * rows * (devices - 1) / devices


def measure(box: tuple[int, int, int], devices: int, repeats: int) -> dict[str, Any]:
    """One number of devices."""
    import ase.io
    import equinox as eqx
    from ase import Atoms

    from helio.force_field import load_model
    from helio.force_field.sharded import everywhere, sharded
    from helio.precision import numerics
    from helio.system import System

    atoms = ase.io.read(ROOT / "tests/reference/water_64.extxyz")
    assert isinstance(atoms, Atoms)
    host = System.from_ase(atoms.repeat(box))
    with numerics("float32"):
        force_field = load_model("so3lr", long_range_cutoff=12.0)
        many = sharded(force_field, devices)
        plans = many.plan(host, short_skin=0.5, long_skin=0.5)
        many, system, plans = everywhere(many.mesh, (many, host.astype("float32"), plans))

        @eqx.filter_jit
        def lists(many: Any, system: System, plans: Any) -> Any:
            order = plans.order(system.positions, system.cell, system.pbc, system.atom_mask)
            ordered = system.taken(order)
            return plans.joined(many.make_list(ordered, plans.short), many.make_list(ordered, plans.long), order)

        neighbors = lists(many, system, plans)
        jax.block_until_ready(neighbors)
        began = time.perf_counter()
        jax.block_until_ready(lists(many, system, plans))
        list_seconds = time.perf_counter() - began
        flat, tree = jax.tree.flatten((many, system, neighbors))
        compiled = jax.jit(lambda *leaves: _call(jax.tree.unflatten(tree, leaves))).lower(*flat).compile()
        seconds = []
        for _ in range(repeats):
            began = time.perf_counter()
            jax.block_until_ready(compiled(*flat))
            seconds.append(time.perf_counter() - began)
    half = np.asarray(neighbors.short.half).reshape(devices, -1, 2)
    pairs = (half[:, :, 0] < plans.rows).sum(axis=1)
    bytes_received = received(compiled.as_text() or "", devices)
    analysis = compiled.memory_analysis()
    assert analysis is not None and not neighbors.short.overflow
    return {
        "devices": devices,
        "atoms": len(host),
        "milliseconds": 1e3 * min(seconds),
        "list_milliseconds": 1e3 * list_seconds,
        "balance": float(pairs.mean() / pairs.max()),
        "temporary_megabytes": analysis.temp_size_in_bytes / 1e6,
        "list_megabytes": sum(leaf.nbytes for leaf in jax.tree.leaves((neighbors.short, neighbors.long)))
        / devices
        / 1e6,
        "received_megabytes": sum(bytes_received.values()) / 1e6,
        "received_by_kind": bytes_received,
        "modelled_megabytes": modelled(force_field, plans.rows, devices) / 1e6,
    }


def _call(arguments: tuple[Any, Any, Any]) -> Any:
    many, system, neighbors = arguments
    return many(system, neighbors)


def main() -> None:
    """Run every number of devices, print the table, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--box", type=int, nargs=3, default=(4, 4, 2), help="repeats of 64 molecules of water")
    parser.add_argument("--devices", type=int, nargs="+", default=[1, 2, 4, 8])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    jax.config.update("jax_num_cpu_devices", max(arguments.devices))
    rows = []
    print(f"{'devices':>7} {'ms':>8} {'lists ms':>9} {'balance':>8} {'work MB':>8} {'lists MB':>9} "
          f"{'received MB':>12} {'model MB':>9}")  # fmt: skip
    for devices in arguments.devices:
        row = measure(tuple(arguments.box), devices, arguments.repeats)
        rows.append(row)
        print(
            f"{devices:7d} {row['milliseconds']:8.1f} {row['list_milliseconds']:9.1f} {row['balance']:8.3f} "
            f"{row['temporary_megabytes']:8.1f} {row['list_megabytes']:9.2f} {row['received_megabytes']:12.2f} "
            f"{row['modelled_megabytes']:9.2f}",
            flush=True,
        )
    if arguments.out:
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        head = {"date": str(date.today()), "device": jax.devices()[0].device_kind, "jax": jax.__version__}
        arguments.out.write_text(json.dumps(head | {"rows": rows}, indent=2) + "\n")


if __name__ == "__main__":
    main()

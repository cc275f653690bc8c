"""Time of neighbour lists made on the host and on the device, for growing boxes of water.

    python benchmarks/neighbor_lists.py [--repeat 2 4] [--cutoffs 5 12.5] [--out benchmarks/results/neighbor_lists.json]

Times are the fastest of the repeats, in float32, without compilation. The last column is the share of the device list
in a run that makes it every 20 steps and whose forces take 400 microseconds per atom and step (two CPU cores).
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from collections.abc import Callable
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
FORCE_SECONDS_PER_ATOM = 400e-6
STEPS_PER_LIST = 20


def fastest(work: Callable[[], Any], repeats: int) -> float:
    """Seconds of the fastest call."""
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def measure(repeat: int, cutoff: float, repeats: int) -> dict[str, float | int]:
    """One box, one cutoff."""
    import ase.io
    import jax
    import jax.numpy as jnp
    from ase import Atoms

    from helio.neighbors import device_list, host_list, plan_list

    atoms = ase.io.read(ROOT / "tests/reference/water_64.extxyz")
    assert isinstance(atoms, Atoms)
    atoms = atoms.repeat(repeat)
    positions, cell, pbc = atoms.positions, atoms.cell.array, (True, True, True)
    host = fastest(lambda: host_list(positions, cell, pbc, cutoff=cutoff), min(repeats, 2))
    start = time.perf_counter()
    plan = plan_list(positions, cell, pbc, cutoff=cutoff, half=cutoff < 8)
    planning = time.perf_counter() - start

    arrays = jnp.asarray(positions, jnp.float32), jnp.asarray(cell, jnp.float32), jnp.ones(len(atoms), bool)
    start = time.perf_counter()
    compiled = jax.jit(partial(device_list, pbc=pbc, plan=plan)).lower(*arrays).compile()
    compilation = time.perf_counter() - start
    assert not compiled(*arrays).overflow
    device = fastest(lambda: jax.block_until_ready(compiled(*arrays)), repeats)
    return {
        "atoms": len(atoms),
        "cutoff": cutoff,
        "host_ms": 1e3 * host,
        "device_ms": 1e3 * device,
        "device_us_per_atom": 1e6 * device / len(atoms),
        "plan_ms": 1e3 * planning,
        "compile_s": compilation,
        "share": device / (len(atoms) * FORCE_SECONDS_PER_ATOM * STEPS_PER_LIST),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, nargs="+", default=[2, 4], help="boxes of 192 atoms in each direction")
    parser.add_argument("--cutoffs", type=float, nargs="+", default=[5.0, 12.5], help="in A, with the skin in it")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()

    print(f"{'atoms':>8} {'cutoff':>7} {'host ms':>9} {'device ms':>10} {'us/atom':>8} {'compile s':>10} {'share':>7}")
    results = []
    for repeat in arguments.repeat:
        for cutoff in arguments.cutoffs:
            found = measure(repeat, cutoff, arguments.repeats)
            results.append(found)
            print(
                f"{found['atoms']:8d} {cutoff:7.1f} {found['host_ms']:9.1f} {found['device_ms']:10.1f} "
                f"{found['device_us_per_atom']:8.1f} {found['compile_s']:10.1f} {found['share']:7.2%}",
                flush=True,
            )
    if arguments.out:
        import jax

        machine = {
            "date": date.today().isoformat(),
            "jax": jax.__version__,
            "device": jax.devices()[0].device_kind,
            "processor": platform.processor() or platform.machine(),
            "cores": os.cpu_count(),
        }
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        arguments.out.write_text(json.dumps({"machine": machine, "results": results}, indent=1) + "\n")


if __name__ == "__main__":
    main()

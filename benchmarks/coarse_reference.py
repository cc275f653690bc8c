"""Steps per core-second of copolymers simulated by Helio's batched engine and by LAMMPS, and whether they agree.

    python benchmarks/coarse_reference.py [--units 60 100 200] [--out benchmarks/results/coarse_reference_cpu2.json]

Both run on one core and are timed in seconds of that core, not of the clock, so that other work on the machine counts
little; starting and compiling are left out, for LAMMPS by taking the difference of a long and a short run. Helio moves
ten chains in one batch, LAMMPS one chain in one process. Then both simulate the same chain; its mean squared radius of
gyration is compared.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import tempfile
import time
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

BATCH = 10
ROOT = Path(__file__).parents[1]


def helio_speed(units: int, steps: int) -> dict[str, float]:
    """Chain steps per core-second of a batch of chains, all compiled."""
    import jax
    import numpy as np

    from helio.coarse.reference.bead_spring import advance, make_chains, push_apart, start
    from helio.coarse.reference.copolymers import EPSILON, CopolymerSettings, copolymers, grown

    settings = CopolymerSettings(units=units)
    systems = list(copolymers(BATCH, 0, settings, seed=1).values())
    table = np.sqrt(np.outer(EPSILON, EPSILON))
    chains = make_chains([s.types for s in systems], [s.bonds for s in systems], table, dtype="float32")
    size = chains.real.shape[1]
    random = np.random.default_rng(0)
    placed = np.stack([np.resize(grown(s, random), (size, 3)) for s in systems]).astype(np.float32)
    pushed = np.asarray(push_apart(chains, placed, steps=1000))  # pyright: ignore[reportArgumentType]
    motion = start(chains, pushed, temperature=1.0, seed=0)
    how = {"timestep": 0.01, "temperature": 1.0, "friction": 1.0}
    motion = jax.block_until_ready(advance(chains, motion, frames=1, steps=steps, **how))[0]
    core, clock = time.process_time(), time.perf_counter()
    jax.block_until_ready(advance(chains, motion, frames=1, steps=steps, **how))
    core, clock = time.process_time() - core, time.perf_counter() - clock
    beads = sum(map(len, systems)) / BATCH
    return {"beads": beads, "chain_steps_per_core_second": BATCH * steps / core, "share_of_core": core / clock}


def lammps_speed(units: int, steps: int) -> dict[str, float]:
    """Steps per core-second of one chain, of the difference of two runs."""
    from helio.coarse.reference.copolymers import CopolymerSettings, copolymers
    from helio.coarse.reference.copolymers_lammps import run_chain

    seconds = []
    settings = [
        CopolymerSettings(units=units, frames=n, interval=5.0, equilibration=5.0) for n in (1, 1 + steps // 500)
    ]
    systems = list(copolymers(BATCH, 0, settings[0], seed=1).values())
    middle = sorted(systems, key=len)[BATCH // 2]  # of the batch, by size
    for one in settings:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        with tempfile.TemporaryDirectory() as folder:
            run_chain(middle, one, folder, seed=1)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return {"beads": len(middle), "chain_steps_per_core_second": steps / (seconds[1] - seconds[0])}


def agreement(units: int, frames: int) -> dict[str, Any]:
    """Mean squared radius of gyration of one chain by both, with errors."""
    import numpy as np

    from helio.analyse.statistics import mean_and_error
    from helio.coarse.reference.copolymers import CopolymerSettings, copolymers, simulate
    from helio.coarse.reference.copolymers_lammps import simulate_with_lammps

    settings = CopolymerSettings(units=units, frames=frames, interval=1.0, equilibration=50.0)
    systems = copolymers(1, 0, settings, seed=2)
    found: dict[str, Any] = {"units": units, "frames": frames, "beads": len(systems["class-1-0000"])}
    for name, move in (("helio", simulate), ("lammps", simulate_with_lammps)):
        blocks = [block for blocks in move(systems, settings, seed=3) for block in blocks.values()]
        positions = np.concatenate([block.positions for block in blocks])
        away = positions - positions.mean(axis=1, keepdims=True)
        found[f"{name}_rg_squared"], found[f"{name}_error"] = mean_and_error(np.square(away).sum(axis=2).mean(axis=1))
    return found


def main() -> None:
    """Measure and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--units", type=int, nargs="+", default=[60, 100, 200])
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks/results/coarse_reference_cpu2.json")
    arguments = parser.parse_args()
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-1:])
    rows = []
    for units in arguments.units:
        steps = 500 * max(1, round(40 * (60 / units) ** 2))
        row: dict[str, Any] = {
            "units": units,
            "helio": helio_speed(units, steps // 5),
            "lammps": lammps_speed(units, steps),
        }
        speeds = [row[name]["chain_steps_per_core_second"] for name in ("lammps", "helio")]
        row["lammps_over_helio"] = speeds[0] / speeds[1]
        rows.append(row)
        print(json.dumps(row), flush=True)
    result = {
        "date": date.today().isoformat(),
        "processor": platform.processor() or platform.machine(),
        "cores": 1,
        "timing": "seconds of one core, on a machine shared with other work",
        "versions": {name: version(name) for name in ("jax", "lammps", "mpich")},
        "speeds": rows,
        "agreement": agreement(20, 3000),
    }
    arguments.out.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result["agreement"]))


if __name__ == "__main__":
    main()

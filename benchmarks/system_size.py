"""Cost of a step of dynamics against the size of the system: water boxes from 192 to 24,000 atoms.

    python benchmarks/system_size.py [--electrostatics shifted|pme] [--largest 24000] [--steps 20] [--out FILE.json]

Runs the engine itself (Langevin, 0.5 fs, float32, cutoff 12 A, skin 0.5 A), each size in a process of its own: time
per step and atom, compile time, peak memory per atom, and the share of the time that goes into making lists (the time
of both lists times how often the short one was made).
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import subprocess
import sys
import time
from datetime import date
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
_BLOCK = 10  # steps between looks at the lists, which last longer
BOXES = ((1, 1, 1), (2, 1, 1), (2, 2, 1), (2, 2, 2), (3, 3, 2), (4, 4, 2), (4, 4, 4), (5, 5, 5))


def measure(box: tuple[int, int, int], electrostatics: Any, steps: int, kernels: Any) -> dict[str, float | int | str]:
    """One size, in this process."""
    import ase.io
    import equinox as eqx
    import jax
    import jax.numpy as jnp
    import numpy as np
    from ase import Atoms

    from helio.force_field import load_model
    from helio.neighbors import device_list
    from helio.precision import numerics
    from helio.simulate import Freedom, Schedule, advance, make_lists, start
    from helio.simulate.ensembles import with_bath_in_the_middle
    from helio.simulate.thermostats import Langevin
    from helio.system import System
    from helio.units import BOLTZMANN, FS

    atoms = ase.io.read(ROOT / "tests/reference/water_64.extxyz")
    assert isinstance(atoms, Atoms)
    system = System.from_ase(atoms.repeat(box))
    with numerics("float32"):
        potential = load_model("so3lr", electrostatics=electrostatics, kernels=kernels).astype("float32")
        arrays, kt = system.astype("float32"), 300 * BOLTZMANN
        thermostat = Langevin(Schedule.constant(jnp.float32(kt)), jnp.float32(1 / (1000 * FS)))
        integrator = with_bath_in_the_middle(jnp.float32(0.5 * FS), Freedom(), thermostat)
        began = time.perf_counter()
        lists = make_lists(potential, arrays, skin=0.5)
        planned = time.perf_counter()
        state, lists = start(potential, integrator, arrays, lists, key=jax.random.PRNGKey(0), thermal_energy=kt)
        jax.block_until_ready(state)
        compiled = time.perf_counter()
        made, now = 0, np.asarray(lists.short.reference)
        for step in range(0, steps, _BLOCK):
            state, lists = advance(potential, integrator, state, lists, until=min(step + _BLOCK, steps))
            if (np.asarray(lists.short.reference) != now).any():
                made, now = made + 1, np.asarray(lists.short.reference)
        jax.block_until_ready(state)
        per_step = (time.perf_counter() - compiled) / steps
        where, plans = (arrays.positions, arrays.cell, arrays.atom_mask, arrays.pbc), lists.plans
        make = eqx.filter_jit(lambda: (device_list(*where, plans.short), device_list(*where, plans.long)))
        jax.block_until_ready(make())
        began_list = time.perf_counter()
        jax.block_until_ready(make())
        per_list = time.perf_counter() - began_list
    count = len(system)
    return {
        "atoms": count,
        "milliseconds_per_step": 1e3 * per_step,
        "microseconds_per_atom": 1e6 * per_step / count,
        "list_milliseconds": 1e3 * per_list,
        "lists_made": made,
        "list_share_percent": 100 * per_list * max(made, 1) / steps / per_step,
        "plan_seconds": planned - began,
        "start_seconds": compiled - planned,
        "kibibytes_per_atom": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / count,
        "device": jax.devices()[0].device_kind,
        "jax": jax.__version__,
    }


def main() -> None:
    """Run every size, print the table, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--electrostatics", default="shifted", choices=("shifted", "ewald", "pme"))
    parser.add_argument("--largest", type=int, default=24_000, help="number of atoms")
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--kernels", default="auto", choices=("auto", "compiled", "plain"))
    parser.add_argument("--box", type=int, nargs=3, help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    if arguments.box:
        chosen = arguments.electrostatics, arguments.steps, arguments.kernels
        print(json.dumps(measure(tuple(arguments.box), *chosen)))
        return
    rows = []
    print(f"{'atoms':>7} {'ms/step':>9} {'us/atom':>8} {'lists %':>8} {'plan s':>7} {'start s':>8} {'KiB/atom':>9}")
    for box in BOXES:
        if 192 * box[0] * box[1] * box[2] > arguments.largest:
            break
        own = ["--electrostatics", arguments.electrostatics, "--steps", str(arguments.steps)]
        own += ["--kernels", arguments.kernels]
        command = [sys.executable, __file__, *own, "--box", *map(str, box)]
        row = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1])
        rows.append(row)
        print(
            f"{row['atoms']:7d} {row['milliseconds_per_step']:9.1f} {row['microseconds_per_atom']:8.1f} "
            f"{row['list_share_percent']:8.2f} {row['plan_seconds']:7.1f} {row['start_seconds']:8.1f} "
            f"{row['kibibytes_per_atom']:9.0f}",
            flush=True,
        )
    if arguments.out:
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        head = {"date": str(date.today()), "machine": platform.machine(), "electrostatics": arguments.electrostatics}
        head |= {"kernels": arguments.kernels}
        arguments.out.write_text(json.dumps(head | {"rows": rows}, indent=2) + "\n")


if __name__ == "__main__":
    main()

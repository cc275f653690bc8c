"""Time, compile time and memory of one force evaluation, for water boxes and molecules of growing size.

    python benchmarks/force_evaluation.py [--model so3lr] [--repeats 5] [--out benchmarks/results/force_evaluation.json]

Every case runs in a process of its own, so that peak memory and compile time are its own. Times are the fastest of
the repeats, of the compiled program alone: lists with the skin asked for, float32, long-range cutoff 12 A.
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

ROOT = Path(__file__).parents[1]
CASES = {
    "alanine dipeptide": ("examples/alanine_dipeptide.xyz", 1),
    "docosahexaenoic acid": ("tests/reference/docosahexaenoic_acid.extxyz", 1),
    "deca-alanine": ("examples/deca_alanine.xyz", 1),
    "water, 64 molecules": ("tests/reference/water_64.extxyz", 1),
    "water, 512 molecules": ("tests/reference/water_64.extxyz", 2),
}


def measure(case: str, model: str, repeats: int, skin: float) -> dict[str, float | int | str]:
    """Run one case in this process."""
    import ase.io
    import equinox as eqx
    import jax
    from ase import Atoms

    from helio.force_field import load_model
    from helio.neighbors import device_list
    from helio.precision import numerics
    from helio.system import System

    path, repeat = CASES[case]
    atoms = ase.io.read(ROOT / path)
    assert isinstance(atoms, Atoms)
    system = System.from_ase(atoms.repeat(repeat))
    force_field = load_model(model).with_options(long_range_cutoff=12.0)
    with numerics("float32"):
        arrays = system.astype("float32")
        plans = force_field.plan(system, short_skin=skin, long_skin=skin)
        where = arrays.positions, arrays.cell, arrays.atom_mask, arrays.pbc
        make = eqx.filter_jit(lambda: plans.joined(device_list(*where, plans.short), device_list(*where, plans.long)))
        arguments = (force_field.astype("float32"), arrays, make())
        # As a step of dynamics needs it: forces and energy.
        evaluate = eqx.filter_jit(lambda f, s, n: (lambda p: (p.energy, p.forces))(f(s, n)))
        start = time.perf_counter()
        compiled = evaluate.lower(*arguments).compile()
        compile_seconds = time.perf_counter() - start
        seconds = []
        for _ in range(repeats + 1):
            start = time.perf_counter()
            jax.block_until_ready(compiled(*arguments))
            seconds.append(time.perf_counter() - start)
        device = jax.devices()[0]
        statistics = device.memory_stats() or {}
    host_peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    best = min(seconds[1:])
    return {
        "case": case,
        "atoms": len(system),
        "milliseconds": 1e3 * best,
        "microseconds_per_atom": 1e6 * best / len(system),
        "compile_seconds": compile_seconds,
        "peak_memory_MiB": statistics.get("peak_bytes_in_use", 0) / 2**20 or host_peak,
        "device": device.device_kind,
        "jax": jax.__version__,
    }


def main() -> None:
    """Print a table and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="so3lr")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--skin", type=float, default=0.5, help="of the lists, in A; 0.5 is that of dynamics")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--case", choices=CASES, help="one case, as JSON on standard output")
    arguments = parser.parse_args()
    if arguments.case:
        print(json.dumps(measure(arguments.case, arguments.model, arguments.repeats, arguments.skin)))
        return

    rows = []
    print(f"{'case':24}{'atoms':>7}{'ms':>10}{'us/atom':>10}{'compile s':>11}{'peak MiB':>10}")
    for case in CASES:
        command = [sys.executable, __file__, "--model", arguments.model, "--repeats", str(arguments.repeats)]
        command += ["--skin", str(arguments.skin)]
        output = subprocess.run([*command, "--case", case], check=True, capture_output=True, text=True).stdout
        row = json.loads(output.splitlines()[-1])
        rows.append(row)
        print(
            f"{case:24}{row['atoms']:7d}{row['milliseconds']:10.2f}{row['microseconds_per_atom']:10.1f}"
            f"{row['compile_seconds']:11.1f}{row['peak_memory_MiB']:10.0f}",
            flush=True,
        )
    if arguments.out:
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        record = {
            "date": date.today().isoformat(),
            "machine": platform.machine(),
            "skin_A": arguments.skin,
            "rows": rows,
        }
        arguments.out.write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    main()

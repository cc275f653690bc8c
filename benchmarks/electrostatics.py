"""Long-range terms against size, for boxes of water with charges -0.8 and 0.4 e.

    python benchmarks/electrostatics.py [--largest 24000] [--repeats 5] [--out benchmarks/results/electrostatics.json]

Every case runs in a process of its own, so that peak memory is its own. Times are the fastest of the repeats for
energy and forces together, of the compiled program alone, in float32:

- ewald, pme: the exact periodic sum and the particle mesh (relative error of the forces 1e-4), sigma 4 A;
- half list, tiles: shifted Coulomb and switched dispersion within 12 A, lists with a skin of 0.5 A.
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ase import Atoms

ROOT = Path(__file__).parents[1]
REPEATS = {192: (1, 1, 1), 768: (2, 2, 1), 1536: (2, 2, 2), 6144: (4, 4, 2), 12288: (4, 4, 4), 24000: (5, 5, 5)}
METHODS = ("ewald", "pme", "half list", "tiles")
CUTOFF, SKIN, SIGMA, SCALE, SWITCH = 12.0, 0.5, 4.0, 1.2, 2.0
LARGEST_EWALD = 6144  # quadratic in the size: minutes beyond


def energies(method: str, atoms: Atoms, tolerance: float, rows: int | None) -> tuple[Callable, Any]:
    """A function (per-atom values, positions, cell, tables) -> energies per atom, and its tables."""
    import jax.numpy as jnp

    from helio.neighbors import half_pairs, host_list, reciprocal_vectors
    from helio.physics import ewald, pair, pme, tiles

    cell = atoms.cell.array
    if method == "ewald":
        triples = reciprocal_vectors(cell, longest=ewald.longest_wave_vector(SIGMA))
        return lambda a, r, c, t: ewald.atomic_energies(r, a["charge"], c, t, SIGMA), triples
    if method == "pme":
        mesh = pme.mesh_for(cell, SIGMA, tolerance)
        return lambda a, r, c, _: pme.atomic_energies(r, a["charge"], c, mesh, pme.ORDER, SIGMA), None
    made = host_list(atoms.positions, cell, (True, True, True), cutoff=CUTOFF + SKIN)
    if method == "tiles":
        pairs = tiles.LongRangePair(CUTOFF, SIGMA, SCALE, SWITCH)

        def in_tiles(a: dict, r: Any, c: Any, made: Any) -> Any:
            tile = rows or tiles.TILE_ROWS
            terms = tiles.tiled_atomic_energies(pairs, a, r, c, made, cutoff=CUTOFF, tile_rows=tile)
            return terms["electrostatics"] + terms["dispersion"]

        return in_tiles, made

    def over_half_list(a: dict, r: Any, c: Any, made: Any) -> Any:
        long = pair.measure(half_pairs(made, r, c), CUTOFF)
        total = pair.coulomb_energies(a["charge"], long, sigma=SIGMA, cutoff=CUTOFF)
        total += pair.dispersion_energies(
            a["polarizability"], a["c6"], long, scale=SCALE, cutoff=CUTOFF, switch_width=SWITCH
        )
        return pair.per_atom(jnp.asarray(total), long, len(r))

    return over_half_list, made


def measure(method: str, size: int, arguments: argparse.Namespace) -> dict[str, Any]:
    """Run one case in this process."""
    import ase.io
    import jax
    import jax.numpy as jnp
    import numpy as np
    from ase import Atoms

    from helio.precision import numerics

    atoms = ase.io.read(ROOT / "tests/reference/water_64.extxyz")
    assert isinstance(atoms, Atoms)
    atoms = atoms.repeat(REPEATS[size])
    with numerics("float32"):
        oxygen = atoms.numbers == 8
        values = {"charge": (-0.8, 0.4), "polarizability": (5.4, 2.8), "c6": (15.6, 3.5)}
        atomic = {name: jnp.asarray(np.where(oxygen, *pair), jnp.float32) for name, pair in values.items()}
        function, tables = energies(method, atoms, arguments.tolerance, arguments.rows)
        geometry = [jnp.asarray(x, jnp.float32) for x in (atoms.positions, atoms.cell.array)]
        tables = jax.tree.map(jnp.asarray, tables)

        # By positions and by the values per atom, as forces of the full model need it.
        def total(atomic: dict, positions: jax.Array, cell: jax.Array, tables: Any) -> jax.Array:
            return function(atomic, positions, cell, tables).sum()

        program = jax.jit(jax.value_and_grad(total, argnums=(0, 1))).lower(atomic, *geometry, tables).compile()
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        seconds = []
        for _ in range(arguments.repeats + 1):
            start = time.perf_counter()
            jax.block_until_ready(program(atomic, *geometry, tables))
            seconds.append(time.perf_counter() - start)
        device = jax.devices()[0]
    memory = program.memory_analysis()
    best = min(seconds[1:])
    return {
        "method": method,
        "atoms": len(atoms),
        "milliseconds": 1e3 * best,
        "microseconds_per_atom": 1e6 * best / len(atoms),
        "working_memory_MiB": memory.temp_size_in_bytes / 2**20 if memory else None,
        "peak_memory_MiB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "before_the_run_MiB": before / 1024,
        "device": device.device_kind,
        "jax": jax.__version__,
    }


def main() -> None:
    """Print a table and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--largest", type=int, default=24000, help="atoms")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--tolerance", type=float, default=1e-4, help="of forces on the mesh")
    parser.add_argument("--rows", type=int, help="of a tile; by default the package's")
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=METHODS)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--case", nargs=2, metavar=("METHOD", "ATOMS"), help="one case, as JSON on standard output")
    arguments = parser.parse_args()
    if arguments.case:
        method, size = arguments.case
        print(json.dumps(measure(method, int(size), arguments)))
        return

    options = ["--repeats", str(arguments.repeats), "--tolerance", str(arguments.tolerance)]
    options += ["--rows", str(arguments.rows)] if arguments.rows else []
    rows = []
    print(f"{'method':12}{'atoms':>7}{'ms':>10}{'us/atom':>10}{'working MiB':>13}{'peak MiB':>10}")
    for method in arguments.methods:
        for size in REPEATS:
            if size > (min(arguments.largest, LARGEST_EWALD) if method == "ewald" else arguments.largest):
                continue
            command = [sys.executable, __file__, *options, "--case", method, str(size)]
            output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            row = json.loads(output.splitlines()[-1])
            rows.append(row)
            print(
                f"{method:12}{row['atoms']:7d}{row['milliseconds']:10.2f}{row['microseconds_per_atom']:10.2f}"
                f"{row['working_memory_MiB'] or 0:13.0f}{row['peak_memory_MiB']:10.0f}",
                flush=True,
            )
    if arguments.out:
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        record = {
            "date": date.today().isoformat(),
            "machine": platform.machine(),
            "tolerance": arguments.tolerance,
            "rows": rows,
        }
        arguments.out.write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    main()

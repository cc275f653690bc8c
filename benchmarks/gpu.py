"""Everything to be known of a GPU: the tests that need one, then times of operations, force evaluations and dynamics.

    python benchmarks/gpu.py [--model so3lr] [--repeats 20] [--out FOLDER]

Ends with an error where a test fails. Operations are those of the attention of the first layer and of the second, in
microseconds per atom of water, for several layouts (pairs at a time, warps of a program). Their tables, and those of
`kernels.py` (force evaluations, compiled and plain) and `system_size.py` (dynamics), are written to the folder.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

from kernels import ROOT, SKIN, fastest

LAYOUTS = [(block, warps) for block in (16, 32) for warps in (1, 2, 4, 8)]  # pairs at a time, warps


def operations(model: str, repeats: int) -> list[dict[str, Any]]:
    """Times of all layouts for water of 1,536 and 12,288 atoms."""
    import ase.io
    from ase import Atoms

    from helio.force_field import load_model
    from helio.precision import numerics
    from helio.system import System

    water = ase.io.read(ROOT / "tests/reference/water_64.extxyz")
    assert isinstance(water, Atoms)
    rows = []
    print(f"{'atoms':>8}{'layer':>7}{'pairs':>7}{'warps':>7}{'forward':>9}{'backward':>10}   microseconds per atom")
    with numerics("float32"):
        force_field = load_model(model, kernels="compiled")
        assert force_field.tables is not None
        for repeat in (2, 4):
            system = System.from_ase(water.repeat(repeat))
            for layer in (0, 1):
                arguments = operands(force_field, system, layer)
                for block, warps in LAYOUTS:
                    times = timed(force_field.tables[layer], *arguments, (block, warps), repeats)
                    row = {"atoms": len(system), "layer": layer, "block": block, "warps": warps}
                    rows.append(row | {name: 1e6 * seconds / len(system) for name, seconds in times.items()})
                    print(f"{len(system):8d}{layer:7d}{block:7d}{warps:7d}", end="")
                    print(f"{rows[-1]['forward']:9.3f}{rows[-1]['backward']:10.3f}", flush=True)
    return rows


def operands(force_field: Any, system: Any, layer: int) -> tuple[Any, Any]:
    """Operands of one layer with random values per atom, and cotangents."""
    import jax
    import jax.numpy as jnp
    import numpy as np

    from helio.kernels.gpu_pairs import Operands

    settings, rng, count = force_field.settings, np.random.default_rng(0), len(system)
    pairs, arrays = force_field.neighbors(system, skin=SKIN).short, system.astype("float32")
    components = sum(2 * degree + 1 for degree in settings.degrees)

    def values(width: int) -> Any:
        return jnp.asarray(rng.normal(size=(count, width)), "float32")

    q1, q2, k1, k2, v, dx = (values(settings.features) for _ in range(6))
    tables = jax.tree.map(lambda leaf: jnp.asarray(leaf, "float32"), force_field.tables[layer])
    made = Operands(
        positions=arrays.positions,
        cell=arrays.cell,
        index=jnp.asarray(pairs.index),
        shift=None if pairs.shift is None else jnp.asarray(pairs.shift),
        row_start=jnp.zeros(1, jnp.int32),
        table=tables.table,
        first=tables.first,
        bias=tables.bias,
        second=tables.second,
        second_transposed=tables.second_transposed,
        query=(q1, q2),
        key=(k1, k2),
        value=v,
        chi=values(components) if layer else None,
    )
    return made, (dx, values(components))


def timed(filters: Any, arguments: Any, cotangents: Any, layout: tuple[int, int], repeats: int) -> dict[str, float]:
    """Seconds of both directions."""
    import jax

    from helio.kernels import gpu_backward, gpu_forward
    from helio.kernels.gpu_rows import Launch
    from helio.kernels.settings import AttentionSettings

    settings, launch = AttentionSettings.of(filters), Launch(*layout)
    forward = jax.jit(lambda a: gpu_forward.forward(settings, a, launch=launch))
    backward = jax.jit(lambda a, c: gpu_backward.backward(settings, a, *c, launch=launch))
    return {
        "forward": fastest(lambda: forward(arguments), repeats),
        "backward": fastest(lambda: backward(arguments, cotangents), repeats),
    }


def main() -> None:
    """Run all and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="so3lr")
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--out", type=Path, default=Path("gpu"), help="folder")
    parser.add_argument("--operations", action="store_true", help="these only, as JSON in the folder")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    if arguments.operations:
        import jax

        if jax.default_backend() != "gpu":
            raise SystemExit(f"JAX computes on {jax.default_backend()}: helio doctor says more")
        record = {
            "date": date.today().isoformat(),
            "device": jax.devices()[0].device_kind,
            "jax": jax.__version__,
            "rows": operations(arguments.model, arguments.repeats),
        }
        (arguments.out / "operations.json").write_text(json.dumps(record, indent=2) + "\n")
        return

    # Each in a process of its own: a process keeps the GPU's memory.
    here, out = ROOT / "benchmarks", arguments.out.resolve()
    model = ["--model", arguments.model]
    for command in (
        ["-m", "pytest", "-q", "-m", "gpu", "tests"],
        [str(here / "gpu.py"), "--operations", *model, "--repeats", str(arguments.repeats), "--out", str(out)],
        [str(here / "kernels.py"), *model, "--out", str(out / "kernels.json")],
        [str(here / "system_size.py"), "--kernels", "compiled", "--out", str(out / "system_size.json")],
    ):
        print("python", *command, flush=True)
        subprocess.run([sys.executable, *command], check=True, cwd=ROOT)


if __name__ == "__main__":
    main()

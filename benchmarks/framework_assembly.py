"""How many known frameworks are found again by assembly when it is forgotten how their blocks are turned.

    helio frameworks build --count 1000 --seed 1 --out mofs.h5
    helio frameworks import CURATED-COFs/cifs --out cofs.h5
    python benchmarks/framework_assembly.py mofs.h5:500 cofs.h5 --out benchmarks/results/framework_assembly.json

Prints for each store the share of frameworks with all edges found again, gaps between connections that meet (mean over
the connections of a framework, then over frameworks; the frameworks as they were given beside it), the distance of
atoms from where they were, and the time; then the frameworks that are not found again. `STORE:N` takes N frameworks
drawn at random.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from helio.frameworks.assembly.oracle import Recovery

_GAP = 0.5  # A, that connections should be apart at most on average


def recovered(path: Path, count: int | None, *, seed: int, batch: int) -> dict[str, Any]:
    """Assemble frameworks of a store without their rotations, some at a time."""
    from helio.frameworks.assembly.oracle import recovery
    from helio.frameworks.store import FrameworkStore

    found: list[Recovery] = []
    errors: list[str] = []
    processor = time.process_time()
    with FrameworkStore(path) as store:
        names = [store.names()[i] for i in np.random.default_rng(seed).permutation(len(store))[:count]]
        for begin in range(0, len(names), batch):
            frameworks = [store.framework(name) for name in names[begin : begin + batch]]
            some, failed, _ = recovery(frameworks, store.library, seed=seed)
            found += some
            errors += [str(error) for error in failed]
            whole = sum(one.edges == 1 for one in found)
            print(f"  {path.name}: {whole} of {len(found)}, {len(errors)} not assembled", flush=True)
        nets = {one.name: store.net(one.name) for one in found}
    return summary(found, errors, nets) | {"seconds_each": (time.process_time() - processor) / len(names)}


def summary(found: list[Recovery], errors: list[str], nets: dict[str, str]) -> dict[str, Any]:
    """The figures, and all that was not found again."""
    gaps, known = np.array([one.gap for one in found]), np.array([one.known_gap for one in found])
    whole = np.array([one.edges == 1 for one in found])
    apart = np.array([one.rmsd for one in found])
    count = len(found) + len(errors)
    lost = [one for one in found if one.edges < 1]
    return {
        "frameworks": count,
        "found_again": int(whole.sum()),
        "share": float(whole.sum() / count),
        "within_gap": int((gaps < _GAP).sum()),
        "gap": {"mean": float(gaps.mean()), "median": float(np.median(gaps)), "worst": float(gaps.max())},
        "known_gap": {"mean": float(known.mean()), "worst": float(known.max())},
        "rmsd_of_found_again": {"median": float(np.median(apart[whole])), "worst": float(apart[whole].max())},
        "fits_better_than_known": sum(one.gap < one.known_gap + 1e-3 for one in lost),
        "missed": [asdict(one) | {"net": nets[one.name]} for one in lost],
        "errors": errors,
    }


def main() -> None:
    """Print the figures and write JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stores", nargs="+", help="STORE, or STORE:N for N of its frameworks")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--batch", type=int, default=50, help="frameworks that are assembled together")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    record: dict[str, Any] = {
        "date": date.today().isoformat(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, one used",
        "seed": arguments.seed,
        "stores": {},
    }
    for given in arguments.stores:
        path, _, count = given.partition(":")
        own = recovered(Path(path), int(count) if count else None, seed=arguments.seed, batch=arguments.batch)
        record["stores"][Path(path).name] = own
        print(f"{path}: {own['found_again']} of {own['frameworks']} found again ({100 * own['share']:.1f} %)")
        print(f"  mean gap {own['gap']['mean']:.3f} A, worst {own['gap']['worst']:.3f} A; given: {own['known_gap']}")
        print(f"  atoms {own['rmsd_of_found_again']} A from where they were; {own['seconds_each']:.2f} s each")
        for one in own["missed"]:
            print(f"  {one['name']} ({one['net']}): {100 * one['edges']:.0f} % of its edges, gap {one['gap']:.3f} A, "
                  f"given {one['known_gap']:.3f} A")  # fmt: skip
        if arguments.out:
            arguments.out.parent.mkdir(parents=True, exist_ok=True)
            arguments.out.write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    main()

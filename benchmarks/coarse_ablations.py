"""What the choices of a coarse model are worth: one is changed at a time, each model is trained alike and rolled out.

    helio coarse reference rouse --count 60 --beads 64 64 --frames 4000 --interval 5 --test 10 --validation 5 --seed 1 \
        --out rouse.h5
    python benchmarks/coarse_ablations.py rouse.h5 --folder ablations [--steps 1000] [--length 20000] [--only ...]

Rouse chains have closed forms, so that what a choice costs is told from chance. Prints for each variant the validation
loss (negative log likelihood per group and axis), and diffusivity, relaxation time of the end-to-end vector and mean
Rg^2 of the roll-outs of the test chains over the exact ones, with errors over these chains. Models and roll-outs that
are in `--folder` are taken as they are.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import yaml

ROOT = Path(__file__).parents[1]
NOISE = {"largest": 0.1, "smallest": 0.01}
REFINED = {"levels": 8, "largest": 0.2, "smallest": 0.02, "inner_steps": 4, "eta": 2e-4}
PUBLISHED: dict[str, Any] = {"form": "published", "noise": "independent", "target": "acceleration"}
VARIANTS: dict[str, dict[str, Any]] = {
    "as it is": {},
    "published form": {"network": {"form": "published"}},
    "published form, random rotations": {"network": {"form": "published"}, "rotate": True},
    "independent noise": {"network": {"noise": "independent"}},
    "target acceleration": {"network": {"target": "acceleration"}},
    "published form, noise and target": {"network": PUBLISHED},
    "the same, noise on histories": {"network": PUBLISHED, "history_noise": NOISE},
    "the same, refined": {"network": PUBLISHED | {"refinement": REFINED}},
    "refined": {"network": {"refinement": REFINED}},
    "noise on histories": {"history_noise": NOISE},
    "bonds between groups counted": {"network": {"separation": 8}},
}
PROPERTIES = ("diffusivity chain", "end_to_end_time", "rg_squared")


def settings_of(variant: dict[str, Any], data: Path, steps: int) -> dict[str, Any]:
    """Those of the example, changed."""
    base = yaml.safe_load((ROOT / "examples" / "coarse" / "rouse.yaml").read_text())
    network = base["network"] | variant.get("network", {})
    own = {"data": str(data.resolve()), "steps": steps, "validate_every": max(1, steps // 4), "network": network}
    values = base | variant | own
    del values["out"]
    return values


def trained(folder: Path, values: dict[str, Any]) -> float:
    """Train unless that is done; the best validation loss."""
    from helio.coarse.settings import CoarseTrainSettings
    from helio.coarse.training import train_coarse
    from helio.settings.checking import checked

    if not (folder / "model.safetensors").exists():
        train_coarse(checked(CoarseTrainSettings, values), folder, report=lambda progress: None)
    rows = np.genfromtxt(folder / "validation.csv", delimiter=",", names=True)
    return float(np.min(rows["loss"]))


def rolled(folder: Path, model: Path, data: Path, length: int) -> dict[str, Any]:
    """Roll the test chains out unless that is done; ratios to the closed forms."""
    from helio.coarse.evaluation.chains import gyration_of_groups
    from helio.coarse.evaluation.properties import measure
    from helio.coarse.evaluation.rouse import exact_properties
    from helio.coarse.evaluation.track import rolled_out
    from helio.coarse.reference.rouse import RouseChain
    from helio.coarse.rollout import simulate_coarse
    from helio.coarse.rollout_file import Rollout
    from helio.coarse.settings import SimulateSettings
    from helio.coarse.store import Store
    from helio.errors import HelioError
    from helio.settings.checking import checked

    file, harm = folder / "rollout.h5", folder / "last-good.npz"
    if not file.exists():
        values = {"model": str(model), "data": str(data), "steps": length}
        try:
            simulate_coarse(checked(SimulateSettings, values), folder, report=lambda progress: None)
        except HelioError:
            if not harm.exists():
                raise
    rollout, found = Rollout(file), {name: [] for name in PROPERTIES}
    if harm.exists():
        return {"torn_after": len(rollout.centers(rollout.names[0]))}
    with Store(data) as store:
        for name in rollout.names:
            chain, groups, track = (
                RouseChain(len(store.system(name))),
                store.groups(name),
                rolled_out(rollout, store, name),
            )
            exact, measured = exact_properties(chain, groups), measure(track, gyration="groups")
            for wanted in ("diffusivity chain", "end_to_end_time"):
                found[wanted].append(measured[wanted].value / exact[wanted].value)
            found["rg_squared"].append(float(gyration_of_groups(track).mean()) / gyration_of_centres(chain, groups))
    return {
        name: [float(np.mean(values)), float(np.std(values, ddof=1) / len(values) ** 0.5)]
        for name, values in found.items()
    }


def gyration_of_centres(chain: Any, groups: Any) -> float:
    """<Rg^2> of the centres of a Rouse chain's groups: sum_p 3 s_p^2 sum_g w_g phi_pg^2, less the mean of phi_p."""
    modes, beads = np.arange(1, chain.beads), np.arange(chain.beads)
    variances = chain.bond**2 / (12 * np.sin(np.pi * modes / (2 * chain.beads)) ** 2)
    shapes = np.sqrt(2 / chain.beads) * np.cos(np.pi * np.outer(modes, beads + 0.5) / chain.beads)
    centres = np.stack([shapes[:, groups.members == g].mean(axis=1) for g in range(len(groups))], axis=1)
    weights = groups.masses / groups.masses.sum()
    return float(3 * variances @ (centres**2 @ weights - (centres @ weights) ** 2))


def main() -> None:
    """Run all variants, print the table and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("store", type=Path)
    parser.add_argument("--folder", type=Path, required=True, help="for trainings and roll-outs")
    parser.add_argument("--steps", type=int, default=1000, help="batches of each training")
    parser.add_argument("--length", type=int, default=20_000, help="steps of each roll-out")
    parser.add_argument("--only", nargs="+", choices=list(VARIANTS), default=list(VARIANTS), metavar="VARIANT")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    print(f"{'':35}{'loss':>9}{'diffusivity':>17}{'relaxation':>17}{'Rg^2':>17}")
    found = {}
    for name in args.only:
        own, began = args.folder / name.replace(" ", "-").replace(",", ""), time.process_time()
        loss = trained(own, settings_of(VARIANTS[name], args.store, args.steps))
        ratios = rolled(own.with_name(own.name + "-rolled"), own / "model.safetensors", args.store, args.length)
        found[name] = {"loss": loss, **ratios, "core_seconds": time.process_time() - began}
        shown = "".join(f"{mean:10.3f} ± {error:.3f}" for mean, error in (ratios.get(p, (0, 0)) for p in PROPERTIES))
        said = f"   torn after {ratios['torn_after']} steps" if "torn_after" in ratios else shown
        print(f"{name:35}{loss:9.4f}{said}", flush=True)
    if args.out:
        record = {
            "date": date.today().isoformat(),
            "machine": platform.machine(),
            "cores": os.cpu_count(),
            "steps": args.steps,
            "length": args.length,
            "variants": found,
        }
        args.out.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()

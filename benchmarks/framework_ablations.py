"""What the choices of a generative model of frameworks are worth: one is changed at a time, all are trained alike.

    helio frameworks build --nets pcu,acs,nbo --count 1000 --seed 1 --out mofs.h5
    python benchmarks/framework_ablations.py mofs.h5 --folder ablations [--steps 4000] [--samples 48] [--only ...]

Settings are those of `examples/frameworks/train.yaml` with three layers and `--steps` batches. Prints for each variant
the errors on the part `test` (lattice and density read off the latent, what one step of denoising leaves of
displacements and how many blocks it names, from noise at a quarter and half of the steps), and how many samples are
assembled, and how many of these are one net in three dimensions, with sites of the training set and as drawn. Models
that are in `--folder` are taken as they are. One seed each: small differences mean nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from framework_generation import errors_on_test

ROOT = Path(__file__).parents[1]
VARIANTS: dict[str, dict[str, Any]] = {
    "as it is": {},
    "latent of one number": {"network": {"latent": 1}},
    "latent of eight numbers": {"network": {"latent": 8}},
    "divergence not weighted": {"kl_weight": 0.0},
    "divergence weighted by 1": {"kl_weight": 1.0},
    "one layer": {"network": {"layers": 1}},
    "waves of the first order": {"network": {"reach": 1}},
    "one draw of noise": {"draws": 1},
    "places weighted as embeddings": {"places_weight": 1.0},
}


def settings_of(variant: dict[str, Any], data: Path, steps: int) -> dict[str, Any]:
    """Those of the example, changed."""
    base = yaml.safe_load((ROOT / "examples" / "frameworks" / "train.yaml").read_text())
    network = base["network"] | {"layers": 3} | variant.get("network", {})
    own = {"data": str(data.resolve()), "steps": steps, "validate_every": max(1, steps // 4), "network": network}
    values = base | variant | own
    del values["out"]
    return values


def trained(folder: Path, values: dict[str, Any]) -> Any:
    """The model, trained unless that is done."""
    from helio.frameworks.model.model_file import read_framework_model
    from helio.frameworks.model.settings import FrameworkTrainSettings
    from helio.frameworks.model.training import MODEL, train_frameworks
    from helio.settings.checking import checked

    if not (folder / "finished").exists():
        train_frameworks(checked(FrameworkTrainSettings, values), folder, report=lambda progress: None, overwrite=True)
        (folder / "finished").touch()
    return read_framework_model(str(folder / MODEL))


def errors(model: Any, path: Path) -> dict[str, float]:
    """Some of the errors on frameworks that the model has not seen."""
    found = errors_on_test(model, path)
    return {
        "count": found["count_accuracy"],
        "length": found["length_error"],
        "density": found["labels"]["density"],
        **{f"{what} {level}": found[what][level] for what in ("places", "blocks") for level in (0.25, 0.5)},
    }


def sampled(model: Any, count: int, *, known_sites: bool) -> dict[str, int]:
    """What becomes of samples."""
    from helio.errors import HelioError
    from helio.frameworks.assembly.assemble import assemble_all
    from helio.frameworks.model.generation import GenerationSettings, generate
    from helio.frameworks.periodic_graph import fragments

    found = generate(model, GenerationSettings(count, seed=1, spread=0.2, known_sites=known_sites)).content
    joined = assemble_all([entry.framework for entry in found.entries], found.library, adapt=True)
    meeting = [one.framework for one in joined if not isinstance(one, HelioError) and one.mean_gap <= 0.5]
    ranks = [fragments(len(each), each.edges[:, :2], each.edges[:, 2:]).ranks.tolist() for each in meeting]
    return {"assembled": len(meeting), "whole": sum(own == [3] for own in ranks)}


def main() -> None:
    """Train, measure, print and write JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("store", type=Path)
    parser.add_argument("--folder", type=Path, required=True, help="for the models")
    parser.add_argument("--steps", type=int, default=4000, help="batches")
    parser.add_argument("--samples", type=int, default=48, help="of each kind")
    parser.add_argument("--only", nargs="+", choices=VARIANTS, default=list(VARIANTS))
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    record: dict[str, Any] = {
        "date": date.today().isoformat(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "steps": arguments.steps,
        "samples": arguments.samples,
        "variants": {},
    }
    for name in arguments.only:
        folder = arguments.folder / name.replace(" ", "-")
        model = trained(folder, settings_of(VARIANTS[name], arguments.store, arguments.steps))
        rows = np.genfromtxt(folder / "log.csv", delimiter=",", names=True)
        found: dict[str, Any] = errors(model, arguments.store)
        found["known sites"] = sampled(model, arguments.samples, known_sites=True)
        found["drawn sites"] = sampled(model, arguments.samples, known_sites=False)
        record["variants"][name] = found | {"last_loss": float(rows["loss"][-1])}
        shown = "  ".join(f"{key} {value:.3f}" for key, value in found.items() if isinstance(value, float))
        kinds = "  ".join(
            f"{kind}: {found[kind]['assembled']} assembled, {found[kind]['whole']} whole"
            for kind in ("known sites", "drawn sites")
        )
        print(f"{name:30} {shown}  {kinds}", flush=True)
        if arguments.out:
            arguments.out.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()

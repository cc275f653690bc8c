"""What becomes of generated frameworks, beside the frameworks that the model was trained on and beside random blocks.

    helio frameworks build --nets pcu,acs,nbo --count 1000 --seed 1 --out mofs.h5
    python benchmarks/framework_generation.py mofs.h5 --model helio-frameworks --count 200 --folder generation

Prints errors of the model on the part `test` of the store, then how many candidates of each source match (as many
connections of nodes as of linkers), can be assembled, relaxed with UFF, are valid, new and unique, and how far the pore
figures of the valid ones are from the training set's (Wasserstein distance in units of its standard deviation):

- model: samples; `--spread` sets how far from the latents of the training set they are drawn;
- data: frameworks of the training set with all rotations and connections forgotten, which is the most to expect;
- random blocks: the same cells and places with blocks of the library put there at random.

Each `--chunk` candidates are a campaign in `--folder`, whose page `helio report` makes; begun again, a campaign that
was cut off goes on where it was. The JSON is written after each. Shares have binomial standard errors. Results that the
file `--out` held before are kept in it, under `earlier`.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

FIGURES = ("density", "largest_cavity_diameter", "pore_limiting_diameter", "surface_area", "void_fraction")


def errors_on_test(model: Any, path: Path) -> dict[str, Any]:
    """Errors of the model on frameworks that it has not seen."""
    from helio.frameworks.model.data import framework_arrays
    from helio.frameworks.model.embedding import embed_library
    from helio.frameworks.model.measures import model_errors
    from helio.frameworks.store import FrameworkStore
    from helio.precision import numerics

    with FrameworkStore(path) as store, numerics("float32"):
        frameworks = [each for each in store.frameworks("test") if len(each) <= 20]
        embeddings = embed_library(model.encoder, store.library)
        arrays = framework_arrays(frameworks, store.library, model.scales.names)
        return asdict(model_errors(model, arrays, embeddings))


def sources(
    model: Any, path: Path, *, count: int, known_count: int, spread: float, seed: int, drawn_sites: bool
) -> dict[str, Any]:
    """Contents of stores of candidates by what they come from."""
    from helio.frameworks.model.generation import GenerationSettings, generate
    from helio.frameworks.model.measures import shuffled_blocks
    from helio.frameworks.store import Entry, FrameworkStore, StoreContent

    with FrameworkStore(path) as store:
        names = np.random.default_rng(seed).permutation(store.names("train"))[:known_count]
        known = [_forgotten(store.framework(str(name))) for name in names]
        library = store.library
    drawn = generate(model, GenerationSettings(count, seed=seed, spread=spread, known_sites=not drawn_sites))
    return {
        "model": drawn.content,
        "data": StoreContent(library, [Entry(each) for each in known]),
        "random blocks": StoreContent(library, [Entry(each) for each in shuffled_blocks(known, library, seed=seed)]),
    }


def chunks(content: Any, chunk: int, folder: Path, name: str) -> list[Path]:
    """Stores of so many candidates each."""
    from helio.frameworks.model.measures import matched
    from helio.frameworks.store_writer import write_store

    share = np.mean([matched(entry.framework, content.library) for entry in content.entries])
    print(f"{name:14} {len(content.entries)} candidates, {100 * share:.0f} % with matching connections")
    paths = []
    for number, begin in enumerate(range(0, len(content.entries), chunk)):
        paths.append(folder / f"{name.replace(' ', '-')}-{number}.h5")
        write_store(paths[-1], replace(content, entries=content.entries[begin : begin + chunk]), overwrite=True)
    return paths


def _forgotten(framework: Any) -> Any:
    """What a sample is made of: blocks and places."""
    nothing = {"edges": np.zeros((0, 5), np.int32), "ends": np.zeros((0, 2), np.int32), "labels": {}}
    return replace(framework, rotations=np.tile(np.eye(3), (len(framework), 1, 1)), **nothing)


def follow(samples: Path, known: Path, folder: Path, *, workers: int, relaxation: str) -> None:
    """Bring all candidates of a store through a campaign."""
    from helio.frameworks.campaign.run import run, start
    from helio.frameworks.campaign.settings import CampaignSettings
    from helio.frameworks.store import FrameworkStore
    from helio.settings.checking import checked

    if not (folder / "record.sqlite").is_file():
        with FrameworkStore(samples) as store:
            count = len(store.names())
        values = {"samples": str(samples), "known": str(known), "count": count, "relaxation": relaxation}
        start(folder, checked(CampaignSettings, values))
    run(folder, workers=workers)


def outcome(folders: Sequence[Path]) -> dict[str, Any]:
    """The funnel of campaigns together, and the distance of what is valid from the training set."""
    from helio.frameworks.campaign.outcome import funnel, passed, unique
    from helio.frameworks.campaign.record import Record

    steps: Counter[str] = Counter()
    reasons: dict[str, Counter[str]] = {}
    valid, identities, labels = [], set(), {}
    for folder in folders:
        with Record(folder / "record.sqlite") as record:
            for step in funnel(record):
                steps[step.name] += step.count
                if step.reasons:
                    reasons.setdefault(step.name, Counter()).update(dict(step.reasons))
            labels, identities = record.known_labels(), record.known()
            valid += passed(record.candidates(), "check")
    steps["unique"] = len(unique([one for one in valid if one.identity not in identities]))
    figures = {name: [one.figure(name) for one in valid] for name in FIGURES}
    return {
        "funnel": dict(steps),
        "shares": {name: _share(number, steps["sampled"]) for name, number in steps.items()},
        "reasons": {name: dict(found.most_common()) for name, found in reasons.items()},
        "distances": {name: _distance(figures[name], labels[name]) for name in FIGURES if name in labels},
    }


def _share(number: int, count: int) -> tuple[float, float]:
    """A share and its binomial standard error."""
    share = number / count
    return share, float(np.sqrt(share * (1 - share) / count))


def _distance(found: Sequence[float | None], known: Sequence[float]) -> float | None:
    """Wasserstein distance in units of the known numbers' standard deviation; None without numbers."""
    from scipy.stats import wasserstein_distance

    numbers = [value for value in found if value is not None]
    return float(wasserstein_distance(numbers, known) / np.std(known)) if numbers else None


def main() -> None:
    """Make and follow all candidates, print a table, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("store", type=Path, help="that the model was trained on")
    parser.add_argument("--model", default="helio-frameworks")
    parser.add_argument("--count", type=int, default=200, help="candidates of each source")
    parser.add_argument("--known-count", type=int, help="of the two others, where these shall be fewer")
    parser.add_argument("--chunk", type=int, default=100, help="candidates of a campaign")
    parser.add_argument("--spread", type=float, default=0.5)
    parser.add_argument("--drawn-sites", action="store_true", help="of the model, instead of sites of the training set")
    parser.add_argument("--relaxation", default="uff")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, required=True, help="for the campaigns")
    parser.add_argument("--out", type=Path, help="JSON to write")
    arguments = parser.parse_args()

    from helio.frameworks.model.model_file import read_framework_model

    arguments.folder.mkdir(parents=True, exist_ok=True)
    model = read_framework_model(arguments.model)
    errors = errors_on_test(model, arguments.store)
    print(json.dumps(errors, indent=1))
    how = {name: getattr(arguments, name) for name in ("count", "spread", "seed", "drawn_sites")}
    how["known_count"] = arguments.known_count or arguments.count
    record = {"date": date.today().isoformat(), "machine": platform.machine(), "cores": os.cpu_count(), **how}
    record |= {"relaxation": arguments.relaxation, "errors": errors, "sources": {}}
    if arguments.out and arguments.out.is_file():
        before = json.loads(arguments.out.read_text())
        record["earlier"] = [*before.pop("earlier", []), before]
    for name, content in sources(model, arguments.store, **how).items():
        folders = []
        for samples in chunks(content, arguments.chunk, arguments.folder, name):
            folders.append(arguments.folder / f"campaign-{samples.stem}")
            follow(samples, arguments.store, folders[-1], workers=arguments.workers, relaxation=arguments.relaxation)
            record["sources"][name] = found = outcome(folders)
            shares = [
                f"{step} {number} ({_percent(*found['shares'][step])})" for step, number in found["funnel"].items()
            ]
            print(f"{name:14} " + "  ".join(shares), flush=True)
            if arguments.out:
                arguments.out.write_text(json.dumps(record, indent=1) + "\n")
        print(f"{'':14} distances {record['sources'][name]['distances']}")


def _percent(share: float, error: float) -> str:
    return f"{100 * share:.0f} ± {100 * error:.0f} %"


if __name__ == "__main__":
    main()

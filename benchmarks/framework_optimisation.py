"""Whether frameworks drawn for much carbon dioxide take up more of it than those the model was trained on.

    helio frameworks build --count 1000 --seed 1 --out mofs.h5
    helio frameworks label mofs.h5 --what capacity --cycles 300 --equilibration 100 --count 60 --seed 1
    python benchmarks/framework_optimisation.py mofs.h5 --count 60 --folder optimisation

The wish is the most of `eqeq_working_capacity`, which is learnt from the store as `helio frameworks optimise
--labelled` does. Candidates with that wish, and as many without any from the same draws of latents, become campaigns:
assembled, relaxed with UFF, checked, and what is valid and unique is simulated by GCMC with the settings of the labels
in the store (carbon dioxide alone), with which it is compared: all of it, and what is new, not in the part `train`.

Prints the error of what was learnt, how many candidates came through, and for each source the median of the working
capacity, and the shares above the median and above the upper tenth of the labelled frameworks. Begun again, it goes on
where it was.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

CAPACITY = "eqeq_working_capacity"
FIGURES = ("density", "pore_limiting_diameter", "void_fraction")


def draws(arguments: argparse.Namespace) -> tuple[dict[str, Path], dict[str, Any]]:
    """Stores of candidates with the wish and without, and the errors of what was learnt."""
    from helio.frameworks.model.fitted_label import with_label
    from helio.frameworks.model.generation import GenerationSettings, generate
    from helio.frameworks.model.model_file import read_framework_model
    from helio.frameworks.model.optimise import Search
    from helio.frameworks.model.wishes import Wishes
    from helio.frameworks.store import FrameworkStore
    from helio.frameworks.store_writer import write_store

    with FrameworkStore(arguments.store) as store:
        model, errors = with_label(read_framework_model(arguments.model), store, CAPACITY)
    print(f"learnt: {errors}", flush=True)
    stores = {name: arguments.folder / f"{name}.h5" for name in ("optimised", "plain")}
    for name, path in stores.items():
        if path.exists():
            continue
        settings = GenerationSettings(
            arguments.count,
            seed=arguments.seed,
            spread=arguments.spread,
            wishes=Wishes(most=(CAPACITY,)) if name == "optimised" else Wishes(),
            search=Search(prior_weight=arguments.prior),
        )
        found = generate(model, settings)
        told = [entry.framework.labels[f"predicted_{CAPACITY}"] for entry in found.content.entries]
        print(f"{name}: {len(told)} drawn, told median {np.median(told):.3f} mol/kg", flush=True)
        write_store(path, found.content)
    return stores, asdict(errors)


def campaign(samples: Path, folder: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    """The funnel of a campaign, and the figures of all that was simulated.

    The campaign is told of no known frameworks: these are simulated too, and set apart here.
    """
    from helio.frameworks.campaign.outcome import funnel, passed
    from helio.frameworks.campaign.record import Record
    from helio.frameworks.campaign.run import run, start
    from helio.frameworks.campaign.settings import CampaignSettings
    from helio.frameworks.novelty import identities
    from helio.frameworks.store import FrameworkStore
    from helio.settings.checking import checked

    if not (folder / "record.sqlite").is_file():
        values = {
            "samples": str(samples.resolve()), "count": arguments.count, "relaxation_steps": arguments.steps,
            "screen": arguments.count, "nitrogen": False, "cycles": arguments.cycles,
            "equilibration": arguments.equilibration,
        }  # fmt: skip
        start(folder, checked(CampaignSettings, values))
    run(folder, workers=arguments.workers)
    with FrameworkStore(arguments.store) as store:
        trained_on = identities(store.frameworks("train"), store.library)
    with Record(folder / "record.sqlite") as record:
        screened = passed(record.candidates(), "screen")
        return {
            "funnel": {step.name: step.count for step in funnel(record) if step.name != "new"},
            "reasons": {step.name: dict(step.reasons) for step in funnel(record) if step.reasons},
            CAPACITY: [one.figure(CAPACITY) for one in screened],
            "new": [one.identity not in trained_on for one in screened],
            "figures": {name: _median([one.figure(name) for one in screened]) for name in FIGURES},
        }


def compared(found: Any, known: np.ndarray) -> dict[str, Any]:
    """Working capacities beside those of the labelled frameworks."""
    from scipy.stats import mannwhitneyu

    values = np.array(found, float)
    if not len(values):
        return {"simulated": 0}
    middle, upper = np.quantile(known, (0.5, 0.9))
    return {
        "simulated": len(values),
        "median": float(np.median(values)),
        "best": float(values.max()),
        "above_median": float((values > middle).mean()),
        "above_upper_tenth": float((values > upper).mean()),
        "p_not_larger": float(mannwhitneyu(values, known, alternative="greater").pvalue),
    }


def _median(values: list[float | None]) -> float | None:
    return float(np.median([value for value in values if value is not None])) if values else None


def main() -> None:
    """Draw, follow and compare; print and write JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("store", type=Path, help="with labels of GCMC")
    parser.add_argument("--model", default="helio-frameworks")
    parser.add_argument("--count", type=int, default=60, help="candidates of each source")
    parser.add_argument("--spread", type=float, default=0.2)
    parser.add_argument("--prior", type=float, default=3.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--steps", type=int, default=300, help="of each minimisation")
    parser.add_argument("--cycles", type=int, default=300)
    parser.add_argument("--equilibration", type=int, default=100)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--folder", type=Path, default=Path("optimisation"))
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)

    from helio.frameworks.store import FrameworkStore

    with FrameworkStore(arguments.store) as store:
        known = store.labels("train")[CAPACITY]
    known = known[np.isfinite(known)]
    middle, upper = np.quantile(known, (0.5, 0.9))
    print(f"{len(known)} labelled frameworks: median {middle:.3f}, upper tenth from {upper:.3f} mol/kg")
    stores, errors = draws(arguments)
    record: dict[str, Any] = {
        "date": date.today().isoformat(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "settings": {key: str(value) for key, value in vars(arguments).items() if key not in ("folder", "out")},
        "labelled": {"frameworks": len(known), "median": float(middle), "upper_tenth": float(upper),
                     "best": float(known.max())},
        "learnt": errors,
        "sources": {},
    }  # fmt: skip
    for name, samples in stores.items():
        found = campaign(samples, arguments.folder / f"campaign-{name}", arguments)
        new = np.array(found[CAPACITY], float)[np.array(found["new"], bool)]
        found |= {"compared": compared(found[CAPACITY], known), "compared_new": compared(new, known)}
        record["sources"][name] = found
        print(f"{name}: {found['funnel']}\n  {found['compared']}\n  new: {found['compared_new']}\n  {found['figures']}")
        if arguments.out:
            arguments.out.write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    main()

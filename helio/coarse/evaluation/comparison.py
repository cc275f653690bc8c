"""Roll-outs beside long simulation, short simulation, the mean of what was known before, and a regression."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from helio.coarse.evaluation.baselines import ridge_regression, short_simulations, static_mean
from helio.coarse.evaluation.composition import composition
from helio.coarse.evaluation.curves import Curves, Reference, curves_of, distances
from helio.coarse.evaluation.embedding import embeddings
from helio.coarse.evaluation.estimate import Estimate
from helio.coarse.evaluation.properties import (
    LEAST_FRAMES,
    Gyration,
    Property,
    diffusions,
    gyration_series,
    measure,
    properties_of,
)
from helio.coarse.evaluation.rouse import exact_properties
from helio.coarse.evaluation.track import CHAIN, Track, rolled_out, simulated
from helio.coarse.reference.rouse import RouseChain
from helio.coarse.rollout_file import Rollout
from helio.coarse.store import Store
from helio.errors import HelioError

_LOOKED_AT = 50  # frames
Report = Callable[[str], None]
_ROUSE = "Rouse chains, bond 1, friction 1, kT 1"  # how the origin of a store of them begins


@dataclass(frozen=True)
class SystemComparison:
    """One system: its reference, and what others say; several roll-outs or short simulations are several entries."""

    name: str
    groups: int
    time: float  # of the reference
    rolled_time: float
    stable: float  # share of the roll-out's frames up to the first that is not finite, mean over roll-outs
    reference: dict[str, Estimate]
    exact: dict[str, Estimate]  # in closed form, where it is known
    model: list[dict[str, Estimate]]
    short: list[dict[str, Estimate]]
    distances: dict[str, list[dict[str, float]]]  # of "model" and "short"
    curves: dict[str, Curves]  # of "reference", "model" and "short", the first of each
    histogram_edges: np.ndarray | None


@dataclass(frozen=True)
class Comparison:
    """All systems of the roll-outs; predictions without simulation by source, property and system."""

    systems: list[SystemComparison]
    properties: list[Property]
    known: int  # systems that the predictions without simulation come from
    mean: dict[str, float]
    regression: dict[str, dict[str, float]]  # on composition
    embedding: dict[str, dict[str, float]]  # regression on the model's embedding; none where the model is not there
    gyration: Gyration
    short_time: float
    length_unit: str
    time_unit: str


def compare(
    rollouts: Sequence[Rollout], store: Store, *, short_time: float | None, skip: float = 0.0, report: Report
) -> Comparison:
    """Compare the systems that all roll-outs have with their simulations in the store.

    Args:
        rollouts: of one model, such as with several seeds.
        store: with simulations of the same systems, and of those that the model was trained on.
        short_time: of the short simulations, histories included, but 41 frames at least; by default that of the median
            training system. There are none where they would be longer than half of the long one.
        skip: share of each roll-out, from its start, that is left out.
        report: is told what is being done.

    Raises:
        HelioError: the roll-outs and the store do not fit together, or are too short to say anything.
    """
    names = [name for name in rollouts[0].names if all(name in other.names for other in rollouts)]
    _check(rollouts, store, names)
    gyration: Gyration = "beads" if all(_tells_beads(rollout, store, names[0]) for rollout in rollouts) else "groups"
    training = [name for name in store.part("train") if name not in names]
    if short_time is None:
        if not training:
            raise HelioError(f"{store.path} has no systems to train on: say how long a short simulation is (--short)")
        short_time = float(np.median([(store.frames(name) - 1) * store.interval(name) for name in training]))
    # Less than this says nothing at all.
    short_time = max(short_time, (LEAST_FRAMES - 1) * store.interval(names[0]))
    systems = []
    for name in names:
        report(f"{name} ({len(systems) + 1} of {len(names)})")
        systems.append(_system(rollouts, store, name, gyration, short_time, skip))
    first = simulated(store, names[0])
    properties = properties_of(first, length_unit=store.length_unit, time_unit=store.time_unit)
    report(f"{len(training)} systems that were trained on")
    known = {name: measure(simulated(store, name), gyration=gyration) for name in training}
    composed = {n: composition(store.system(n), len(store.type_names)) for n in [*known, *names]}
    model = Path(rollouts[0].info.model)
    embedded = embeddings(model, store, [*known, *names]) if model.is_file() and len(known) > 0 else {}
    return Comparison(
        systems=systems,
        properties=properties,
        known=len(known),
        mean={p.name: static_mean([k[p.name] for k in known.values() if p.name in k], log=p.log) for p in properties},
        regression={p.name: _regression(composed, known, names, p) for p in properties},
        embedding={p.name: _regression(embedded, known, names, p) for p in properties},
        gyration=gyration,
        short_time=short_time,
        length_unit=store.length_unit,
        time_unit=store.time_unit,
    )


def open_rollouts(paths: Sequence[Path]) -> list[Rollout]:
    """Of run folders or files; `HelioError` where there is none."""
    return [Rollout(path / "rollout.h5" if path.is_dir() else path) for path in paths]


def _tells_beads(rollout: Rollout, store: Store, name: str) -> bool:
    """Whether radii of gyration are predicted, for all beads, and not just those of the groups' centres."""
    track = rolled_out(rollout, store, name)
    if track.rg_squared is None or CHAIN not in track.kinds:
        return False
    first = track.part(0, _LOOKED_AT)
    return not np.allclose(gyration_series(first, "beads"), gyration_series(first, "groups"), rtol=1e-3)


def _check(rollouts: Sequence[Rollout], store: Store, names: list[str]) -> None:
    if not names:
        raise HelioError("the roll-outs have no system in common")
    for rollout in rollouts:
        if (rollout.info.length_unit, rollout.info.time_unit) != (store.length_unit, store.time_unit):
            raise HelioError(
                f"{rollout.path} is in {rollout.info.length_unit} and {rollout.info.time_unit}, {store.path} in "
                f"{store.length_unit} and {store.time_unit}"
            )
        for name in names:
            if name not in store.names:
                raise HelioError(
                    f"{rollout.path} holds {name}, which {store.path} does not: give the store it began from"
                )
            if not np.allclose(rollout.array(name, "group_masses"), store.groups(name).masses, rtol=1e-5):
                raise HelioError(f"{name} has other groups in {rollout.path} than in {store.path}")


def _system(
    rollouts: Sequence[Rollout], store: Store, name: str, gyration: Gyration, short_time: float, skip: float
) -> SystemComparison:
    track = simulated(store, name)
    frames = round(short_time / track.interval) + 1
    if len(track) < LEAST_FRAMES:
        raise HelioError(
            f"the simulation of {name} has {len(track)} frames; to compare with it, {LEAST_FRAMES} are needed"
        )
    windows = {kind: found.window[:2] for kind, found in diffusions(track).items()}
    rolled = [rolled_out(rollout, store, name) for rollout in rollouts]
    whole = [rollout.frames(name) for rollout in rollouts]
    kept = [_kept(one, skip) for one in rolled]
    # A piece that is most of the reference would be compared with itself.
    short = short_simulations(track, frames) if frames <= len(track) // 2 else []
    reference = Reference(track, gyration)
    found = measure(track, gyration=gyration)
    longest = 6 * found["rg_squared_time"].value if "rg_squared_time" in found else 0.0
    exact_curves = curves_of(track, reference, longest=longest)
    curves = {
        source: [curves_of(one, reference, longest=longest) for one in tracks]
        for source, tracks in (("model", kept), ("short", short))
    }
    return SystemComparison(
        name=name,
        groups=len(track.masses),
        time=track.time,
        rolled_time=rolled[0].time,
        stable=float(np.mean([len(one) / count for one, count in zip(rolled, whole, strict=True)])),
        reference=found,
        exact=_closed_form(store, name, gyration),
        model=[measure(one, gyration=gyration, windows=windows) for one in kept],
        short=[measure(one, gyration=gyration, windows=windows) for one in short],
        distances={s: [distances(one, exact_curves, track.bonds) for one in many] for s, many in curves.items()},
        curves={"reference": exact_curves} | {source: many[0] for source, many in curves.items() if many},
        histogram_edges=reference.edges,
    )


def _kept(track: Track, skip: float) -> Track:
    """The roll-out without its start."""
    begin = round(skip * len(track))
    if len(track) - begin < LEAST_FRAMES:
        raise HelioError(
            f"the roll-out of {track.name} has {len(track) - begin} finite frames to look at; {LEAST_FRAMES} are needed"
        )
    return track.part(begin, len(track))


def _closed_form(store: Store, name: str, gyration: Gyration) -> dict[str, Estimate]:
    if not store.origin.startswith(_ROUSE):
        return {}
    exact = exact_properties(RouseChain(len(store.system(name))), store.groups(name))
    radii = {key for key in exact if key.startswith("rg_") and gyration == "groups"}
    return {key: value for key, value in exact.items() if key not in radii}


def _regression(
    features: dict[str, np.ndarray], known: dict[str, dict[str, Estimate]], names: list[str], wanted: Property
) -> dict[str, float]:
    """Predictions by name from features of known and new systems; none where too few systems are known."""
    usable = {n: found[wanted.name].value for n, found in known.items() if wanted.name in found}
    usable = {n: v for n, v in usable.items() if n in features and np.isfinite(v) and (v > 0 or not wanted.log)}
    if len(usable) < 5:
        return {}
    values = np.array(list(usable.values()))
    predict = ridge_regression(np.stack([features[n] for n in usable]), np.log(values) if wanted.log else values)
    found = predict(np.stack([features[n] for n in names]))
    return dict(zip(names, (np.exp(found) if wanted.log else found).tolist(), strict=True))

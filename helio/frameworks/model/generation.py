"""From a model and wishes to a store of frameworks, whose blocks are known but not how they are turned.

In a generated framework all rotations are the identity, edges and ends are empty: both are found by assembly. Labels
are what the model expects of the framework's latent, under the name `predicted_LABEL`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from helio.frameworks.framework import Framework
from helio.frameworks.model.data import framework_arrays
from helio.frameworks.model.embedding import embed_library, nearest_blocks
from helio.frameworks.model.guidance import Guidance
from helio.frameworks.model.measures import encode, matched
from helio.frameworks.model.model_file import FrameworkModel
from helio.frameworks.model.optimise import Search, optimise_latents
from helio.frameworks.model.prior import draw_latents
from helio.frameworks.model.retrieval import fitting_blocks, uniform_blocks
from helio.frameworks.model.sampling import Draft, fill, skeletons
from helio.frameworks.model.wishes import Wishes, check_wishes, label_arrays
from helio.frameworks.store import Entry, FrameworkStore, StoreContent
from helio.precision import numerics

PREDICTED = "predicted_"
# Noise of places with which they are drawn a second time: sites of a net are kept by the first, not by the second.
_NEAR, _FAR = 0.07, 0.2


@dataclass(frozen=True)
class GenerationSettings:
    """How frameworks are drawn."""

    count: int
    seed: int = 0
    wishes: Wishes = field(default_factory=Wishes)
    search: Search = field(default_factory=Search)
    spread: float = 0.5  # of latents around those of the training set, see `prior`
    guidance: float = 0.0  # strength; 0 leaves it out
    known_sites: bool = True  # places begin at sites of the training set, where the model has such; else where drawn
    batch: int = 64
    prefix: str = "sample"


@dataclass(frozen=True)
class Generated:
    """What came out."""

    content: StoreContent
    impossible: int  # draws with a lattice that cannot be
    not_finite: int  # draws whose numbers ran away
    matched: float  # share with as many connections of nodes as of linkers
    matched_at_once: float  # share of which the nearest blocks had so, each for itself


def generate(
    model: FrameworkModel,
    settings: GenerationSettings,
    *,
    starts: np.ndarray | None = None,
    report: Callable[[int], None] = lambda done: None,
) -> Generated:
    """Draw frameworks.

    Args:
        model: networks and library.
        settings: how many, and what is wished for.
        starts: latents (M, D) to begin with, taken in turn; by default draws of the prior.
        report: told how many are done.

    Raises:
        HelioError: wishes that the model or geometry cannot fulfil.
    """
    wishes = settings.wishes
    check_wishes(wishes, model.scales)
    with numerics("float32"):
        if starts is None:
            latents = draw_latents(model.latents, settings.count, spread=settings.spread, seed=settings.seed)
        else:
            latents = np.resize(starts, (settings.count, starts.shape[1])).astype(np.float32)
        if wishes.any:
            latents = optimise_latents(model, latents, wishes, settings.search)
        found = skeletons(model.generative, model.scales, latents, wishes)
        draw = partial(
            fill,
            model.generative,
            model.schedule_settings.schedule,
            found,
            channels=model.encoder_settings.channels,
            seed=settings.seed,
            batch=min(settings.batch, settings.count),
            guidance=_guidance(model, settings),
        )
        filled = draw(report=report)
        reading = jax.device_get(model.generative.read(jnp.asarray(found.latent, jnp.float32)))
        nodes = np.argmax(reading.nodes, axis=1)
        known = model.scales.embedding_in(model.embeddings)
        blocks = np.zeros((*filled.finite.shape, filled.embedding.shape[1]), np.int32)
        for row in np.flatnonzero(filled.finite):
            own = filled.embedding[row, : found.count[row]]
            volume = float(abs(np.linalg.det(found.cell[row])))
            blocks[row, : len(own)] = _blocks(own, known, model, volume=volume, nodes=int(nodes[row]))
        places = np.nan_to_num(filled.fractional)
        if settings.known_sites and model.sites is not None:
            for row, count in enumerate(found.count):
                sites = model.sites.nearest(blocks[row, :count], found.cell[row], model.library)
                if sites is not None:
                    blocks[row, :count], places[row, :count] = sites
        sigma = _NEAR if settings.known_sites and model.sites is not None else _FAR
        again = draw(draft=Draft(places, known[blocks], sigma))
    expected = model.scales.labels_out(np.asarray(reading.labels, np.float64))
    entries, fit = [], []
    for row in np.flatnonzero(filled.finite & again.finite):
        n = found.count[row]
        labels = {PREDICTED + name: float(value) for name, value in zip(model.scales.names, expected[row], strict=True)}
        framework = Framework(
            name=f"{settings.prefix}-{found.number[row]:05d}",
            cell=found.cell[row],
            centers=_in_cell(again.fractional[row, :n]),
            blocks=blocks[row, :n],
            rotations=np.tile(np.eye(3), (n, 1, 1)),
            edges=np.zeros((0, 5), np.int32),
            ends=np.zeros((0, 2), np.int32),
            labels=labels,
        )
        entries.append(Entry(framework))
        nearest = replace(framework, blocks=nearest_blocks(filled.embedding[row, :n], known))
        fit.append([matched(each, model.library) for each in (framework, nearest)])
    shares = np.mean(fit, axis=0) if fit else np.full(2, np.nan)
    return Generated(
        content=StoreContent(model.library, entries, f"generated by {model.info.name}"),
        impossible=found.impossible,
        not_finite=len(filled.finite) - len(entries),
        matched=float(shares[0]),
        matched_at_once=float(shares[1]),
    )


def encoded_latents(model: FrameworkModel, store: FrameworkStore, part: str, *, seed: int, count: int) -> np.ndarray:
    """Latents (M, D) of frameworks of a store, M at most `count`, drawn at random without their spread."""
    names = np.random.default_rng([seed, 6]).permutation(store.names(part))[:count]
    frameworks = [store.framework(str(name)) for name in names]
    with numerics("float32"):
        embeddings = embed_library(model.encoder, store.library)
        return encode(model, framework_arrays(frameworks, store.library, model.scales.names), embeddings)


def _blocks(
    embedding: np.ndarray, known: np.ndarray, model: FrameworkModel, *, volume: float, nodes: int
) -> np.ndarray:
    """The blocks (N,) that embeddings (N, C) stand for in a cell of this volume."""
    if model.proportions is not None:
        found = uniform_blocks(embedding, known, model.library, model.proportions, volume=volume, nodes=nodes)
        if found is not None:
            return found
    return fitting_blocks(embedding, known, model.library)


def _guidance(model: FrameworkModel, settings: GenerationSettings) -> Guidance | None:
    if not settings.guidance or not settings.wishes.any_label:
        return None
    wanted, weight, direction = (jnp.asarray(values) for values in label_arrays(settings.wishes, model.scales))
    return Guidance(wanted, weight, direction, jnp.asarray(settings.guidance, jnp.float32))


def _in_cell(fractional: np.ndarray) -> np.ndarray:
    wrapped = fractional - np.floor(fractional)
    return np.where(wrapped < 1, wrapped, 0.0)

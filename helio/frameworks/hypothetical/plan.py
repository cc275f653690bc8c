"""Which building blocks go onto which net: a fixed order for a given seed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from helio.errors import HelioError
from helio.frameworks.hypothetical.blocks import NamedBlock, linkers, nodes
from helio.frameworks.hypothetical.locating import BlockLocator
from helio.frameworks.hypothetical.nets import Net, read_net

_LARGEST_DEVIATION = 0.3  # root mean square, of unit vectors to the connections: published practice


@dataclass(frozen=True)
class Recipe:
    """What to build: blocks of the database by name."""

    net: str
    nodes: tuple[str, ...]  # one for each type of node of the net
    linker: str | None  # on every edge; None for direct nets

    @property
    def name(self) -> str:
        """Of the framework."""
        return "-".join([self.net, *self.nodes] + ([self.linker] if self.linker else []))


def plan(
    nets: Sequence[str], *, nodes_per_net: int, linker_count: int, seed: int, report: Callable[[str], None]
) -> Iterator[Recipe]:
    """All recipes, of one net after the other in turn until there are no more.

    Args:
        nets: names.
        nodes_per_net: take at most so many blocks for each type of node.
        linker_count: take at most so many linkers with two connections.
        seed: of the choice and the order.
        report: called with each net's name when its blocks are chosen.

    Raises:
        HelioError: an unknown net, or one that no block fits on.
    """
    if len(set(nets)) < len(nets):
        raise HelioError(f"a net is named twice: {', '.join(nets)}")
    rng = np.random.default_rng(seed)
    found = [read_net(name) for name in nets]  # names are checked before anything is done
    between = [named.name for named in _shuffled(linkers(2), seed)[:linker_count]]
    orders = []
    for net in found:
        recipes = list(_recipes(net, between, nodes_per_net, seed))
        if not recipes:
            raise HelioError(f"no metal node of pormake's database fits on the net {net.name}")
        orders.append([recipes[i] for i in rng.permutation(len(recipes))])
        report(net.name)
    return (order[i] for i in range(max(map(len, orders))) for order in orders if i < len(order))


def _recipes(net: Net, between: list[str], most: int, seed: int) -> Iterator[Recipe]:
    kinds = net.coordination
    metals = [_fitting(net, kind, nodes(count), most, seed) for kind, count in enumerate(kinds)]
    if not net.direct:
        for chosen in product(*metals):
            yield from (Recipe(net.name, chosen, linker) for linker in between)
        return
    organic = [_fitting(net, kind, linkers(count), most, seed) for kind, count in enumerate(kinds)]
    yield from (Recipe(net.name, pair, None) for pair in product(metals[0], organic[1]))
    yield from (Recipe(net.name, pair, None) for pair in product(organic[0], metals[1]))


def _fitting(net: Net, kind: int, candidates: list[NamedBlock], most: int, seed: int) -> list[str]:
    """Names of the first blocks, in an order that the seed decides, whose connections point where the net's do."""
    target, locator = net.local_structure(kind), BlockLocator()
    found: list[str] = []
    for named in _shuffled(candidates, seed):
        if len(found) == most:
            break
        if locator.calculate_rmsd(target, named.original) < _LARGEST_DEVIATION:
            found.append(named.name)
    return found


def _shuffled(candidates: list[NamedBlock], seed: int) -> list[NamedBlock]:
    """In an order that is the same for every net, so that nets share their blocks."""
    return [candidates[i] for i in np.random.default_rng(seed).permutation(len(candidates))]

"""Whether a framework is new: made of other blocks than all known ones, or of the same joined in another way."""

from __future__ import annotations

from collections.abc import Iterable

from helio.frameworks.framework import Framework
from helio.frameworks.identity import graph_hash
from helio.frameworks.library import Library


def identity(framework: Framework, library: Library) -> str:
    """Hash of the blocks' keys and of the graph of what joins what in one cell; places and turns do not matter."""
    return graph_hash([library.keys[block] for block in framework.blocks], framework.edges[:, :2])


def identities(frameworks: Iterable[Framework], library: Library) -> set[str]:
    """Of many frameworks."""
    return {identity(framework, library) for framework in frameworks}

"""Metal-oxo split: nodes are metals with the oxygen (hydroxide, water, halide) between and on them.

Bucior et al., Cryst. Growth Des. 19, 6682 (2019) split so, too; carboxylates belong to the linkers. What hangs on one
node alone, such as coordinated solvent, belongs to that node.
"""

from __future__ import annotations

import numpy as np

from helio.errors import HelioError
from helio.frameworks.crystal import Crystal
from helio.frameworks.elements import is_metal
from helio.frameworks.periodic_graph import fragments


def metal_oxo_split(crystal: Crystal) -> tuple[np.ndarray, np.ndarray]:
    """Which bonds to cut (B,) and which atoms belong to nodes (N,).

    Raises:
        HelioError: there is no metal, or nothing but nodes.
    """
    metal = is_metal(crystal.numbers)
    if not metal.any():
        raise HelioError("it holds no metal: no MOF")
    node = _nodes(crystal, metal)
    i, j = crystal.bonds.T
    node = _with_caps(crystal, node)
    cuts = node[i] != node[j]
    if not cuts.any():
        raise HelioError("its metal nodes are joined by no linker")
    return cuts, node


def _nodes(crystal: Crystal, metal: np.ndarray) -> np.ndarray:
    """Metals, then what is bonded to nodes and hydrogen alone, then that hydrogen."""
    i, j = crystal.bonds.T
    light, carbon = crystal.numbers == 1, crystal.numbers == 6
    outside = np.bincount(np.concatenate([i[~metal[j] & ~light[j]], j[~metal[i] & ~light[i]]]), minlength=len(crystal))
    touching = np.bincount(np.concatenate([i[metal[j]], j[metal[i]]]), minlength=len(crystal))
    node = metal | (~light & ~carbon & (touching > 0) & (outside == 0))
    hydrogen = np.zeros(len(crystal), bool)
    hydrogen[i[light[i] & node[j]]] = True
    hydrogen[j[light[j] & node[i]]] = True
    return node | hydrogen


def _with_caps(crystal: Crystal, node: np.ndarray) -> np.ndarray:
    """Nodes together with what hangs on one of them alone."""
    i, j = crystal.bonds.T
    cuts = node[i] != node[j]
    parts = fragments(len(crystal), crystal.bonds[~cuts], crystal.images[~cuts])
    partners: dict[int, set[tuple[int, ...]]] = {}
    for (a, b), image in zip(crystal.bonds[cuts].tolist(), crystal.images[cuts], strict=True):
        inside, outside, step = (b, a, -image) if node[a] else (a, b, image)
        shift = step + parts.shifts[inside] - parts.shifts[outside]
        partners.setdefault(int(parts.member[inside]), set()).add((int(parts.member[outside]), *shift.tolist()))
    caps = [part for part, found in partners.items() if len(found) == 1 and parts.ranks[part] == 0]
    return node | np.isin(parts.member, caps)

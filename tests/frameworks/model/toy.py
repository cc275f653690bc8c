"""A small world of frameworks: octahedral nodes and straight linkers on the primitive cubic net."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from helio.frameworks.block import make_block
from helio.frameworks.framework import Framework
from helio.frameworks.library import Library
from helio.frameworks.store import Entry, StoreContent
from helio.frameworks.store_writer import write_store

METALS, LENGTHS = (30, 12, 29), (1, 2, 3, 4)  # Zn, Mg, Cu; carbons of a linker


def toy_library() -> Library:
    """Nodes of one metal atom and linkers of several carbons in a row."""
    axes = np.concatenate([np.eye(3), -np.eye(3)])
    blocks = [
        make_block(np.array([z]), np.zeros((1, 3)), np.zeros((0, 2)), 1.0 * axes, np.zeros(6), node=True)
        for z in METALS
    ]
    for n in LENGTHS:
        x = 1.4 * (np.arange(n) - (n - 1) / 2)
        positions = np.stack([x, np.zeros(n), np.zeros(n)], axis=1)
        ends = positions[[0, -1]] + [[-0.7, 0, 0], [0.7, 0, 0]]
        bonds = np.stack([np.arange(n - 1), np.arange(1, n)], axis=1)
        blocks.append(make_block(np.full(n, 6), positions, bonds, ends, np.array([0, n - 1]), node=False))
    return Library(tuple(blocks), tuple(f"block {i}" for i in range(len(blocks))))


def toy_framework(library: Library, metal: int, linker: int, *, doubled: bool = False, name: str = "") -> Framework:
    """One framework of four blocks, or of eight in a cell twice as long."""
    edge = 2.0 + 1.4 * LENGTHS[linker]
    centers = np.array([[0, 0, 0], [0.5, 0, 0], [0, 0.5, 0], [0, 0, 0.5]])
    blocks = np.array([metal, *[len(METALS) + linker] * 3], np.int32)
    cell = edge * np.eye(3)
    if doubled:
        centers = np.concatenate([centers / [2, 1, 1], centers / [2, 1, 1] + [0.5, 0, 0]])
        blocks, cell = np.tile(blocks, 2), cell * np.array([[2.0], [1], [1]])
    void = 1 - 1.0 / edge
    labels = {"void_fraction": void, "pore_limiting_diameter": edge - 3}
    if metal:
        labels["co2_uptake"] = edge / (1 + metal)
    none = np.zeros((0, 5), np.int32)
    return Framework(
        name or f"m{metal}-l{linker}{'-d' * doubled}", cell, centers, blocks, np.tile(np.eye(3), (len(blocks), 1, 1)),
        none, none[:, :2], labels,
    )  # fmt: skip


def toy_store(path: Path) -> Path:
    """All combinations in both cells; two validate."""
    library = toy_library()
    entries = []
    for metal in range(len(METALS)):
        for linker in range(len(LENGTHS)):
            for doubled in (False, True):
                part = "validation" if (metal, linker) == (1, 2) else "train"
                entries.append(Entry(toy_framework(library, metal, linker, doubled=doubled), part, "pcu"))
    write_store(path, StoreContent(library, entries, "toy"))
    return path

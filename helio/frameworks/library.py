"""The building blocks that are known."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from helio.frameworks.block import Block


@dataclass(frozen=True, eq=False)
class Library:
    """Blocks in a fixed order. Blocks with the same key differ in geometry only: conformers and mirror images."""

    blocks: tuple[Block, ...]
    names: tuple[str, ...]  # where each comes from; for reading, not for telling apart

    def __len__(self) -> int:
        return len(self.blocks)

    def __getitem__(self, index: int) -> Block:
        return self.blocks[index]

    @cached_property
    def keys(self) -> tuple[str, ...]:
        """Key of each block."""
        return tuple(block.key for block in self.blocks)

    @cached_property
    def classes(self) -> tuple[int, ...]:
        """Number of each block's class: blocks with the same key have the same, counted from 0 by first appearance."""
        order: dict[str, int] = {}
        return tuple(order.setdefault(key, len(order)) for key in self.keys)

"""From blocks at known places to a crystal: how each block is turned, and what joins what.

In: a `Framework` whose cell, centres and blocks count; its rotations, edges and ends are not looked at. Out: the same
framework with rotations, edges and ends, from which `crystal.crystal_of` makes atoms and bonds. All is Cartesian: a
fractional vector means another length in every cell.

A connection of a node joins one of a linker. For connection a of a block (midpoint p_a of a bond, docking atom d_a),
the partner's docking atom belongs at the *tip* t_a = 2 p_a - d_a. Two connections a, b fit where

    m_ab^2 = |p_a - p_b|^2 + w (|t_a - d_b|^2 + |d_a - t_b|^2) / 2

is small, the nearest images taken by p. Reading order:

| file | what |
|---|---|
| `sites` | the connections of all blocks in flat arrays |
| `first_turns` | for each block alone, rotations that point its connections to neighbours |
| `annealing` | all rotations together, many starts and frameworks at once, on the device |
| `matching` | which connection meets which: Hungarian, with the exact nearest images |
| `fitting` | least squares of the matched connections: rotations, or centres and cell as well |
| `spinning` | the turn about the axis of a straight linker, which connections do not tell |
| `assemble` | all of it |
| `oracle` | known frameworks, their rotations forgotten and found again |

Letters: G blocks, P connections of one kind (node or linker), S starts, B frameworks.
"""

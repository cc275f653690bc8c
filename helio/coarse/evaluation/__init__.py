"""How well a coarse model does: structure and dynamics of roll-outs beside simulation and beside cheaper predictions.

Metrics are functions of arrays: positions of groups (T, G, 3) or series (T, ...), the time between frames, and what is
known of the system (`Track`); they return `Estimate`s, each a value with its standard error. `compare` puts all of
them together for the systems of a roll-out and the store it started from.
"""

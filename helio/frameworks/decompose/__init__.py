"""Taking crystals apart into building blocks.

- `metal_oxo.py`: nodes of metals and the oxygen between them, linkers of all else (MOFs).
- `branching.py`: nodes where three or more branches meet, linkers between them (COFs).
- `cutting.py`: cutting the bonds that these choose; frameworks of exact blocks.
- `matching.py`: which blocks are the same, and how one is turned onto another; the library grows by it.
- `primitive.py`: the smallest cell that repeats.
"""

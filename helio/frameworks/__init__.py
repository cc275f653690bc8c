"""Design of metal-organic and covalent organic frameworks by coarse-grained diffusion.

Fu, Xie, Rosen, Jaakkola, Smith, ICLR 2024 (arXiv 2310.10732). A crystal is seen as building blocks in a periodic cell:

- `Block`: atoms, bonds and connection points (midpoints of the bonds that leave it), in Cartesian coordinates about the
  centroid of the connection points. `Library`: the blocks that are known, each with its key (a graph hash).
- `Framework`: where the G blocks of one crystal are, which they are, how each is turned, and what joins them.
- `Crystal`: all atoms of a periodic structure with bonds and the images that these reach into.
- `FrameworkStore`: one HDF5 file of frameworks, their library, labels and split.

Letters: G blocks, E edges (joins of two blocks), n atoms of a block, c its connections, N atoms and B bonds in all.
Lengths in A; cells are rows of vectors; fractional coordinates only for the centres of blocks. A rotation R takes the
library's block into the crystal: r = R @ r_block + centre.

Imports `evaluate` and below, of `train` what is general; never `report`. What the extra `frameworks` brings (gemmi,
pormake, pyzeo, raspalib, ...) is imported inside functions.
"""

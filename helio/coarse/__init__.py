"""Time-integrated coarse-grained simulation: long dynamics of groups of beads, in very large time steps.

Fu, Xie, Rebello, Olsen, Jaakkola, TMLR 2023 (arXiv 2204.10348). Data: short simulations of many systems, at the level
of beads or atoms ("fine"), become a `Store` of the motion of groups ("coarse").

- `FineSystem`: types, masses, bonds, molecules and box of N beads; nothing in it moves.
- `Groups`: which group each bead belongs to, made from the bonds alone; never across molecules.
- `FineTrajectory`: a named system with its frames, block after block; readers and simulators make them.
- `Store`: one HDF5 file of many systems: groups, centres (T,G,3), radii of gyration (T,M), and the split into train,
  validation and test, by system.

Letters: N beads, P bonds, M molecules, G groups, T frames, B chains in a batch. Positions are unwrapped: they go on
beyond the box. Boxes are orthogonal, given by their edges. Lengths, masses and times are in the units that the data
came in, named in the store: A, amu and ps, or the reduced ones of the reference simulators (sigma, m, tau).

Imports `files` and below; never plotting. METIS and MDAnalysis (extra `coarse`) are imported inside functions.
"""

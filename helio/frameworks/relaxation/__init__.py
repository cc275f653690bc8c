"""Relaxation of crystals, cell included: by UFF in LAMMPS, or by any calculator of ASE.

In: a `Crystal`. Out: a `Relaxed` with the same atoms, bonds and images. `uff` types the atoms with lammps-interface and
minimises with LAMMPS, each in a process of its own (LAMMPS is under the GPL and is never loaded into Helio; both may
stop a process). `calculated` is for frameworks whose elements a machine-learned force field knows: the optimiser of
`simulate.minimise` on positions and cell. Both conserve who is bonded to whom: the bonds of the result are those given,
and `checks` tells where they have been torn.
"""

"""The systems of a proof: alanine dipeptide, and cubes of water."""

from __future__ import annotations

from ase import Atoms

from helio.bench import water_lattice

# Ac-Ala-NMe, C7eq, in the geometry of MMFF94; A.
_DIPEPTIDE = """
C -0.339216 -3.008054 0.552253
C -0.518034 -1.702422 -0.172471
O -0.333715 -1.587481 -1.380999
N -0.863112 -0.646657 0.637064
C -0.990200 0.707959 0.098400
C -1.883239 1.547596 1.002484
C 0.417933 1.328016 -0.023534
O 0.889808 2.096026 0.810791
N 1.121634 0.878608 -1.124503
C 2.505259 1.221108 -1.318884
H -0.810187 -3.806884 -0.027142
H -0.805126 -2.982635 1.541400
H 0.728648 -3.212308 0.664454
H -0.652879 -0.724922 1.624991
H -1.437254 0.657127 -0.901831
H -1.971466 2.570658 0.621921
H -1.485497 1.603505 2.022227
H -2.888040 1.115967 1.063546
H 0.758089 0.044395 -1.589257
H 2.772339 1.014577 -2.357663
H 3.114945 0.607691 -0.650245
H 2.669309 2.278130 -1.093001
"""


def proof_system(edge: int) -> Atoms:
    """A cube of edge^3 molecules of water; alanine dipeptide, 22 atoms, for the edge 0."""
    if edge:
        return water_lattice(edge)
    rows = [line.split() for line in _DIPEPTIDE.split("\n") if line]
    return Atoms([row[0] for row in rows], [[float(x) for x in row[1:]] for row in rows])

"""Bare formulas of the physical terms of the potential.

In: distances in A, charges in e, free-atom properties and Hirshfeld ratios. Out: energies in eV. The files of single
terms know no lists and no masks; `pair` alone owns masks, cutoffs and the halves of directed pairs. May import
`helio.neighbors` (the layout), `helio.kernels` (in `compiled` alone), `helio.rows`, `helio.units` and numerical
libraries.
"""

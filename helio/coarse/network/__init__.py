"""The networks of a coarse model, and the records that they read and give.

In: a `Moment`, what is seen of a system at one time: its `Topology`, the newest centres of its groups, the steps that
led there. Out: a `Forecast`, the distribution of the next step. Everything is written for one system, padded;
`jax.vmap` makes batches. Lengths are in units of the data at this border, standardised inside (`Scales`).

| symbol | variable |
|---|---|
| H | history: frames that are known, so there are H - 1 steps between them |
| r_ij = r_j - r_i | `PairGeometry.vectors`, from receiver i to sender j |
| v_i^h | step h of group i, the newest last |
"""

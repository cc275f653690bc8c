"""The page of a run, and of several together: what happened, and what follows from it.

In: folders of runs, or trajectories. Out: one HTML file. Pieces of it come from `helio.report.page`, numbers from
`helio.analyse`.
"""

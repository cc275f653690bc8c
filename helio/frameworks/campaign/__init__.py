"""Campaigns: sample -> assemble -> relax -> check -> screen for many candidates, with a record of all that happened.

In: settings, and where candidates come from (a store of sampled frameworks, or a generative model). Out: a folder.

| in the folder | what |
|---|---|
| `record.sqlite` | settings, known frameworks, every candidate and every stage of it: outcome, reason, figures |
| `samples/00000.h5` | stores of the sampled frameworks, batch after batch |
| `candidates/c000001/` | `assembled.cif`, `relaxed.cif` |
| `report.html` | the page about it |
| `lock` | held by the process that runs the campaign |

Only the process that runs the campaign writes the record, a row as soon as a stage of a candidate has ended; workers
write files, whole or not at all. So a campaign that is killed at any moment goes on where its record ends: a stage
without a row is done again, and gives the same. Reading order: `settings`, `record`, `stages` (what a worker does, by
the functions of the single commands), `crew` (workers: processes here, or Dask's anywhere), `run`, `outcome` (the
funnel and the best, read from a record).
"""

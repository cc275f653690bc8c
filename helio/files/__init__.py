"""What Helio reads from and writes to disk: structures, trajectories, checkpoints, run folders.

A file is written whole or not at all (`helio.files.atomic`). Trouble with the disk or its permissions is a
`HelioError` that names the path. May import `helio.errors`, `helio.units`, `helio.system`, `helio.prediction` and
libraries; never a folder above it.
"""

"""Readers: files in, `FineTrajectory` out, with unwrapped positions. One file per kind of source."""

"""Reference simulators, which make data with known properties: settings and a seed in, `FineTrajectory`s out.

Lengths are in sigma, masses in m and times in tau; k_B T is an argument, in epsilon.
"""

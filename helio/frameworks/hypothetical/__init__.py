"""Hypothetical frameworks: building blocks of pormake on the nets of its database.

- `nets.py`: a net, reduced to its primitive cell, as pormake's `Topology`.
- `blocks.py`: pormake's building blocks as `Block`, those of sound chemistry.
- `plan.py`: which node and linker go onto which net.
- `building.py`: building what is planned; the command's work.

Lee et al., ACS Appl. Mater. Interfaces 13, 23647 (2021) describe pormake.
"""

"""Which atoms go to the trajectory."""

from __future__ import annotations

import io
import warnings

import numpy as np
from ase import Atoms

from helio.errors import HelioError, excerpt, reason


def saved_atoms(topology: str, selection: str) -> np.ndarray:
    """Numbers of the chosen atoms, from 0 and ascending.

    Args:
        topology: the content of a PDB file; geometric words of the selection refer to its positions.
        selection: in the language of MDAnalysis; "all" does not load MDAnalysis.

    Raises:
        HelioError: the selection is not in its language or selects nothing.
    """
    if selection == "all":
        return np.arange(sum(line.startswith(("ATOM", "HETATM")) for line in topology.splitlines()))
    import MDAnalysis

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about what the file does not say
        try:
            universe = MDAnalysis.Universe(io.StringIO(topology), format="PDB", topology_format="PDB")
        except (ArithmeticError, LookupError, TypeError, ValueError) as error:
            raise HelioError(f"the topology, a PDB file, is damaged ({reason(error)}): copy it again") from None
        try:
            found = universe.select_atoms(selection).ix
        except (MDAnalysis.SelectionError, AttributeError, RecursionError, TypeError, ValueError) as error:
            raise HelioError(f"the selection {excerpt(selection)} is not understood: {reason(error)}") from None
    if len(found) == 0:
        raise HelioError(f"the selection {excerpt(selection)} holds no atom of this structure")
    return np.sort(found)


def topology_text(atoms: Atoms) -> str:
    """The content of `topology.pdb` for a structure."""
    import ase.io

    content = io.StringIO()
    ase.io.write(content, atoms, format="proteindatabank")
    return content.getvalue()

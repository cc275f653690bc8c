"""The atoms of a trajectory: names, elements, masses and bonds."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from helio.analyse.extended_xyz import is_extended_xyz, open_extended_xyz
from helio.errors import HelioError
from helio.files.run_folder import RunFolder
from helio.files.trajectory import read_particles

Periodic = tuple[bool, bool, bool]


def open_run(run: RunFolder, named: Path | None = None) -> tuple[Any, Periodic]:
    """Atoms and frames of a run folder; `HelioError` where there are none or they cannot be read.

    Names and residues are those of its topology, or of `named`.
    """
    import MDAnalysis

    from helio.analyse.run_reader import RunReader

    if not run.trajectory.exists():
        if len(run.existing_replicas()) > 1:
            raise HelioError(f"{run.path} holds several replicas; name one, such as {run.path}/replica-000")
        raise HelioError(f"{run.path} holds no trajectory.h5md")
    particles = read_particles(run.trajectory)
    topology = named or (run.saved_topology if run.saved_topology.exists() else run.topology)
    if not topology.exists():
        raise HelioError(f"there is no {topology}" if named else f"{run.path} holds no topology.pdb")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about what the PDB file does not say
        try:
            universe = MDAnalysis.Universe(str(topology), str(run.trajectory), format=RunReader, to_guess=("types",))
        except ValueError as error:
            raise HelioError(f"{topology} and {run.trajectory} do not belong together: {error}") from error
    _set(universe, "elements", _symbols(particles.species))
    _set(universe, "masses", particles.masses)
    place = {int(number): i for i, number in enumerate(particles.ids)}
    _set_bonds(universe, np.array([[place[int(i)], place[int(j)]] for i, j in particles.bonds], int).reshape(-1, 2))
    return universe, particles.pbc


def _check_format(path: Path) -> None:
    """Say in a sentence what MDAnalysis says in a list of all its formats."""
    import MDAnalysis
    from MDAnalysis.lib.util import guess_format

    known = guess_format(str(path)).upper() in {*MDAnalysis._PARSERS, *MDAnalysis._READERS}
    if not known:
        raise HelioError(
            f"{path} is of no format that MDAnalysis reads; pdb, gro, xyz, xtc and dcd are among those that it does "
            "(`helio export` writes runs in some of them)"
        )


def open_universe(path: Path, topology: Path | None) -> tuple[Any, Periodic, str | None]:
    """Atoms and frames of any other trajectory, and a note on its virtual sites; what it does not say is guessed.

    Bonds are those of the topology, completed by what the distances in the first frame say.
    """
    import MDAnalysis

    from helio.analyse.virtual_sites import virtual_sites, without_sites

    if topology is not None and not topology.exists():
        raise HelioError(f"there is no {topology}")
    if path.is_dir():
        raise HelioError(f"{path} is a folder without a trajectory of Helio")
    extended = topology is None and is_extended_xyz(path)
    if not extended:
        _check_format(topology or path)
    files = [str(path)] if topology is None else [str(topology), str(path)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            periodic = None
            universe: Any
            if extended:
                universe, periodic = open_extended_xyz(path)
            else:
                universe = MDAnalysis.Universe(*files)
            frames = len(universe.trajectory)
        except (ValueError, OSError, TypeError, EOFError, IndexError, KeyError, StopIteration) as error:
            advice = "" if topology is not None else "; if it does not say which atoms it holds, give --topology"
            raise HelioError(f"{path} cannot be opened as a trajectory: {error}{advice}") from error
        if frames == 0:
            raise HelioError(f"{path} holds no frame")
        sites, note = virtual_sites(universe), None
        if sites.all():
            raise HelioError(f"{path} holds virtual sites alone, and no atom")
        if sites.any():
            universe, note = without_sites(universe, sites)
        _guess(universe, path)
    dimensions = universe.trajectory[0].dimensions
    boxed = dimensions is not None and bool((dimensions[:3] > 0).all())
    _set_bonds(universe, _completed(universe, boxed))
    return universe, periodic or (boxed, boxed, boxed), note


def molecules_of(universe: Any) -> np.ndarray:
    """The number of the molecule of each atom (n,), in the order of the molecules' first atoms."""
    count = len(universe.atoms)
    bonds = np.asarray(universe.bonds.indices).reshape(-1, 2)
    graph = coo_array((np.ones(len(bonds)), bonds.T), shape=(count, count))
    labels = connected_components(graph, directed=False)[1]
    _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    order = np.empty(len(first), int)
    order[np.argsort(first)] = np.arange(len(first))
    return order[inverse]


def _guess(universe: Any, path: Path) -> None:
    """Fill in elements and masses where they are missing."""
    from ase.data import atomic_masses, atomic_numbers

    if not hasattr(universe.atoms, "names") and not hasattr(universe.atoms, "elements"):
        raise HelioError(f"{path} does not say which atoms it holds; give --topology")
    elements = getattr(universe.atoms, "elements", np.array([""]))
    if not all(str(element).strip() for element in elements):
        universe.guess_TopologyAttrs(to_guess=["elements"], force_guess=["elements"])
    symbols = [str(element).capitalize() for element in universe.atoms.elements]
    known = np.array([symbol in atomic_numbers and symbol != "X" for symbol in symbols])
    if not known.all():
        names = getattr(universe.atoms, "names", np.array(symbols))[~known]
        listed = ", ".join(map(repr, dict.fromkeys(names.tolist()[:500])))
        raise HelioError(
            f"{path}: the elements of atoms named {listed[:200]} are not known; give a --topology that names elements "
            "(a pdb file with columns 77 and 78, a psf or prmtop file)"
        )
    _set(universe, "elements", np.array(symbols, object))
    _set(universe, "masses", np.array([atomic_masses[atomic_numbers[symbol]] for symbol in symbols]))


def _completed(universe: Any, boxed: bool) -> np.ndarray:
    """Bonds (P, 2) of the file, and of atoms of which it names none those guessed from the first frame.

    PDB files name those of special residues alone.
    """
    known = np.asarray(universe.bonds.indices if hasattr(universe, "bonds") else (), int).reshape(-1, 2)
    lonely = np.isin(np.arange(len(universe.atoms)), known, invert=True)
    if not lonely.any():
        return known
    guessed = _bonded(universe, boxed)
    return np.concatenate([known, guessed[lonely[guessed].any(axis=1)]])


def _bonded(universe: Any, boxed: bool) -> np.ndarray:
    """Bonds guessed from the first frame, (P, 2)."""
    from ase import Atoms

    from helio.simulate.bonds import bonds

    moment = universe.trajectory[0]
    cell = moment.triclinic_dimensions if boxed else None
    return bonds(Atoms(list(universe.atoms.elements), moment.positions.astype(float), cell=cell, pbc=boxed))[0]


def _symbols(species: np.ndarray) -> np.ndarray:
    from ase.data import chemical_symbols

    return np.array([chemical_symbols[number] for number in species], object)


def _set(universe: Any, name: str, values: np.ndarray) -> None:
    if hasattr(universe.atoms, name):
        setattr(universe.atoms, name, values)
    else:
        universe.add_TopologyAttr(name, values)


def _set_bonds(universe: Any, bonds: np.ndarray) -> None:
    if hasattr(universe, "bonds"):
        universe.del_TopologyAttr("bonds")
    universe.add_TopologyAttr("bonds", [tuple(pair) for pair in bonds.tolist()])

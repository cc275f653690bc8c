"""Secondary structure along time, and the hydrogen bonds of the backbone that make helices.

| symbol | variable | |
|---|---|---|
| E | `energy` | of a hydrogen bond C=O...H-N, kcal/mol |
| r_ON, r_CH, r_OH, r_CN | | distances, A |
| q_1 q_2 f | `_PREFACTOR` | 0.42 e x 0.20 e x 332 kcal A / (mol e^2) |
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from helio.analyse.analysis import Analysis
from helio.analyse.backbone import BackboneResidue, backbone, find_backbone
from helio.analyse.frames import Frames
from helio.analyse.observable import Curve, Map, Observable, Value
from helio.analyse.statistics import few_notes, mean_and_error
from helio.errors import HelioError

# Kabsch and Sander, Biopolymers 22, 2577 (1983): E = q1 q2 f (1/r_ON + 1/r_CH - 1/r_OH - 1/r_CN) below -0.5 kcal/mol.
_PREFACTOR = 0.42 * 0.20 * 332.0
_BONDED = -0.5
# From the C=O of residue i to the N-H of residue i + n.
KINDS = {3: "3-10 (i → i+3)", 4: "alpha (i → i+4)", 5: "pi (i → i+5)"}
_ELSEWHERE = 1000
# MDAnalysis's DSSP looks at turns of up to five residues.
_FEWEST = 6
CLASSES = ("coil", "helix", "strand")


@dataclass(frozen=True)
class _Peptide:
    """Atoms by which structure is told, as numbers in the universe."""

    residues: list[BackboneResidue]  # amino acids with all four atoms
    heavy: np.ndarray  # (R, 4): n, ca, c, o of the residues
    carbonyls: np.ndarray  # (P, 2): c and o, also of caps
    amides: np.ndarray  # (Q, 2): n and h, also of caps
    distance: np.ndarray  # (P, Q): residues from C=O to N-H along the chain, _ELSEWHERE between chains
    donors: np.ndarray  # (R,) whether a residue has one hydrogen at n


def secondary_structure(frames: Frames) -> Observable:
    """Helix and strand by DSSP along time, and numbers of backbone hydrogen bonds of alpha, 3-10 and pi helices.

    A bond C=O...H-N has E = q1 q2 f (1/r_ON + 1/r_CH - 1/r_OH - 1/r_CN) below -0.5 kcal/mol (Kabsch and Sander,
    Biopolymers 22, 2577 (1983)), with the hydrogens that are there, caps included. DSSP is that of MDAnalysis, which
    places hydrogens by itself; it needs six residues.

    Raises:
        HelioError: there is no named backbone, or it has fewer than four peptide groups.
    """
    peptide = _peptide(frames)
    counts = np.empty((len(frames), len(KINDS) + 1))
    classes = np.zeros((len(frames), len(peptide.residues)), int)
    for i, moment in enumerate(frames):
        bonded = (
            hydrogen_bond_energies(moment.positions, peptide.carbonyls, peptide.amides, moment.dimensions) < _BONDED
        )
        counts[i] = [*((bonded & (peptide.distance == n)).sum() for n in KINDS), _far(bonded, peptide.distance)]
        if len(peptide.residues) >= _FEWEST:
            classes[i] = _dssp(moment.positions[peptide.heavy], peptide.donors, moment.dimensions)
    labels = [*KINDS.values(), "other backbone"]
    values = [_value(f"hydrogen bonds, {name}", counts[:, k]) for k, name in enumerate(labels)]
    curves = [Curve(name, frames.times_ps, counts[:, k], None, "time (ps)", "hydrogen bonds")
              for k, name in enumerate(labels)]  # fmt: skip
    notes = [f"{len(frames)} frames; {len(peptide.carbonyls)} C=O and {len(peptide.amides)} N-H of the backbone."]
    maps: list[Map] = []
    if len(peptide.residues) >= _FEWEST:
        more_values, more_curves, maps = _structure(frames, peptide.residues, classes)
        values, curves = more_values + values, more_curves + curves
        notes.append("The first and the last residue of a chain cannot be helix to DSSP.")
    else:
        notes.append(f"No DSSP: it needs {_FEWEST} residues, here are {len(peptide.residues)}.")
    return Observable(
        name="secondary_structure",
        title="Secondary structure",
        values=tuple(values),
        curves=tuple(curves),
        maps=tuple(maps),
        notes=(*notes, *few_notes(curve.y for curve in curves if curve.x_label == "time (ps)")),
        method="DSSP and hydrogen bonds as in Kabsch and Sander, Biopolymers 22, 2577 (1983), with MDAnalysis.",
        runs=(frames.label,),
    )


def hydrogen_bond_energies(
    positions: np.ndarray, carbonyls: np.ndarray, amides: np.ndarray, dimensions: np.ndarray | None = None
) -> np.ndarray:
    """E (P, Q) in kcal/mol between C=O groups (P, 2) and N-H groups (Q, 2); `dimensions` of a box as in MDAnalysis."""
    from MDAnalysis.lib.distances import distance_array

    def inverse(left: np.ndarray, right: np.ndarray) -> np.ndarray:
        return 1.0 / np.maximum(distance_array(positions[left], positions[right], box=dimensions), 0.5)

    (carbon, oxygen), (nitrogen, hydrogen) = carbonyls.T, amides.T
    return _PREFACTOR * (
        inverse(oxygen, nitrogen) + inverse(carbon, hydrogen) - inverse(oxygen, hydrogen) - inverse(carbon, nitrogen)
    )


def _peptide(frames: Frames) -> _Peptide:
    residues = backbone(frames)
    accepting = [r for r in residues if r.c is not None and r.o is not None]
    donating = [r for r in residues if r.n is not None and r.h is not None]
    if len(accepting) < 4 or not donating:
        raise HelioError(
            f"the backbone of {frames.label} has {len(accepting)} C=O and {len(donating)} N-H groups with all their "
            "atoms; secondary structure needs four"
        )
    distance = np.array(
        [[d.place - a.place if d.chain == a.chain else _ELSEWHERE for d in donating] for a in accepting]
    )
    complete = [r for r in residues if r.complete]
    return _Peptide(
        residues=complete,
        heavy=np.array([[r.n, r.ca, r.c, r.o] for r in complete], int).reshape(-1, 4),
        carbonyls=np.array([[r.c, r.o] for r in accepting], int),
        amides=np.array([[r.n, r.h] for r in donating], int),
        distance=distance,
        donors=np.array([r.h is not None for r in complete]),
    )


def _far(bonded: np.ndarray, distance: np.ndarray) -> int:
    """Bonds of other kinds; a C=O has none with the N-H of its own residue or the next, which touch it anyhow."""
    return int((bonded & (np.abs(distance - 0.5) > 1) & ~np.isin(distance, [*KINDS])).sum())


def _dssp(positions: np.ndarray, donors: np.ndarray, dimensions: np.ndarray | None) -> np.ndarray:
    """The class of each residue (R,), a place in `CLASSES`."""
    from MDAnalysis.analysis.dssp.pydssp_numpy import assign

    return np.asarray(assign(positions, donor_mask=donors, box=dimensions)).argmax(axis=1)


def _structure(
    frames: Frames, residues: list[BackboneResidue], classes: np.ndarray
) -> tuple[list[Value], list[Curve], list[Map]]:
    values, curves = [], []
    for number, name in enumerate(CLASSES[1:], 1):
        share = (classes == number).mean(axis=1)
        values.append(_value(f"share of {name}", share))
        curves.append(Curve(name, frames.times_ps, share, None, "time (ps)", "share of residues"))
    places = np.arange(1.0, len(residues) + 1)
    mean = [mean_and_error((classes[:, i] == 1).astype(float)) for i in range(len(residues))]
    profile = Curve("helix by residue", places, np.array([m for m, _ in mean]), np.array([e for _, e in mean]),
                    f"residue ({residues[0].name} is 1)", "share of time")  # fmt: skip
    along = Map("structure along time", frames.times_ps, places, classes.T.astype(float), "time (ps)",
                f"residue ({residues[0].name} is 1)", "0 coil, 1 helix, 2 strand")  # fmt: skip
    return values, [*curves, profile], [along]


def _value(name: str, series: np.ndarray) -> Value:
    mean, error = mean_and_error(series)
    return Value(name, mean, error)


ANALYSIS = Analysis(
    name="secondary_structure",
    title="Secondary structure",
    help="Helix and strand along time (DSSP), and backbone hydrogen bonds of alpha, 3-10 and pi helices.",
    function=secondary_structure,
    fits=lambda frames: sum(r.complete for r in find_backbone(frames)) >= 3,
)

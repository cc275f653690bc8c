"""Building systems: boxes of water and other liquids, peptides, solvated proteins, bilayers.

Out: ASE `Atoms` in Angstrom, whole molecules, with `info["charge"]` and `info["spin"]` (unpaired electrons) and the
names of `assembly.NAMES` as arrays, the same that ASE's reader of PDB files fills. In: counts, sequences, SMILES, files
and a seed; the same seed gives the same atoms. Only the elements of `elements.SUPPORTED` pass. The builders place atoms
without overlaps; `relax` then takes the strain out with a force field. Packing is packmol's work, hydrogens are
openmm's, missing atoms pdbfixer's and conformers rdkit's: the extra `build`, imported where it is used.

May import `interfaces`, `simulate`, `force_field`, `files` and what lies below.
"""

from helio.build.bilayer import bilayer
from helio.build.output import write_built
from helio.build.peptide import peptide
from helio.build.relax import relax
from helio.build.smiles import liquid, molecule
from helio.build.solvate import solvate
from helio.build.water import water_box

__all__ = ["bilayer", "liquid", "molecule", "peptide", "relax", "solvate", "water_box", "write_built"]

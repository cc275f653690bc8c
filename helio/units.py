"""Units and physical constants, each with its source.

Inside Helio: eV, Angstrom, amu, elementary charge; the time unit follows from these (as in ASE),
``sqrt(amu A^2 / eV)`` = 10.18 fs. Femtoseconds, kelvin and picoseconds appear only at the border.
"""

import ase.units

# Constants of the published SO3LR model; they are part of its functional form and must not be "improved".
BOHR = 0.5291772105638411  # A, CODATA 2014 as in ASE
HARTREE = 27.211386  # eV, rounded as the published model does
COULOMB = 14.399645351950548  # eV A / e^2, CODATA 2014
FINE_STRUCTURE = 0.0072973525664  # CODATA 2014

FS = ase.units.fs  # one femtosecond in Helio's time unit
BOLTZMANN = ase.units.kB  # eV / K
KCAL_PER_MOL = ase.units.kcal / ase.units.mol  # in eV
EV_PER_A3_IN_BAR = 1.0 / (1e5 * ase.units.Pascal)  # bar in one eV / A^3
EV_PER_A2_IN_MN_PER_M = 1e3 * ase.units._e * 1e20  # mN/m in one eV / A^2

# By the names that users give the units of their files.
ENERGY_UNITS = {  # in eV
    "eV": 1.0,
    "meV": 1e-3,
    "kcal/mol": KCAL_PER_MOL,
    "kJ/mol": ase.units.kJ / ase.units.mol,
    "hartree": HARTREE,
}
FORCE_UNITS = {f"{name}/A": value for name, value in ENERGY_UNITS.items()} | {  # in eV/A
    f"{name}/bohr": value / BOHR for name, value in ENERGY_UNITS.items()
}
DIPOLE_UNITS = {"eA": 1.0, "debye": ase.units.Debye, "au": BOHR}  # in e A

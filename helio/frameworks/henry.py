"""Uptake in the limit of low loading, by inserting single molecules (Widom): Henry's law.

At the state points of carbon dioxide most frameworks hold about one molecule in a box 24 A wide. Its average over
insertions is then known ten times better than its average over grand-canonical Monte Carlo of the same time, and what
is left out, how molecules attract and hinder each other, is small. Where molecules are bound strongly it is not: such
frameworks are refused.
"""

from __future__ import annotations

import numpy as np
from ase.data import atomic_masses

from helio.errors import HelioError
from helio.frameworks.adsorption import (
    CHARGES,
    CO2,
    PER_GRAM,
    STATE_POINTS,
    Gas,
    StatePoint,
    check_size,
    gas_in,
    known_charges,
    raspa_module,
)
from helio.frameworks.crystal import Crystal
from helio.frameworks.silence import silent

_BOLTZMANN = 1.380649e7  # Pa A^3 / K
# mol/kg. Of 72 hypothetical frameworks the 63 below agree with GCMC (median deviation 11 %, its own error 20 %), the 9
# above are told 3.6 to 57 times too much.
_MOST = 2.5


def henry_labels(crystal: Crystal, *, charges: str = "eqeq", cycles: int = 100, seed: int = 0) -> dict[str, float]:
    """What Henry's law gives at the state points of carbon dioxide.

    Args:
        crystal: any; its bonds do not matter.
        charges: `eqeq` or `none`.
        cycles: of 20 insertions.
        seed: of the random numbers.

    Returns:
        Labels that begin with `eqeq_henry_`, or `uncharged_henry_`, in mol/kg: `co2_uptake`, `co2_residual` and
        `working_capacity`, the first less the second.

    Raises:
        HelioError: as `adsorption_labels`, and where more is taken up than Henry's law holds for.
    """
    found, prefix = known_charges(crystal, charges), f"{CHARGES[charges]}_henry"
    labels: dict[str, float] = {}
    for number, (name, point) in enumerate(STATE_POINTS.items()):
        if point.gas == CO2:
            own = {"temperature": point.temperature, "cycles": cycles, "seed": 3 * seed + number}
            told = henry_constant(crystal, CO2, charges=found, **own) * point.pressure
            if told > _MOST:
                raise HelioError(
                    f"Henry's law says {told:.1f} mol/kg of carbon dioxide, and does not hold above {_MOST:g}: label "
                    f"{crystal.name} by GCMC (--what capacity)"
                )
            labels[f"{prefix}_{name}"] = told
    labels[f"{prefix}_working_capacity"] = labels[f"{prefix}_co2_uptake"] - labels[f"{prefix}_co2_residual"]
    return labels


def henry_constant(
    crystal: Crystal, gas: Gas, *, temperature: float, charges: np.ndarray | None = None, cycles: int, seed: int
) -> float:
    """Uptake for each unit of pressure where that is low, mol/kg/Pa, by inserting molecules (Widom).

    K = V <exp(-U / k T)> / (k T m), of the volume and mass of the crystal.

    Args:
        crystal: any.
        gas: inserted.
        temperature: K.
        charges: as in `uptake`.
        cycles: of 20 insertions.
        seed: of the random numbers.
    """
    check_size(crystal)
    system = gas_in(crystal, StatePoint(gas, temperature, 0.0), charges=charges, moves={"widom_probability": 1.0})
    with silent():
        run = raspa_module().MonteCarlo(
            number_of_cycles=cycles, number_of_initialization_cycles=0, systems=[system], random_seed=seed
        )
        run.run()
        weights = run.systems[0].components[0].average_rosenbluth_weights
        excess = weights.chemical_potential_result(temperature)[0].excess  # K
    mass = float(atomic_masses[crystal.numbers].sum())
    return np.exp(-excess / temperature) * crystal.volume / (_BOLTZMANN * temperature) / mass * PER_GRAM

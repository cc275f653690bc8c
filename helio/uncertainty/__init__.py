"""How far a prediction may be wrong: the rigidity of the last layer, and the shallow ensemble drawn from it.

In: a `ForceField`, and what its training data say about the last layer of its energy (`Curvature`). Out: an
`Uncertainty` that the model carries, and with it standard deviations of energies (eV) and forces (eV/A) of any system
(`estimate_uncertainty`). Imports `force_field` and below.

The energy of the network is linear in the weights w of its last layer, E = sum_i f_i . w + ..., so for small changes of
w every error of energies and forces is linear in them, too. Where the training data leave w free, predictions that
depend on it are uncertain (Bigi, Chong, Ceriotti, Grasselli, Mach. Learn.: Sci. Technol. 2024, 5, 045018).

| symbol | variable | |
|---|---|---|
| f_i = dE_i/dw | `energy_features` | (N, F), eV |
| H | `Curvature` | (F, F), what the data say |
| P = (H + s^2 1)^-1 | `Rigidity` | covariance of w |
| alpha^2 f^T P f | `UncertaintyEstimate.energy` | squared |
| alpha^2 mean of (dF/dw dw)^2 | `UncertaintyEstimate.forces` | squared; dw of the members |
"""

from helio.force_field.uncertainty import Uncertainty, WeakSpots
from helio.uncertainty.calibration import Reliability, rank_correlation, reliability, scale_of
from helio.uncertainty.estimate import UncertaintyEstimate, estimate_uncertainty
from helio.uncertainty.features import energy_features
from helio.uncertainty.rigidity import Curvature, Rigidity, Slopes, slopes

__all__ = [
    "Curvature",
    "Reliability",
    "Rigidity",
    "Slopes",
    "Uncertainty",
    "UncertaintyEstimate",
    "WeakSpots",
    "energy_features",
    "estimate_uncertainty",
    "rank_correlation",
    "reliability",
    "scale_of",
    "slopes",
]

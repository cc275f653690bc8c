"""What a user can choose for a molecular dynamics run."""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, Field, model_validator

from helio.long_range import DISPERSION_TAIL_HELP, ELECTROSTATICS_HELP, DispersionTail, Electrostatics
from helio.settings.checking import Settings
from helio.simulate.restraint_settings import RestraintSettings

Output = Literal["velocities", "forces", "charges", "hirshfeld_ratios", "energy_terms"]
_OUTPUTS = get_args(Output)
Points = tuple[tuple[float, float], ...]


def _parsed_course(value: Any) -> Any:
    """A number as text, or points as text: "0:100,5:300"."""
    if not isinstance(value, str):
        return value
    if ":" not in value:
        return float(value)
    return [[float(number) for number in point.split(":")] for point in value.split(",")]


def _parsed_words(value: Any) -> Any:
    """Words as text: "forces,charges"."""
    return value.replace(",", " ").split() if isinstance(value, str) else value


def _parsed_atoms(value: Any) -> Any:
    """Numbers of atoms as text: "0,1,2"; other text is left as it is."""
    words = _parsed_words(value)
    is_numbers = isinstance(value, str) and len(words) > 0 and all(word.isdecimal() for word in words)
    return [int(word) for word in words] if is_numbers else value


def _ascending(points: float | Points) -> float | Points:
    if isinstance(points, tuple):
        times = [time for time, _ in points]
        if not times or times != sorted(set(times)) or times[0] < 0:
            raise ValueError("the times of a course must not be negative and must ascend")
    return points


# A constant, or points (time in ps, value) between which it is linear.
Course = Annotated[float | Points, BeforeValidator(_parsed_course)]
ChosenAtoms = Annotated[str | tuple[int, ...], BeforeValidator(_parsed_atoms)]
Temperatures = Annotated[tuple[float, ...], BeforeValidator(_parsed_words)]
Outputs = Annotated[tuple[Output, ...], BeforeValidator(_parsed_words)]

# Steps are counted in 32 bits on devices; more devices or replicas than these are mistakes of typing, for which memory
# would be taken before anything is said. No quantity is as large as the last, and float32 holds none beyond.
_MAX_STEPS, _MAX_DEVICES, _MAX_REPLICAS, _MAX_NUMBER = 2**31 - 1, 4096, 10_000, 1e30

# The groups in which settings are shown, each by its first field.
SECTIONS = {
    "model": "What is simulated",
    "ensemble": "Ensemble",
    "frozen": "Freedom",
    "steps": "Length and accuracy",
    "replicas": "Replicas",
    "hottest": "When to stop",
    "uncertainty_every": "Uncertainty",
    "save": "Output",
}


class MDSettings(Settings):
    """One molecular dynamics run; stored as `settings.yaml` in its folder."""

    # What is simulated
    model: str = Field("so3lr", description="name of a model or path of a model file")
    level: str | None = Field(
        None, description="level of theory, of a model that has several; by default the one that it names first"
    )
    precision: Literal["float32", "float64"] = Field("float32", description="of all arithmetic")
    kernels: Literal["auto", "compiled", "plain"] = Field(
        "auto",
        description="auto: the network's attention runs compiled where that is proven; compiled: on GPUs, too; "
        "plain: never",
    )
    long_range_cutoff: float | None = Field(
        None, gt=0, description="in A; by default 12 with periodicity and 1000 (all pairs of a molecule) without"
    )
    electrostatics: Electrostatics = Field("shifted", description=ELECTROSTATICS_HELP)
    dispersion_tail: DispersionTail = Field("none", description=DISPERSION_TAIL_HELP)
    charge: int | None = Field(
        None, ge=-1_000_000, le=1_000_000, description="total charge in e; by default from the file, else 0"
    )
    spin: int | None = Field(
        None, ge=0, le=1_000_000, description="number of unpaired electrons; by default from the file, else 0"
    )

    # Ensemble
    ensemble: Literal["nve", "nvt", "npt"] = Field("nvt", description="what is kept constant")
    thermostat: Literal["langevin", "rescaling", "nose-hoover"] = Field(
        "langevin", description="rescaling is stochastic velocity rescaling; nose-hoover a chain"
    )
    temperature: Course = Field(300.0, description="in K; or a course, linear between points ps:K, as in 0:100,10:300")
    friction: float = Field(1.0, gt=0, description="in 1/ps, of the Langevin thermostat")
    relaxation_time: float = Field(100.0, gt=0, description="in fs, of the other thermostats")
    barostat: Literal["stochastic", "martyna-tobias-klein"] = Field(
        "stochastic", description="stochastic cell rescaling, or a moving cell with Nose-Hoover chains"
    )
    coupling: Literal["isotropic", "semi-isotropic", "anisotropic", "triclinic"] = Field(
        "isotropic", description="how the cell may change; semi-isotropic: x and y together, z apart"
    )
    pressure: Course = Field(1.01325, description="in bar; or a course, points ps:bar")
    pressure_relaxation_time: float = Field(1000.0, gt=0, description="in fs, of the barostat")
    compressibility: float = Field(
        4.5e-5, gt=0, description="in 1/bar, sets the speed of the stochastic barostat; water's"
    )
    surface_tension: float = Field(
        0.0, description="in mN/m, of all interfaces normal to z together; semi-isotropic only"
    )
    velocities: Literal["thermal", "file"] = Field("thermal", description="drawn at the temperature, or from the file")

    # Freedom
    frozen: ChosenAtoms = Field(
        (),
        description="atoms that do not move, besides those that the file fixes: numbers from 0, elements, heavy; none "
        "lets all move",
    )
    constraints: Literal["none", "h-bonds", "rigid-water"] = Field(
        "none", description="h-bonds: fixed bonds to hydrogen and rigid water"
    )
    hydrogen_mass: float | None = Field(
        None, gt=0, description="in amu, taken from the heavy neighbour; by default 1.008"
    )
    remove_rotation: bool = Field(False, description="take out the rotation of a molecule as a whole")
    restraints: tuple[RestraintSettings, ...] = Field((), description="energies that hold atoms, distances, a droplet")
    bias: str | None = Field(
        None,
        description="Python file with a function energy(system) in eV, added to the energy; runs with all your rights",
    )

    # Length and accuracy
    steps: int = Field(1000, ge=0, le=_MAX_STEPS, description="number of time steps")
    timestep: float = Field(0.5, gt=0, description="in fs")
    seed: int = Field(0, ge=0, lt=2**32, description="of all random numbers")
    skin: float = Field(0.5, gt=0, description="in A, by which the network's neighbour list reaches beyond its cutoff")
    long_range_skin: float = Field(0.5, gt=0, description="in A, likewise of the long-range list")

    devices: int = Field(
        1,
        ge=1,
        le=_MAX_DEVICES,
        description="that share one system: GPUs, or parts of the host's processors where there are none",
    )

    # Replicas
    replicas: int = Field(
        1, ge=1, le=_MAX_REPLICAS, description="copies that run as one batch, each with a seed of its own"
    )
    replica_temperatures: Temperatures = Field((), description="in K, one for each replica, instead of temperature")
    exchange_every: int | None = Field(
        None, ge=1, le=_MAX_STEPS, description="steps between attempts to exchange neighbouring temperatures"
    )

    # When to stop
    hottest: float = Field(20_000.0, gt=0, description="in K, where the run stops as unstable")
    closest: float = Field(0.4, ge=0, description="in A; the run stops where a row of the log finds two atoms closer")
    break_bond_beyond: float | None = Field(
        None, gt=1, description="the run stops where a row of the log finds a bond this many times as long as at first"
    )

    # Uncertainty
    uncertainty_every: int | None = Field(
        None,
        ge=0,
        le=_MAX_STEPS,
        description="steps between uncertainties; 0 for none, by default log_every if the model states them",
    )
    uncertainty_limit: float | None = Field(
        None, gt=0, description="in eV/A, of an atom's force, beyond which a model extrapolates; by default the model's"
    )
    stop_when_uncertain: bool = Field(False, description="stop where the model extrapolates")
    uncertain_structures: int = Field(
        100, ge=0, le=_MAX_STEPS, description="most structures that are kept to be labelled"
    )
    uncertain_interval: float = Field(100.0, ge=0, description="in fs, shortest time between two of them")

    # Output
    save: Outputs = Field(("velocities",), description=f"what frames hold besides positions: {', '.join(_OUTPUTS)}")
    save_atoms: str = Field("all", min_length=1, description="atoms in frames, in the selection language of MDAnalysis")
    save_every: int = Field(100, ge=1, le=_MAX_STEPS, description="steps between frames")
    log_every: int = Field(100, ge=1, le=_MAX_STEPS, description="steps between rows of the log")
    checkpoint_every: int = Field(1000, ge=1, le=_MAX_STEPS, description="steps between checkpoints")

    @model_validator(mode="after")
    def _consistent(self) -> MDSettings:
        for name, value in self:
            numbers = values_of(value) if name in ("temperature", "pressure") else (value,)
            if any(isinstance(number, float) and abs(number) > _MAX_NUMBER for number in numbers):
                raise ValueError(f"{name} is too large: no quantity is beyond {_MAX_NUMBER:g}")
        for name in ("temperature", "pressure"):
            _ascending(getattr(self, name))
        if min(values_of(self.temperature)) < 0:
            raise ValueError("a temperature cannot be below 0 K")
        uses_chain = self.ensemble == "npt" and self.barostat == "martyna-tobias-klein"
        if (uses_chain or (self.ensemble == "nvt" and self.thermostat == "nose-hoover")) and min(
            values_of(self.temperature)
        ) == 0:
            raise ValueError("a Nose-Hoover thermostat needs a temperature above 0 K; use --thermostat langevin")
        if self.ensemble == "npt" and min(values_of(self.temperature)) == 0:
            raise ValueError("constant pressure needs a temperature above 0 K; to relax a cell use helio opt --cell")
        if self.surface_tension and self.coupling != "semi-isotropic":
            raise ValueError("a surface tension needs --coupling semi-isotropic")
        if uses_chain and self.constraints != "none":
            raise ValueError("fixed distances at constant pressure need --barostat stochastic")
        self._check_replicas()
        if self.uncertainty_every == 0 and (self.stop_when_uncertain or self.uncertainty_limit is not None):
            raise ValueError("stop_when_uncertain and uncertainty_limit need an uncertainty_every above 0")
        if self.ensemble == "npt" and self.frozen not in ((), "none"):
            raise ValueError("frozen atoms and constant pressure exclude each other; use position restraints")
        return self

    def _check_replicas(self) -> None:
        if self.devices > 1 and self.replicas > 1:
            raise ValueError("several devices share one system; run replicas on one device each")
        if self.replica_temperatures and min(self.replica_temperatures) <= 0:
            raise ValueError("the temperatures of replicas must be above 0 K")
        if self.exchange_every is None:
            return
        if len(self.replica_temperatures) < 2:
            raise ValueError("an exchange of replicas needs at least two replica_temperatures")
        if self.ensemble != "nvt" or self.thermostat == "nose-hoover":
            raise ValueError("an exchange of replicas needs --ensemble nvt with the langevin or rescaling thermostat")


def values_of(course: float | Points) -> tuple[float, ...]:
    """All values that a course passes through."""
    return tuple(value for _, value in course) if isinstance(course, tuple) else (course,)

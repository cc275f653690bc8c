"""What a roll-out costs beside simulation, with everything counted that it needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from helio.coarse.rollout_file import Rollout
from helio.coarse.store import Store


@dataclass(frozen=True)
class Speed:
    """Simulated times are summed over systems, in the time unit of the data; seconds are of the clock."""

    rolled: float  # simulated time after the histories
    history: float  # simulated time of the histories, which simulation must give
    seconds: float  # of stepping, on the clock
    compile_seconds: float  # once for a shape of the batch
    cores: int
    device: str
    simulation: float | None = None  # simulated time of one system per core-second of the reference engine
    simulation_on: str = ""  # its engine and hardware
    training_data: float = 0.0  # simulated time of the data that the model was trained on
    training_core_seconds: float | None = None
    given_core_seconds: float | None = None  # of the whole roll-out with compiling, where measured otherwise

    @property
    def core_seconds(self) -> float:
        """Of stepping, all cores together; where given, with compiling."""
        return self.seconds * self.cores if self.given_core_seconds is None else self.given_core_seconds

    @property
    def start(self) -> float | None:
        """Core-seconds before the first step: of compiling, and of simulating the histories."""
        if self.simulation is None:
            return None
        compiling = self.compile_seconds * self.cores if self.given_core_seconds is None else 0.0
        return compiling + self.history / self.simulation

    @property
    def rate(self) -> float:
        """Simulated time per core-second."""
        return self.rolled / self.core_seconds

    @property
    def gain(self) -> float | None:
        """How many times more simulated time a core-second of stepping gives than one of simulation."""
        return None if self.simulation is None else self.rate / self.simulation

    @property
    def gain_with_start(self) -> float | None:
        """The same with what it takes to begin: compilation, and simulation of the histories."""
        if self.simulation is None or self.start is None:
            return None
        return (self.rolled + self.history) / (self.core_seconds + self.start) / self.simulation

    @property
    def investment(self) -> float | None:
        """Core-seconds for the training data and the training; None where either is not known."""
        if self.simulation is None or self.training_core_seconds is None:
            return None
        return self.training_data / self.simulation + self.training_core_seconds

    @property
    def pays_after(self) -> float | None:
        """Simulated time, rolled out, after which investment and roll-outs cost less than simulation; None if never."""
        if self.simulation is None or self.investment is None:
            return None
        saved = 1 / self.simulation - 1 / self.rate  # core-seconds for each unit of simulated time
        return self.investment / saved if saved > 0 else None

    def equal_cost(self, systems: int) -> float | None:
        """Simulated time that the reference engine gives each of the systems for the cost of the roll-out."""
        if self.simulation is None or self.start is None:
            return None
        return (self.core_seconds + self.start) * self.simulation / systems


def speed_of(
    rollouts: Sequence[Rollout],
    store: Store,
    *,
    simulation: float | None,
    simulation_on: str = "",
    core_seconds: float | None = None,
    training_core_seconds: float | None = None,
) -> Speed:
    """Of one roll-out; of several the mean. All systems of the store that train count as training data.

    `core_seconds`, of stepping and compiling, stand in for the seconds that these took on the clock of all cores.
    """
    systems = [(rollout, name) for rollout in rollouts for name in rollout.names]
    rolled = sum(rollout.frames(name) * rollout.number(name, "interval") for rollout, name in systems)
    history = sum(
        (rollout.number(name, "history_end") - rollout.number(name, "history_begin")) * store.interval(name)
        for rollout, name in systems
        if name in store.names
    )
    count, first = len(rollouts), rollouts[0]
    trained = store.part("train")
    return Speed(
        rolled=rolled / count,
        history=history / count,
        seconds=sum(rollout.seconds for rollout in rollouts) / count,
        given_core_seconds=core_seconds,
        compile_seconds=sum(rollout.compile_seconds for rollout in rollouts) / count,
        cores=first.info.cores,
        device=first.info.device,
        simulation=simulation,
        simulation_on=simulation_on,
        training_data=float(sum(store.frames(name) * store.interval(name) for name in trained)),
        training_core_seconds=training_core_seconds,
    )

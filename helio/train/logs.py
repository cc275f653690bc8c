"""What a training writes while it runs: CSV tables, and trackers that draw them.

| file | what |
|---|---|
| `log.csv` | losses, errors, learning rate and speed, means since the row before |
| `validation.csv` | loss and errors of the averaged weights on structures that are not trained on |
| `skipped.csv` | batches whose gradient was not finite, with the numbers of their structures in the store |
| `tensorboard/` | the same curves for TensorBoard, where asked for |
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from helio.files.log import Log
from helio.packages import need

VALIDATION = "validation.csv"
SKIPPED = "skipped.csv"
TENSORBOARD = "tensorboard"
TRAINING_COLUMNS = ("epoch", "seconds", "learning_rate", "gradient_norm", "structures_per_second", "waiting", "skipped")


class Tracker(Protocol):
    """Draws curves elsewhere."""

    def add(self, step: int, values: Mapping[str, float]) -> None:
        """Show values of this step."""
        ...

    def close(self) -> None:
        """End."""
        ...


class TensorBoard:
    """Curves in a folder that TensorBoard reads."""

    def __init__(self, folder: Path, *, last_step: int | None) -> None:
        purge = None if last_step is None else last_step + 1
        self._writer = need("tensorboardX", extra="tensorboard").SummaryWriter(str(folder), purge_step=purge)

    def add(self, step: int, values: Mapping[str, float]) -> None:
        """Add one point to each curve."""
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)

    def close(self) -> None:
        """Write what is left."""
        self._writer.close()


class WeightsAndBiases:
    """Curves in a project of Weights & Biases; a resumed run goes on with its curves."""

    def __init__(self, folder: Path, *, project: str, settings: Mapping[str, Any]) -> None:
        self._run = need("wandb", extra="wandb").init(
            project=project, name=folder.name, id=folder.name, dir=str(folder), config=dict(settings), resume="allow"
        )

    def add(self, step: int, values: Mapping[str, float]) -> None:
        """Add one point to each curve."""
        self._run.log(dict(values), step=step)

    def close(self) -> None:
        """Finish the upload."""
        self._run.finish()


class Logs:
    """The tables of one run, cut back to `last_step` where it goes on."""

    def __init__(
        self, folder: Path, labels: Sequence[str], trackers: Iterable[Tracker] = (), *, last_step: int | None = None
    ) -> None:
        errors = ["loss", *(f"{label}_{kind}" for kind in ("mae", "rmse") for label in labels)]
        self._training = Log(folder / "log.csv", ["step", *TRAINING_COLUMNS, *errors], last_step=last_step)
        self._validation = Log(folder / VALIDATION, ["step", *errors], last_step=last_step)
        self._skipped = Log(folder / SKIPPED, ["step", "structures"], last_step=last_step)
        self._errors = errors
        self._trackers = list(trackers)

    def training(self, step: int, values: Mapping[str, float]) -> None:
        """Add a row to the log; `values` by the names of the columns."""
        self._add("training", self._training, [*TRAINING_COLUMNS, *self._errors], step, values)

    def validation(self, step: int, values: Mapping[str, float]) -> None:
        """Add a row of errors on structures that are not trained on."""
        self._add("validation", self._validation, self._errors, step, values)

    def skipped(self, step: int, structures: Iterable[int]) -> None:
        """Note a batch that was skipped."""
        self._skipped.append([step, " ".join(map(str, structures))])  # pyright: ignore[reportArgumentType]

    def close(self) -> None:
        """Close all files."""
        for log in (self._training, self._validation, self._skipped, *self._trackers):
            log.close()

    def _add(self, kind: str, log: Log, columns: Sequence[str], step: int, values: Mapping[str, float]) -> None:
        log.append([step, *(values[name] for name in columns)])
        for tracker in self._trackers:
            tracker.add(step, {f"{kind}/{name}": values[name] for name in columns})

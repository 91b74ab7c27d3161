"""Progress: where a fit is, in epochs, batches and updates."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from typing import Any


@dataclass
class Progress:
    """Where a fit is; written into every checkpoint.

    Attributes:
        epoch: Complete epochs.
        batch: Batches done in the current epoch.
        total_batches: Batches done in all epochs.
        global_step: Updates done, one for each window of accumulation.
        phase: Batches accumulated towards the next update.
        epoch_start_step: `global_step` when the current epoch began.
        validated_batch: `total_batches` at the last validation, -1 before the first.
        seconds: Time spent in fit, for max_time.
        epoch_closed: The current epoch's hooks have run; only its number has not moved on.
        epoch_begun: The current epoch has begun, in this fit or in one that goes on here.
        epoch_ended: The current epoch has had its end, although a stop left batches of it.
    """

    epoch: int = 0
    batch: int = 0
    total_batches: int = 0
    global_step: int = 0
    phase: int = 0
    epoch_start_step: int = 0
    validated_batch: int = -1
    seconds: float = 0.0
    epoch_closed: bool = False
    epoch_begun: bool = False
    epoch_ended: bool = False

    @property
    def position(self) -> tuple[int, int, int]:
        """What a step sees of it, in the order of `lightning_tf.step_context.POSITION`."""
        return self.global_step, self.epoch, self.batch

    def state_dict(self) -> dict[str, Any]:
        """Return the progress as plain data."""
        return asdict(self)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where another process was.

        Raises:
            KeyError: Something is missing.
        """
        for field in fields(self):
            setattr(self, field.name, state[field.name])

    def begin_at(self, epoch: int) -> None:
        """Count epochs from a number on, where nothing has been done yet."""
        if self.total_batches == 0:
            self.epoch = max(self.epoch, epoch)

    def advance(self, batches: int, every: int) -> None:
        """Count batches that ran, and the updates that they completed."""
        self.batch += batches
        self.total_batches += batches
        self.global_step += (self.phase + batches) // every
        self.phase = (self.phase + batches) % every

    def flush(self) -> None:
        """Count the update of an incomplete window of accumulation."""
        self.global_step += 1
        self.phase = 0

    def spend(self, seconds: float) -> None:
        """Note how long the fit has taken by now."""
        self.seconds = seconds

    @contextmanager
    def validating(self) -> Iterator[None]:
        """Count these batches as validated, also in checkpoints that validation itself writes."""
        before, self.validated_batch = self.validated_batch, self.total_batches
        try:
            yield
        except BaseException:
            self.validated_batch = before  # a checkpoint of now must not count it
            raise

    def begin_epoch(self) -> None:
        """Note that the current epoch begins; its hooks are about to run."""
        self.epoch_begun = True

    def close_epoch(self, exhausted: bool) -> None:
        """Note that an epoch's hooks are about to run, where all its batches are done."""
        self.epoch_closed, self.epoch_ended = exhausted, True

    def next_epoch(self) -> None:
        """Move on to the next epoch."""
        self.epoch += 1
        self.batch = self.phase = 0
        self.epoch_start_step = self.global_step
        self.epoch_closed = self.epoch_begun = self.epoch_ended = False

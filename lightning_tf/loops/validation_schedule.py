"""ValidationSchedule: after which batches validation runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lightning_tf.checks import is_integer
from lightning_tf.exceptions import ConfigurationError

if TYPE_CHECKING:
    from lightning_tf.run.progress import Progress

NEVER = 2**62  # more batches than any run has


class ValidationSchedule:
    """`val_check_interval` and `check_val_every_n_epoch`, with Lightning's meanings.

    Args:
        interval: A float is a fraction of the epoch's batches; 1.0 means the epoch's end. An int
            counts training batches, not updates: of the epoch, or across epochs where
            `every_n_epoch` is None.
        every_n_epoch: Validate in every n-th epoch, or in those of a list, which are counted from 1
            as in Keras' `validation_freq`; None counts batches across epochs.

    Raises:
        ConfigurationError: The two do not fit together.
    """

    def __init__(self, interval: int | float, every_n_epoch: int | list[int] | None) -> None:
        self.interval, self.every_n_epoch = interval, every_n_epoch
        is_count = isinstance(interval, int) and not isinstance(interval, bool)
        is_fraction = isinstance(interval, float) and 0.0 < interval <= 1.0
        if not is_fraction and not (is_count and interval >= 1):
            raise ConfigurationError(
                f"val_check_interval={interval!r}: give a count of batches of at least 1, or a "
                "fraction of the epoch in (0, 1]."
            )
        if isinstance(every_n_epoch, list) and not (
            every_n_epoch and all(is_integer(epoch) and epoch >= 1 for epoch in every_n_epoch)
        ):
            raise ConfigurationError(
                f"check_val_every_n_epoch={every_n_epoch!r}: give a list of epochs, counted from 1."
            )
        if every_n_epoch is None and not is_count:
            raise ConfigurationError(
                f"val_check_interval={interval!r} with check_val_every_n_epoch=None counts batches "
                "across epochs: give an int."
            )

    def check(self, length: int | None, has_validation: bool) -> None:
        """Refuse an interval that an epoch of this length can never reach.

        Raises:
            ConfigurationError: See above.
        """
        if not has_validation or self.every_n_epoch is None:
            return
        if isinstance(self.interval, int):
            if length is not None and self.interval > length:
                raise ConfigurationError(
                    f"val_check_interval={self.interval} is more than the {length} batches of an "
                    "epoch; pass check_val_every_n_epoch=None to count across epochs."
                )
        elif length is None and self.interval != 1.0:
            raise ConfigurationError(
                f"val_check_interval={self.interval}: train_dataset has no known length; give 1.0 "
                "or a count of batches."
            )

    def first(self, length: int | None) -> tuple[int, int]:
        """Return the epoch and its batches after which validation first runs.

        Where an epoch's length is unknown, the batches are 0; across epochs the epoch is, too.
        """
        if self.every_n_epoch is None:
            return divmod(int(self.interval), length) if length else (0, 0)
        every = self.every_n_epoch
        epoch = min(every) if isinstance(every, list) else every
        return epoch - 1, self._period(length) or length or 0

    def is_due(self, progress: Progress, length: int | None, at_end: bool) -> bool:
        """Return whether validation follows the batches done so far; `at_end` of the epoch."""
        if self.every_n_epoch is None:
            return progress.total_batches > 0 and progress.total_batches % int(self.interval) == 0
        if not self._validates_in(progress.epoch):
            return False
        period = self._period(length)
        if period is None:
            return at_end
        return progress.batch > 0 and progress.batch % period == 0

    def batches_until_due(self, progress: Progress, length: int | None) -> int:
        """Return the batches until the next validation in the epoch; very many without one."""
        if self.every_n_epoch is None:
            return int(self.interval) - progress.total_batches % int(self.interval)
        period = self._period(length)
        if period is None or not self._validates_in(progress.epoch):
            return NEVER
        return period - progress.batch % period

    def _validates_in(self, epoch: int) -> bool:
        """Return whether an epoch, counted from 0, has validation."""
        if isinstance(self.every_n_epoch, list):
            return epoch + 1 in self.every_n_epoch
        return (epoch + 1) % (self.every_n_epoch or 1) == 0

    def _period(self, length: int | None) -> int | None:
        """Return the batches from one validation to the next; None for the epoch's end only."""
        if isinstance(self.interval, int):
            return self.interval
        if self.interval == 1.0 or length is None:
            return None
        return max(1, int(length * self.interval))

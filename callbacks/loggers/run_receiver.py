"""RunReceiver: who gets what a `Delivery` sends; a subclass for each tracker."""

from typing import Any

from lightning_tf.callbacks.loggers.outbox import Line


class RunReceiver:
    """Opens a run of a tracker and takes rows and files; called in the delivery's thread alone.

    Every method raises where the tracker is away; it is called again then, with the same.

    Args:
        record: What is known of the run, as plain data; kept in the run's folder, so that another
            process can go on: ``settings``, ``config``, ``tags``, ``status``, the ids of the
            tracker.

    Attributes:
        opening_seconds: How long fit may wait, before it trains, for the run to be opened.
    """

    opening_seconds = 0.0

    def __init__(self, record: dict[str, Any]) -> None:
        self.record = record

    def check_reachable(self) -> None:
        """Raise, within a few seconds, where the tracker cannot be reached."""

    def open(self) -> None:
        """Open the run, or go on with it."""

    def last_step(self) -> int:
        """Return the last update of which the tracker has a row, -1 where it has none."""
        return -1

    def missing(self, line: Line) -> dict[str, Any]:
        """Return the values of a line that the tracker may have, without those that it has."""
        return line.values

    def send_rows(self, lines: list[Line]) -> bool:
        """Send rows of numbers, and return whether the tracker has confirmed them."""
        raise NotImplementedError

    def send_summary(self) -> None:
        """Send what is new in the record."""

    def send_file(self, line: Line, name: str, item: dict[str, Any]) -> bool:
        """Send an image, a table, a text or a file, and return whether that is confirmed."""
        raise NotImplementedError

    def close(self, status: str | None) -> None:
        """Close the run; what was sent before is confirmed with it."""

"""Activity: what the main thread is at, for a thread that watches it."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

SILENT_SECONDS = 5.0  # between two looks that are a second apart: the process was stopped


class Activity:
    """Counts what workers do together, written by the main thread at the cost of two stores.

    Attributes:
        begun: Windows and exchanges begun: equal on workers that are at the same place.
        is_inside: Whether one of them runs now.
        since: When the last one began or ended, as `time.monotonic` tells it.

    Example:
        >>> activity = Activity()
        >>> with activity.running():
        ...     activity.begun, activity.is_inside
        (1, True)
    """

    def __init__(self) -> None:
        self.begun, self.is_inside = 0, False
        self.since = self._looked = time.monotonic()
        self._silence, self._silence_ended = 0.0, float("-inf")

    @contextmanager
    def running(self) -> Iterator[None]:
        """Note that a window or an exchange runs inside the block."""
        self.begun += 1
        self.is_inside, self.since = True, time.monotonic()
        try:
            yield
        finally:
            self.end()

    def end(self) -> None:
        """Note that nothing runs."""
        self.is_inside, self.since = False, time.monotonic()

    @property
    def seconds(self) -> float:
        """How long nothing has begun or ended."""
        return time.monotonic() - self.since

    def look(self) -> None:
        """Note that this process runs; to be called about every second, by another thread."""
        now = time.monotonic()
        if now - self._looked > SILENT_SECONDS:
            self._silence, self._silence_ended = now - self._looked, now
            self.since = now  # what a stopped process has not done is no hang
        self._looked = now

    def silence(self, within: float) -> float:
        """Return for how long this process was stopped; 0 where it was not.

        Args:
            within: Seconds before now in which the stop must have ended.
        """
        self.look()  # woken a moment ago, the other thread may not have looked yet
        return self._silence if time.monotonic() - self._silence_ended <= within else 0.0

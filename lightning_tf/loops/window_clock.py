"""WindowClock: how many batches fit into a window's time target."""

TARGET_SECONDS = 0.5  # the progress bar, signals and max_time stay alive
GROWTH = 8  # a window is at most this many times the last: one slow or fast call proves little


class WindowClock:
    """Learns the time of a batch and gives the number of batches that fill the time target.

    The first window is one batch long, because it holds the costs that come once.
    """

    def __init__(self) -> None:
        self.count = 1

    def measured(self, batches: int, elapsed: float) -> None:
        """Take the time of a window."""
        fitting = int(TARGET_SECONDS * batches / max(elapsed, 1e-9))
        self.count = max(1, min(fitting, GROWTH * max(batches, self.count)))

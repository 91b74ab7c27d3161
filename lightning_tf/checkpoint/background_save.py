"""BackgroundSave: work on the disk while training goes on."""

from collections.abc import Callable
from threading import Thread


class BackgroundSave:
    """Runs a function in a thread of its own, from now on.

    The thread is no daemon: a process that ends well finishes its last save.

    Args:
        work: Touches nothing that training changes.

    Example:
        >>> saving = BackgroundSave(lambda: write_checkpoint("a.ckpt", snapshot))
        >>> saving.wait()  # None: it went well
    """

    def __init__(self, work: Callable[[], None]) -> None:
        self._work = work
        self._error: BaseException | None = None
        self._thread = Thread(target=self._run, name="checkpoint")
        self._thread.start()

    def _run(self) -> None:
        try:
            self._work()
        except BaseException as error:  # handed to whoever waits
            self._error = error

    @property
    def is_done(self) -> bool:
        """Return whether `wait` would return at once."""
        return not self._thread.is_alive()

    def wait(self) -> OSError | None:
        """Wait for the end; return the disk's error, raise any other.

        Raises:
            BaseException: What `work` raised, where it is no OSError.
        """
        self._thread.join()
        if self._error is None or isinstance(self._error, OSError):
            return self._error
        raise self._error

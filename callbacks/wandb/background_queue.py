"""BackgroundQueue: runs jobs one after another in a thread, while training goes on."""

import threading
from collections import deque
from collections.abc import Callable

Job = Callable[[], None]
PAUSE = 0.5  # seconds
MOST_WAITING = 20_000  # rows that a stuck receiver may keep in memory, about 10 MB


class BackgroundQueue:
    """Runs jobs in their order in its own thread; `put` never waits.

    The thread is a daemon: a job that hangs for ever does not keep the process alive. Whenever it
    wakes it takes the processor and Python's lock from training: waking for each row of a tiny
    network cost a tenth of its step, many rows at once cost little. So jobs that can wait run with
    the next one that cannot, or within half a second.

    Args:
        name: The name of the thread.
        most_waiting: Refuse a job while so many wait.

    Example:
        >>> jobs = BackgroundQueue("uploads")
        >>> jobs.put(lambda: time.sleep(1.0))
        True
        >>> jobs.end(5.0)  # True: all jobs were done within 5 seconds
        True
    """

    def __init__(self, name: str, most_waiting: int = MOST_WAITING) -> None:
        self.most_waiting = most_waiting
        self._jobs: deque[Job] = deque()
        self._changed = threading.Condition()
        self._is_busy = self._is_ending = self._is_urgent = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def put(self, job: Job, *, can_wait: bool = False) -> bool:
        """Add a job, which must handle its own errors.

        Args:
            job: Called in the thread, after all jobs that were added before.
            can_wait: Whether half a second later is soon enough.

        Returns:
            False where too many wait: the job will not run.
        """
        with self._changed:
            if len(self._jobs) >= self.most_waiting or self._is_ending:
                return False
            self._jobs.append(job)
            if not can_wait:
                self._wake()
        return True

    def _wake(self) -> None:
        self._is_urgent = True
        self._changed.notify_all()

    def wait(self, seconds: float) -> bool:
        """Wait until all jobs are done, and return whether they are."""
        with self._changed:
            self._wake()
            return self._changed.wait_for(lambda: not (self._jobs or self._is_busy), seconds)

    def end(self, seconds: float) -> bool:
        """Wait, then end the thread after its present job, and return whether all jobs are done."""
        done = self.wait(seconds)

        # A job that hangs keeps the thread; the jobs behind it are given up.
        with self._changed:
            self._is_ending = True
            self._jobs.clear()
            self._changed.notify_all()

        if done:
            self._thread.join(seconds)
        return done

    def _run(self) -> None:
        while True:
            with self._changed:
                # Urgent jobs wake it at once; the others wait until the pause ends.
                self._changed.wait_for(lambda: self._is_urgent or self._is_ending, PAUSE)
                if self._is_ending:
                    return
            while self._run_next():
                pass

    def _run_next(self) -> bool:
        """Run a job, and return whether there was one."""
        with self._changed:
            if not self._jobs:
                self._is_urgent = False
                return False
            job, self._is_busy = self._jobs.popleft(), True

        # Outside the lock, so that `put` never waits for a job.
        try:
            job()
        finally:
            with self._changed:
                self._is_busy = False
                self._changed.notify_all()
        return True

"""Termination: SIGTERM, and SIGUSR1 under SLURM, wherever no fit, validation or test listens."""

import logging
import os
import signal
import threading
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

from lightning_tf.exceptions import TRY_AGAIN, TerminationRequested
from lightning_tf.notebook import in_ipython

log = logging.getLogger("lightning_tf")

REPEATED_SECONDS = 1.0  # a launcher and a scheduler may both pass one signal on


class TerminationGuard:
    """Lets a program that is asked to end do so cleanly, with the exit code for "try again".

    While something is watched, a Trainer most often, the signal raises `TerminationRequested` in
    the main thread, after one sentence; without it the process would be killed where it stands.
    Only what has the default action is replaced: a handler of the user's own stays, and so does
    what is ignored. Nothing is done outside the main thread, where Python does not allow it, nor
    under IPython, which would survive the exception.

    Example:
        >>> guard = TerminationGuard()
        >>> guard.watch(trainer)
    """

    def __init__(self) -> None:
        self._watched: weakref.WeakSet[Any] = weakref.WeakSet()
        self._process = os.getpid()
        self._raised_at = -REPEATED_SECONDS

    def watch(self, owner: Any) -> None:
        """Handle the signals from now on, as long as `owner` lives."""
        if threading.current_thread() is not threading.main_thread() or in_ipython():
            return

        self._watched.add(owner)
        weakref.finalize(owner, self._restore).atexit = False
        self._process = os.getpid()
        for number in termination_signals():
            if signal.getsignal(number) == signal.SIG_DFL:
                signal.signal(number, self._handle)

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Handle the signals inside the block."""
        owner = _Block()
        self.watch(owner)
        try:
            yield
        finally:
            del owner  # nothing else holds it

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Leave the signals their default action inside the block.

        A wait in TensorFlow of some minutes, as for other workers, lets no handler run.
        """
        numbers = [n for n in termination_signals() if self.owns(signal.getsignal(n))]
        is_main = threading.current_thread() is threading.main_thread()
        for number in numbers if is_main else ():
            signal.signal(number, signal.SIG_DFL)
        try:
            yield
        finally:
            for number in numbers if is_main else ():
                if signal.getsignal(number) == signal.SIG_DFL:
                    signal.signal(number, self._handle)

    def owns(self, handler: Any) -> bool:
        """Return whether a signal's handler is this one's."""
        return bool(handler == self._handle)

    def note_raised(self) -> None:
        """Note that the process ends already: what comes at once is the same request again."""
        self._raised_at = time.monotonic()

    def _handle(self, number: int, frame: FrameType | None) -> None:
        # A child that was forked has our handlers, and no Trainer of its own.
        if os.getpid() != self._process or not any(True for _ in self._watched):
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
            return
        if time.monotonic() - self._raised_at < REPEATED_SECONDS:
            return

        self.note_raised()
        raised = TerminationRequested(signal.Signals(number).name)
        # Python refuses to write inside of a write that the signal has interrupted.
        with suppress(RuntimeError):
            log.warning(
                "%s: the program ends here, outside of fit, with exit code %d: try again.",
                raised.signal,
                TRY_AGAIN,
            )
        raised.is_told = True
        raise raised

    def _restore(self) -> None:
        """Put the default action back once nothing is watched any more."""
        if any(True for _ in self._watched):
            return
        if threading.current_thread() is not threading.main_thread():
            return  # the handler looks again when it is called

        for number in termination_signals():
            if self.owns(signal.getsignal(number)):
                signal.signal(number, signal.SIG_DFL)


def termination_signals() -> list[int]:
    """Return the signals that ask a process to end; SLURM sends SIGUSR1 ahead of a time limit."""
    numbers = [int(signal.SIGTERM)]
    if "SLURM_JOB_ID" in os.environ and hasattr(signal, "SIGUSR1"):
        numbers.append(int(signal.SIGUSR1))
    return numbers


class _Block:
    """Lives as long as a `with` block."""


TERMINATION = TerminationGuard()
"""The one of this process."""

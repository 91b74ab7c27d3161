"""Signals: SIGTERM and Ctrl-C while an entry point runs; in training a flag, until it looks."""

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from lightning_tf.exceptions import TRY_AGAIN, TerminationRequested
from lightning_tf.run.termination import TERMINATION, termination_signals


class Signals:
    """Turns signals into exceptions at points where the run can be saved.

    SIGTERM, and SIGUSR1 under SLURM (which sends it ahead of the end of the time limit), raise
    `TerminationRequested`: at once while there is nothing to save, from `defer` on at the next
    `check`. Ctrl-C raises KeyboardInterrupt at once, but not
    inside `held`, where variables and counters would come apart: there it waits for the end of the
    block.

    Handlers that were there before are called at once and put back afterwards; what they raise is
    raised in the place of `TerminationRequested`. That of `TerminationGuard`, which acts outside of
    entry points, is put back and not called. Outside the main thread nothing is installed,
    because Python allows it nowhere else.

    Example:
        >>> signals = Signals()
        >>> with signals.installed():
        ...     load_data()
        ...     signals.defer()
        ...     while True:
        ...         with signals.held():
        ...             train_one_window()
        ...         signals.check()
    """

    def __init__(self) -> None:
        self._received: int | None = None
        self._raised_before: BaseException | None = None
        self._holding = self._interrupted = self._immediate = False
        self._before: dict[int, Any] = {}

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Handle signals inside the block, at once until `defer`; a late one ends the block."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        self._received = self._raised_before = None
        self._immediate = True
        self._before = {number: signal.getsignal(number) for number in _numbers()}

        try:
            for number in self._before:
                signal.signal(number, self._handle)
            yield
            self.check()
        finally:
            for number, handler in self._before.items():
                if signal.getsignal(number) == self._handle:  # nobody replaced it meanwhile
                    # None: set outside Python, and beyond its reach
                    signal.signal(number, signal.SIG_DFL if handler is None else handler)
            self._before, self._immediate = {}, False

    def defer(self) -> None:
        """Raise at checks alone from now on: there is something to save."""
        self._immediate = False

    @contextmanager
    def held(self) -> Iterator[None]:
        """Put Ctrl-C off until the block ends well; a second one is raised at once."""
        self._holding = True
        try:
            yield
        finally:
            self._holding = False
        if self._interrupted:
            self._interrupted = False
            raise KeyboardInterrupt

    @property
    def received(self) -> int:
        """The signal that `check` has not raised yet, or 0."""
        return self._received or 0

    def receive(self, number: int) -> None:
        """Take a signal that came to another worker as one that came here."""
        self._received = self._received or number

    def check(self) -> None:
        """Raise where the process was asked to end.

        Raises:
            TerminationRequested: SIGTERM, or SIGUSR1 under SLURM, came.
        """
        if self._received is None:
            return

        name, error = signal.Signals(self._received).name, self._raised_before
        self._received = self._raised_before = None
        TERMINATION.note_raised()
        raise error or TerminationRequested(name)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        before: Callable[[int, FrameType | None], Any] | Any = self._before.get(number)
        if number == signal.SIGINT:
            if self._holding and not self._interrupted:
                self._interrupted = True
            elif callable(before):
                before(number, frame)
            return
        self._received = number
        try:
            if callable(before) and not TERMINATION.owns(before):
                before(number, frame)
        except BaseException as error:
            self._raised_before = error
        if self._immediate:
            self._immediate = False  # a second one must not break what ends the run
            self.check()


def leave_without_traceback(exception: BaseException, last_line: str = "") -> None:
    """Let Python end without a traceback of an exception of which all has been said.

    Where somebody has set a hook of his own for uncaught exceptions it stays. IPython, and so a
    notebook, shows the exception's name alone.

    Args:
        exception: That a script does not catch.
        last_line: To write in the place of the traceback.
    """
    # IPython calls no excepthook, it asks the exception.
    exception._render_traceback_ = lambda: [last_line or type(exception).__name__]  # type: ignore[attr-defined]
    if sys.excepthook is not sys.__excepthook__:
        return

    def hook(kind: Any, raised: BaseException, traceback: Any) -> None:
        if raised is not exception:
            sys.__excepthook__(kind, raised, traceback)
        elif last_line:
            print(last_line, file=sys.stderr)

    sys.excepthook = hook


def exit_with_try_again(exception: BaseException) -> None:
    """Let a program that does not catch an exception exit with `TRY_AGAIN` in the place of 1.

    It is shown as it would be, also by a hook that somebody has set for uncaught exceptions.

    Args:
        exception: What the program did not do wrong.
    """
    before = sys.excepthook

    def hook(kind: Any, raised: BaseException, traceback: Any) -> None:
        before(kind, raised, traceback)
        if raised is exception:
            raise SystemExit(TRY_AGAIN)  # from here Python takes the exit code

    sys.excepthook = hook


def _numbers() -> list[int]:
    numbers = [*termination_signals(), signal.SIGINT]
    # What is ignored (under nohup, or in a job in the background) stays ignored.
    return [int(n) for n in numbers if signal.getsignal(n) != signal.SIG_IGN]

"""Watchdog: a thread that looks after the main one; it names who is gone, and what hangs."""

from __future__ import annotations

import faulthandler
import logging
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, NoReturn

from lightning_tf.distribute.activity import Activity
from lightning_tf.distribute.workers import AGAIN, Workers
from lightning_tf.exceptions import TRY_AGAIN

log = logging.getLogger("lightning_tf")

THREAD = "lightning_tf watchdog"
LOOK_SECONDS = 1.0
PATIENCE_SECONDS = 5.0  # in one exchange, before the neighbors are looked at
REPORT_SECONDS = 15.0  # for the others to say where they are
END_SECONDS = 60.0  # for a worker whose exchange was ended to tell its callbacks and leave
WORKERS_STEP_SECONDS = 1800.0  # as torch.distributed: a hang holds every machine of the run


class Watchdog:
    """Watches the main thread of a process, and ends a run that nothing else would end.

    On several workers it looks, where this one waits in an exchange for more than some seconds,
    whether a neighbor's process has ended: then it ends the wait. Where no window, exchange or hook
    has moved on within `step_timeout`, every worker tells the others where it is. Who has come
    least far is waited for: it writes its stack to standard error and ends its process; the others
    leave with a `WorkerLostError` that names it. On one device the stack is written and the process
    ends.

    It costs the main thread two stores a window.

    Args:
        workers: Of the run.
        step_timeout: In seconds; 0 lets steps take as long as they like, None is
            `WORKERS_STEP_SECONDS` on several workers and 0 on one.
        describe: Return the hook that runs, or what else the main thread is at.

    Example:
        >>> watchdog = Watchdog(SINGLE_WORKER, 600.0, lambda: "training")
        >>> with watchdog.running(), watchdog.timing_steps():
        ...     train()
    """

    def __init__(
        self, workers: Workers, step_timeout: float | None, describe: Callable[[], str]
    ) -> None:
        default = WORKERS_STEP_SECONDS if workers.count > 1 else 0.0
        self.step_timeout = default if step_timeout is None else step_timeout
        self._workers, self._describe = workers, describe
        # The object of one worker is shared by all Trainers of a process.
        self.activity = workers.activity if workers.count > 1 else Activity()
        self._times_steps = False
        self._refusals = 0
        self._number = 0  # of the block of `running`, equal on all workers
        self._main = 0  # the thread's identity

    @contextmanager
    def running(self) -> Iterator[None]:
        """Watch the calling thread inside the block."""
        if self._workers.count == 1 and not self.step_timeout:
            yield
            return

        before, over = self._main, threading.Event()
        self._main = threading.get_ident()
        self._number += 1
        thread = threading.Thread(target=self._watch, args=(over,), name=THREAD, daemon=True)
        self.activity.look()
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join(2 * LOOK_SECONDS)
            self._main = before

    @contextmanager
    def timing_steps(self) -> Iterator[None]:
        """Hold the calling thread to `step_timeout` inside the block."""
        self.activity.end()
        before, self._times_steps = self._times_steps, bool(self.step_timeout)
        try:
            yield
        finally:
            self._times_steps = before

    # ---- in the thread

    def _watch(self, over: threading.Event) -> None:
        key, judges = f"hang {self._number}", True  # where a worker is can be published once
        while not over.wait(LOOK_SECONDS):
            self.activity.look()
            if self._neighbor_is_gone():
                return
            if judges and self._times_steps and self.activity.seconds > self.step_timeout:
                if self._end_hang(key, over):
                    return
                judges = False
                log.warning(
                    "a step took longer than step_timeout=%g and has ended after all: hangs are "
                    "not looked for any more in this fit; give a longer step_timeout.",
                    self.step_timeout,
                )

    def _neighbor_is_gone(self) -> bool:
        """End the wait for a worker whose process has ended; return whether there is one."""
        activity = self.activity
        if self._workers.count == 1 or not activity.is_inside:
            return False
        if activity.seconds < PATIENCE_SECONDS:
            return False

        gone = self._workers.find_gone_neighbor()
        self._refusals = 0 if gone is None else self._refusals + 1
        if gone is None or self._refusals < 2:
            return False
        self._workers.give_up(self._workers.text_of_lost([gone]))
        return True

    def _end_hang(self, key: str, over: threading.Event) -> bool:
        """End a run that hangs; return False where it has gone on by itself."""
        workers, mine = self._workers, self._report()
        if workers.count == 1:
            self._say_stack(f"no step has ended for {_since(mine)}: it {_place(mine)}")
            _leave()

        with suppress(Exception):  # a run that broke meanwhile tells by itself
            workers.publish(key, mine)
        reports: dict[int, dict[str, Any] | None] = {workers.index: mine}
        deadline = time.monotonic() + REPORT_SECONDS
        for index in range(workers.count):
            if index != workers.index:
                rest = max(0.1, deadline - time.monotonic())
                reports[index] = workers.read_published(key, index, rest)
        if over.is_set() or self.activity.begun != mine["begun"] or not self._times_steps:
            return over.is_set()  # it ends by itself, or has gone on

        late = _late(reports)
        are_all = len(late) == workers.count
        if workers.index in late:
            others = "nor have the others" if are_all else "the others wait for it"
            self._say_stack(
                f"{workers.name(workers.index)} has not moved for {_since(mine)}, {others}: it "
                f"{_place(mine)}"
            )
            if not are_all:
                time.sleep(REPORT_SECONDS)  # the others may not have read where this one is
                _leave()

        workers.give_up(
            f"nothing has moved for {_since(mine)} (step_timeout={self.step_timeout:g}): "
            f"{self._who(reports, late)} {AGAIN}"
        )
        if not over.wait(END_SECONDS):
            _leave()  # stuck in something that is no exchange
        return True

    def _who(self, reports: dict[int, dict[str, Any] | None], late: set[int]) -> str:
        """Return who is waited for, and where they are, as sentences."""
        workers = self._workers
        if len(late) == workers.count:
            return (
                f"all {workers.count} workers are at the same place, this one "
                f"{_place(reports[workers.index])}. A source of data or the network hangs: the "
                "stacks of their threads are in what they wrote."
            )
        names = " and ".join(f"{workers.name(i)}, which {_place(reports[i])}" for i in sorted(late))
        return (
            f"worker {workers.index} of {workers.count} waits for {names}. Its stack is in what it "
            "wrote."
        )

    def _report(self) -> dict[str, Any]:
        """Return where this worker is, as plain data."""
        frame = sys._current_frames().get(self._main)
        lines = traceback.extract_stack(frame) if frame is not None else []
        # Of the user's code or of this package: what they call says less.
        nearest = [line for line in lines if "site-packages" not in line.filename] or lines
        last = nearest[-1] if nearest else None
        return {
            "begun": self.activity.begun,
            "inside": self.activity.is_inside,
            "seconds": self.activity.seconds,
            "doing": self._describe(),
            "line": "" if last is None else f"{last.filename}:{last.lineno}, in {last.name}",
        }

    def _say_stack(self, text: str) -> None:
        log.error("%s. Its threads:", text)
        sys.stderr.flush()
        try:
            faulthandler.dump_traceback()
        except (AttributeError, OSError, ValueError):  # standard error is no file, as in a notebook
            stack = sys._current_frames().get(self._main)
            log.error("%s", "".join(traceback.format_stack(stack)))


def _late(reports: dict[int, dict[str, Any] | None]) -> set[int]:
    """Return the workers that have come least far; those that say nothing before all others."""
    silent = {index for index, report in reports.items() if report is None}
    if silent:
        return silent
    least = min(report["begun"] for report in reports.values() if report)
    return {index for index, report in reports.items() if report and report["begun"] == least}


def _place(report: dict[str, Any] | None) -> str:
    if report is None:
        return "does not say where it is: its process is stopped, or stuck outside Python"
    inside = " inside a step or an exchange" if report["inside"] else ""
    return f"is in {report['doing']}{inside} ({report['line']})"


def _since(report: dict[str, Any]) -> str:
    return f"{report['seconds']:.0f} s"


def _leave() -> NoReturn:
    """End the process though its main thread is stuck, with the code of a lost worker."""
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError, OSError, ValueError):
            stream.flush()
    os._exit(TRY_AGAIN)

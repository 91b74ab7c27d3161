"""WorkerGroup: the worker processes of one attempt, started, watched and ended together."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from lightning_tf.exceptions import TRY_AGAIN

KILL_SECONDS = 10.0  # from SIGTERM to SIGKILL
LOOK_SECONDS = 0.05
LAST_LINES = 15  # of a worker that failed
SHELL_SIGNAL = 128  # and a signal's number: how a shell tells of a process that it ended
LIBC, SET_DEATH_SIGNAL = ctypes.CDLL(None), 1  # loaded here: no import between fork and exec
NOT_LOST = (signal.SIGINT,)  # somebody's wish


@dataclass(frozen=True)
class Outcome:
    """How an attempt ended.

    Attributes:
        code: The exit code of the worker that counts, 128 and the number of a signal that ended it;
            0 where none failed.
        worker: Which one; None where none failed.
    """

    code: int = 0
    worker: int | None = None

    @property
    def is_failure_of_program(self) -> bool:
        """Return whether another attempt would fail alike."""
        return self.code != 0 and not may_try_again(self.code)


class WorkerGroup:
    """Runs a command in several processes at once.

    What they write is printed line by line, with the worker's number in front, and kept in a file
    for each.

    Args:
        command: Program and arguments.
        environments: Of each process, by the worker's number.
        grace_seconds: How long the others may run on once one of them has failed.
        log_dir: Where the files go; None keeps none.

    Example:
        >>> WorkerGroup(["true"], {0: dict(os.environ)}, 60.0, None).run()
        Outcome(code=0, worker=None)
    """

    def __init__(
        self,
        command: Sequence[str],
        environments: Mapping[int, Mapping[str, str]],
        grace_seconds: float,
        log_dir: Path | None,
    ) -> None:
        self.command, self.environments = list(command), environments
        self.grace_seconds, self.log_dir = grace_seconds, log_dir
        self._processes: dict[int, subprocess.Popen[bytes]] = {}
        self._last: dict[int, deque[str]] = {}
        self._cleared: set[int] = set()  # workers of whom nothing runs any more

    def run(self) -> Outcome:
        """Start the processes and wait until all have ended.

        Returns:
            What an error of the program gave, where there is one, else the first failure.
        """
        readers = []
        try:
            for worker, environment in self.environments.items():
                self._processes[worker] = subprocess.Popen(
                    self.command,
                    env=dict(environment),
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,  # Ctrl-C in a terminal comes once, from here
                    preexec_fn=_end_with_launcher,  # before there are readers: forks of one thread
                )
                self._last[worker] = deque(maxlen=LAST_LINES)
            for worker, process in self._processes.items():
                assert process.stdout is not None  # noqa: S101 - it is a pipe
                # A daemon: what left the worker's group may hold the pipe for as long as it likes.
                reader = threading.Thread(
                    target=self._read, args=(worker, process.stdout), daemon=True
                )
                reader.start()
                readers.append(reader)
            return self._wait()
        finally:
            self._kill()  # also where starting one of them fails
            # After the workers' end, so that their last lines are printed before this returns.
            for reader in readers:
                reader.join(KILL_SECONDS)

    def send(self, number: int) -> None:
        """Pass a signal on to every process, and to what it has started."""
        for process in self._processes.values():
            _send(process, number)

    def last_lines(self, worker: int) -> list[str]:
        """Return what a worker wrote last."""
        return list(self._last[worker])

    def log_file(self, worker: int) -> Path | None:
        """Return the file of a worker; None where none is kept."""
        return None if self.log_dir is None else self.log_dir / f"worker_{worker}.log"

    def write_headings(self, text: str) -> None:
        """Write a line to the file of every worker, which tells attempts apart."""
        for worker in self.environments:
            file = self.log_file(worker)
            if file is not None:
                # No reason to start no worker; the reader of its lines says so.
                with suppress(OSError), open(file, "a") as log:
                    log.write(f"lightning-tf launch: worker {worker}, {text}\n")

    def _read(self, worker: int, lines: IO[bytes]) -> None:
        with self._open_log(worker) as log:
            for line in lines:
                text = line.decode(errors="replace").rstrip("\n")
                self._last[worker].append(text)
                # A full disk or a closed terminal must not end this loop: a worker whose pipe
                # nobody reads blocks as soon as it is full, and with it all others.
                with suppress(OSError, ValueError):
                    log.write(line)
                with suppress(OSError, ValueError):
                    print(f"[{worker}] {text}\n", end="", flush=True)  # whole, of many threads
        lines.close()

    def _open_log(self, worker: int) -> IO[bytes]:
        file = self.log_file(worker)
        try:
            # Without a buffer: what a killed launcher has seen stands there.
            return open(os.devnull if file is None else file, "ab", buffering=0)
        except OSError as error:
            with suppress(OSError, ValueError):
                say(f"worker {worker} has no log: {file} cannot be written ({error.strerror})")
            return open(os.devnull, "ab", buffering=0)

    def _wait(self) -> Outcome:
        failed: dict[int, int] = {}  # in the order of their ends
        deadline = None
        while any(process.poll() is None for process in self._processes.values()):
            self._note_failures(failed)
            if failed and deadline is None:
                deadline = time.monotonic() + self.grace_seconds
            elif deadline is not None and time.monotonic() > deadline:
                still = [i for i, p in self._processes.items() if p.poll() is None]
                say(f"workers {still} did not end by themselves and are killed")
                return _judge(failed)  # without the codes of those that are killed
            time.sleep(LOOK_SECONDS)

        self._note_failures(failed)
        return _judge(failed)

    def _note_failures(self, failed: dict[int, int]) -> None:
        for worker, process in self._processes.items():
            code = process.poll()
            if code is not None:
                self._clear(worker)
            if not code or worker in failed:
                continue
            if not failed:  # what follows is most often its consequence
                say(f"worker {worker} ended with {_describe(code)}")
            failed[worker] = SHELL_SIGNAL - code if code < 0 else code

    def _kill(self) -> None:
        """End what still runs, with all that it started."""
        running = [process for process in self._processes.values() if process.poll() is None]
        for process in running:
            _send(process, signal.SIGTERM)

        # One deadline for all of them: N workers do not wait N times.
        deadline = time.monotonic() + KILL_SECONDS
        for process in running:
            try:
                process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                _send(process, signal.SIGKILL)
                process.wait()
        for worker in self._processes:
            self._clear(worker)

    def _clear(self, worker: int) -> None:
        """Kill what a worker that has ended leaves behind, such as its data processes.

        It would take part of the machine from the next attempt, and hold the pipe open. Once for
        each worker, as soon as its end is seen: when the group is empty too, the system may give
        its number to a process of somebody else.
        """
        if worker in self._cleared:
            return
        self._cleared.add(worker)
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._processes[worker].pid, signal.SIGKILL)


def _end_with_launcher() -> None:
    """Let Linux send this process SIGTERM where the launcher dies; kill -9 leaves it no last word.

    Elsewhere the workers end when they next write to its closed pipe.
    """
    if hasattr(LIBC, "prctl"):
        LIBC.prctl(SET_DEATH_SIGNAL, signal.SIGTERM)


def may_try_again(code: int) -> bool:
    """Return whether an exit code says that the program may be started again.

    It is `TRY_AGAIN`, or 128 and the number of a signal: a process that was killed or crashed.

    Args:
        code: As a shell has it.
    """
    is_lost = code - SHELL_SIGNAL in {int(s) for s in signal.Signals} - set(map(int, NOT_LOST))
    return code == TRY_AGAIN or is_lost


def say(text: str) -> None:
    """Print a line of the launcher's own."""
    print(f"lightning-tf launch: {text}\n", end="", file=sys.stderr, flush=True)


def _judge(failed: Mapping[int, int]) -> Outcome:
    """Return the first error of the program, else the first failure.

    Where one worker fails the others lose it, and may end before it has.
    """
    outcomes = [Outcome(code, worker) for worker, code in failed.items()]
    of_program = [outcome for outcome in outcomes if outcome.is_failure_of_program]
    return next(iter([*of_program, *outcomes]), Outcome())


def _send(process: subprocess.Popen[bytes], number: int) -> None:
    if process.poll() is not None:
        return
    with suppress(ProcessLookupError):
        # Its own group: what a worker started ends with it.
        os.killpg(process.pid, number)


def _describe(code: int) -> str:
    return signal.Signals(-code).name if code < 0 else f"exit code {code}"

"""Launcher: several worker processes of one script, started, watched and started again together."""

import os
import signal
import socket
import sys
import threading
import uuid
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from lightning_tf.cli.nodes import SINGLE_NODE, Meeting, Nodes
from lightning_tf.cli.worker_group import Outcome, WorkerGroup, may_try_again, say
from lightning_tf.distribute.cluster import Cluster
from lightning_tf.distribute.visible_devices import OWN, VISIBLE, shares_of_gpus
from lightning_tf.exceptions import TRY_AGAIN, ConfigurationError
from lightning_tf.run.launched_fit import LAUNCH, RESTART

MOST_SHOWN = 3  # workers beside the one whose code counts
FORWARDED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1)
GRACE_SECONDS = 60.0  # for the others to notice that a worker is gone, say so and end
FIRST_DELAY, LONGEST_DELAY = 1.0, 60.0  # seconds before a restart, twice as long each time


class Launcher:
    """Runs a script in several processes that find each other through ``TF_CONFIG``.

    What they write is printed line by line, with the worker's number in front. SIGTERM, SIGINT,
    SIGHUP and SIGUSR1 are passed on to all of them. Where one ends badly the others get
    `grace_seconds` to end by themselves, with an error of their own, before they are killed.

    Where that was no error of the program (a worker was killed, or asks for it by `TRY_AGAIN`), all
    are started again, up to `max_restarts` times: a fit then goes on from the newest checkpoint
    that the same fit has written under this launcher.

    Args:
        command: Program and arguments; a first word that ends in ``.py`` is run by this Python.
        workers: How many processes, on this machine.
        gpus_per_worker: Show each worker so many GPUs of its own, of those that
            ``CUDA_VISIBLE_DEVICES`` shows; None splits what it shows equally, and leaves all where
            it is not set.
        grace_seconds: See above.
        max_restarts: See above.
        log_dir: A folder for ``worker_0.log`` and so on, to which every attempt adds; None keeps
            none.
        nodes: The machines that take part, each with a launcher of its own.

    Raises:
        ConfigurationError: ``CUDA_VISIBLE_DEVICES`` shows fewer GPUs than are asked for, or the
            folder cannot be made.

    Example:
        >>> Launcher(["train.py", "--epochs", "3"], workers=2, max_restarts=3).run()
    """

    def __init__(
        self,
        command: Sequence[str],
        workers: int,
        *,
        gpus_per_worker: int | None = None,
        grace_seconds: float = GRACE_SECONDS,
        max_restarts: int = 0,
        log_dir: Path | None = None,
        nodes: Nodes = SINGLE_NODE,
    ) -> None:
        is_script = command[0].endswith(".py")
        self.command = [sys.executable, "-u", *command] if is_script else list(command)
        self.workers, self.nodes = workers, nodes
        self.grace_seconds, self.max_restarts = grace_seconds, max_restarts
        self.log_dir = log_dir
        self._shares = shares_of_gpus(workers, gpus_per_worker, os.environ)
        self._launch = uuid.uuid4().hex  # no other launch's checkpoints are taken up
        self._group: WorkerGroup | None = None
        self._stopped = threading.Event()
        if log_dir is not None:
            _make_folder(log_dir)

    def run(self) -> int:
        """Start the workers and wait for all of them, in as many attempts as are needed.

        Returns:
            The exit code of the worker that failed first, 128 plus the number of a signal that
            ended it; 0 where none failed. An error of the program goes before what it led to.

        Raises:
            ConfigurationError: The machines do not fit together.
        """
        with self._forwarding(), self.nodes.open(self._stopped, self.max_restarts):
            meeting = self.nodes.meet(Outcome(), self.workers)
            while meeting.again:
                outcome = self._attempt(meeting)
                if self.max_restarts:
                    self._wait_before(meeting.attempt + 1, outcome)
                if not self.max_restarts or self._stopped.is_set():
                    return self._end(outcome)

                # Every machine tells how its workers ended, and all do the same.
                meeting = self.nodes.meet(outcome, self.workers)
                if not meeting.again:
                    return self._end(outcome, meeting)
            return meeting.code  # not all machines came

    def _attempt(self, meeting: Meeting) -> Outcome:
        if meeting.attempt:
            say(f"restart {meeting.attempt} of {self.max_restarts}")
        environments = dict(self._environments(meeting))
        self._group = WorkerGroup(self.command, environments, self.grace_seconds, self.log_dir)
        self._group.write_headings(f"attempt {meeting.attempt + 1}: {' '.join(self.command)}")
        return self._group.run()

    def _environments(self, meeting: Meeting) -> Iterator[tuple[int, dict[str, str]]]:
        addresses = tuple(self.nodes.addresses(meeting, self.workers, free_ports))
        first = self.nodes.rank * self.workers
        for index, share in enumerate(self._shares, first):
            environment = {**os.environ, "TF_CONFIG": Cluster(addresses, index).tf_config()}
            if self.max_restarts:
                environment |= {LAUNCH: self._launch, RESTART: str(meeting.attempt)}
            if self.nodes.count > 1:
                say(f"worker {index} of {len(addresses)}: {addresses[index]}")
            environment[OWN] = "0" if share is None else "1"
            if share is not None:
                say(f"worker {index}: {VISIBLE}={share}")
                environment[VISIBLE] = share
            yield index, environment

    def _wait_before(self, attempt: int, outcome: Outcome) -> None:
        if attempt > self.max_restarts or not may_try_again(outcome.code):
            return
        seconds = min(LONGEST_DELAY, FIRST_DELAY * 2.0 ** (attempt - 1))
        say(f"all workers start again in {seconds:g} s")
        self._stopped.wait(seconds)

    def _end(self, outcome: Outcome, meeting: Meeting | None = None) -> int:
        """Show what workers wrote last, and return the exit code."""
        if outcome.worker is not None and self._group is not None:
            # Of workers that lose each other the first that leaves is not the one at fault.
            shown = [outcome.worker]
            if outcome.code == TRY_AGAIN:
                shown += [w for w in self._group.environments if w != outcome.worker][:MOST_SHOWN]
            for worker in shown:
                self._show_last_lines(self._group, worker)
            may_again = all(may_try_again(ended.code) for ended in (outcome, meeting or outcome))
            if may_again and self.max_restarts and not self._stopped.is_set():
                say(f"no restart is left of {self.max_restarts}")
            sys.stderr.flush()
        if meeting is None or outcome.is_failure_of_program:
            return outcome.code
        return meeting.code or outcome.code  # workers that lost those of a machine with an error

    def _show_last_lines(self, group: WorkerGroup, worker: int) -> None:
        file = group.log_file(worker)
        where = "" if file is None else f" ({file} has all)"
        # Without restarts or files it has just been printed, among the lines of the others.
        say(f"worker {worker} wrote last{where}:")
        for line in group.last_lines(worker):
            print(f"  {line}", file=sys.stderr)

    @contextmanager
    def _forwarding(self) -> Iterator[None]:
        before: dict[signal.Signals, Any] = {}

        def forward(number: int, frame: FrameType | None) -> None:
            self._stopped.set()  # whoever ends the launcher wants no restart
            if self._group is not None:
                self._group.send(number)

        try:
            for number in FORWARDED:
                before[number] = signal.signal(number, forward)
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def new_log_folder(parent: Path = Path("launch_logs")) -> Path:
    """Return a folder that is not there yet: ``launch_logs/launch_0`` and so on."""
    number = 0
    while (parent / f"launch_{number}").exists():
        number += 1
    return parent / f"launch_{number}"


def free_ports(count: int) -> list[int]:
    """Return ports that nobody listens on now.

    Args:
        count: How many.
    """
    with ExitStack() as stack:  # all open at once, so that they differ
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for opened in sockets:
            opened.bind(("127.0.0.1", 0))
        return [int(opened.getsockname()[1]) for opened in sockets]


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(
            f"--log-dir {folder}: the workers' logs cannot be written there ({error.strerror}); "
            "give another folder."
        ) from error

"""Launcher: several local worker processes of one script, started, watched and ended together."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from types import FrameType
from typing import IO, Any

from lightning_tf.distribute.cluster import Cluster
from lightning_tf.distribute.visible_devices import OWN, VISIBLE, shares_of_gpus

FORWARDED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1)
GRACE_SECONDS = 60.0  # for the others to notice that a worker is gone, say so and end
KILL_SECONDS = 10.0  # from SIGTERM to SIGKILL
LOOK_SECONDS = 0.05


class Launcher:
    """Runs a script in several processes that find each other through ``TF_CONFIG``.

    What they write is printed line by line, with the worker's number in front. SIGTERM, SIGINT,
    SIGHUP and SIGUSR1 are passed on to all of them. Where one ends badly the others get
    `grace_seconds` to end by themselves, with an error of their own, before they are killed.

    Args:
        command: Program and arguments; a first word that ends in ``.py`` is run by this Python.
        workers: How many processes.
        gpus_per_worker: Show each worker so many GPUs of its own, of those that
            ``CUDA_VISIBLE_DEVICES`` shows; None splits what it shows equally, and leaves all where
            it is not set.
        grace_seconds: See above.

    Raises:
        ConfigurationError: ``CUDA_VISIBLE_DEVICES`` shows fewer GPUs than are asked for.

    Example:
        >>> Launcher(["train.py", "--epochs", "3"], workers=2).run()
    """

    def __init__(
        self,
        command: Sequence[str],
        workers: int,
        *,
        gpus_per_worker: int | None = None,
        grace_seconds: float = GRACE_SECONDS,
    ) -> None:
        is_script = command[0].endswith(".py")
        self.command = [sys.executable, "-u", *command] if is_script else list(command)
        self.workers = workers
        self.grace_seconds = grace_seconds
        self._shares = shares_of_gpus(workers, gpus_per_worker, os.environ)
        self._processes: list[subprocess.Popen[bytes]] = []
        self._printing = threading.Lock()

    def run(self) -> int:
        """Start the workers and wait for all of them.

        Returns:
            The exit code of the worker that failed first, 128 plus the number of a signal that
            ended it; 0 where none failed.
        """
        with self._forwarding(), ExitStack() as stack:
            stack.callback(self._kill)  # also where starting one of them fails

            readers = []
            for index, environment in enumerate(self._environments()):
                process = subprocess.Popen(
                    self.command,
                    env=environment,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,  # Ctrl-C in a terminal comes once, from here
                )
                self._processes.append(process)
                assert process.stdout is not None  # noqa: S101 - it is a pipe
                reader = threading.Thread(target=self._print, args=(index, process.stdout))
                reader.start()
                readers.append(reader)

            code = self._wait()
            self._kill()
            # After the workers' end, so that their last lines are printed before this returns.
            for reader in readers:
                reader.join(KILL_SECONDS)
        return code

    def _environments(self) -> Iterator[dict[str, str]]:
        addresses = tuple(f"127.0.0.1:{port}" for port in free_ports(self.workers))
        for index, share in enumerate(self._shares):
            environment = {**os.environ, "TF_CONFIG": Cluster(addresses, index).tf_config()}
            if share is not None:
                self._say(f"worker {index}: {VISIBLE}={share}")
                environment |= {VISIBLE: share, OWN: "1"}
            yield environment

    def _print(self, index: int, lines: IO[bytes]) -> None:
        for line in lines:
            text = line.decode(errors="replace").rstrip("\n")
            with self._printing:
                print(f"[{index}] {text}", flush=True)
        lines.close()

    def _wait(self) -> int:
        code, deadline = 0, None
        while any(process.poll() is None for process in self._processes):
            if deadline is None:
                code = self._failure()  # of the first that failed; what follows is its consequence
                deadline = time.monotonic() + self.grace_seconds if code else None
            elif time.monotonic() > deadline:
                still = [i for i, p in enumerate(self._processes) if p.poll() is None]
                self._say(f"workers {still} did not end by themselves and are killed")
                break
            time.sleep(LOOK_SECONDS)
        return code or self._failure()

    def _failure(self) -> int:
        """Return the exit code of a worker that failed; 0 where none has."""
        for index, process in enumerate(self._processes):
            code = process.poll()
            if code:
                self._say(f"worker {index} ended with {_describe(code)}")
                return 128 - code if code < 0 else code
        return 0

    def _say(self, text: str) -> None:
        with self._printing:
            print(f"lightning-tf launch: {text}", file=sys.stderr, flush=True)

    def _kill(self) -> None:
        """End what still runs, with all that it started."""
        running = [process for process in self._processes if process.poll() is None]
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

    @contextmanager
    def _forwarding(self) -> Iterator[None]:
        before: dict[signal.Signals, Any] = {}

        def forward(number: int, frame: FrameType | None) -> None:
            for process in self._processes:
                _send(process, number)

        try:
            for number in FORWARDED:
                before[number] = signal.signal(number, forward)
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


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


def _send(process: subprocess.Popen[bytes], number: int) -> None:
    if process.poll() is not None:
        return
    with suppress(ProcessLookupError):
        # Its own group: what a worker started ends with it.
        os.killpg(process.pid, number)


def _describe(code: int) -> str:
    return signal.Signals(-code).name if code < 0 else f"exit code {code}"

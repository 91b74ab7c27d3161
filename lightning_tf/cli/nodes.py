"""Nodes: the machines of a launch without a scheduler, and how their launchers agree."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from lightning_tf.cli.worker_group import Outcome, may_try_again, say
from lightning_tf.exceptions import TRY_AGAIN, ConfigurationError

MEET_SECONDS = 600.0  # for the other machines to come, also after a restart of one of them
LOOK_SECONDS = 0.5
MESSAGE_BYTES = 2**16


@dataclass(frozen=True)
class Meeting:
    """What the launchers of all machines agreed on.

    Attributes:
        attempt: Restarts so far.
        again: Whether the workers start, or start again.
        code: Where they do not, the exit code of all.
        hosts: Of each machine, as the others reach it.
    """

    attempt: int = 0
    again: bool = True
    code: int = 0
    hosts: tuple[str, ...] = ()


@dataclass
class Nodes:
    """The machines of a launch, each of which runs a launcher with a rank of its own.

    They meet at the coordinator, which is the launcher of rank 0, before every attempt: it tells
    each where the others are, and whether there is another attempt. The network must be trusted,
    as TensorFlow's own connections need it too.

    Args:
        count: How many.
        rank: Which one this is.
        coordinator: ``host:port`` where the launcher of rank 0 listens, as all reach it by IPv4;
            worker i listens at port + 1 + i of its machine.
        seconds: How long to wait for the others.

    Raises:
        ConfigurationError: They do not fit together.

    Example:
        >>> Nodes(2, 1, "10.0.0.1:29500").rank
        1
    """

    count: int = 1
    rank: int = 0
    coordinator: str | None = None
    seconds: float = MEET_SECONDS
    _attempt: int = field(default=-1, init=False)  # before the first
    _max_restarts: int = field(default=0, init=False)
    _server: socket.socket | None = field(default=None, init=False)
    _stopped: threading.Event = field(default_factory=threading.Event, init=False)

    def __post_init__(self) -> None:
        """Check the arguments."""
        if self.count < 1 or not 0 <= self.rank < self.count:
            raise ConfigurationError(
                f"--nodes {self.count} --node-rank {self.rank}: ranks count from 0 to nodes - 1."
            )
        if self.count > 1 and self.coordinator is None:
            raise ConfigurationError(
                f"--nodes {self.count} needs --coordinator HOST:PORT, the machine of rank 0."
            )
        if self.coordinator is not None:
            _host_and_port(self.coordinator)

    @contextmanager
    def open(self, stopped: threading.Event, max_restarts: int) -> Iterator[None]:
        """Listen inside the block, where this is the coordinator.

        Args:
            stopped: Ends every wait.
            max_restarts: How often all may start again.
        """
        self._attempt, self._max_restarts, self._stopped = -1, max_restarts, stopped
        with ExitStack() as stack:
            if self.count > 1 and self.rank == 0:
                port = self._address[1]
                try:
                    self._server = stack.enter_context(socket.create_server(("", port)))
                except OSError as error:
                    raise ConfigurationError(
                        f"--coordinator {self.coordinator}: port {port} cannot be listened at here "
                        f"({error.strerror}); give another one to all machines."
                    ) from error
                self._server.settimeout(LOOK_SECONDS)
            yield

    def meet(self, outcome: Outcome, workers: int) -> Meeting:
        """Wait for the launchers of all machines, and agree on what they do next.

        Args:
            outcome: How this machine's workers ended; before the first attempt nothing failed.
            workers: How many there are on this machine.

        Returns:
            Whether to start; where a machine did not come in time, the end with `TRY_AGAIN`.

        Raises:
            ConfigurationError: The launchers were not started with the same options.
        """
        local = {
            "rank": self.rank,
            "nodes": self.count,
            "workers": workers,
            "max_restarts": self._max_restarts,
            "code": outcome.code,
        }
        if self.count == 1:
            return self._decide([local], ())
        return self._gather(local) if self.rank == 0 else self._ask(local)

    def addresses(
        self, meeting: Meeting, workers: int, free_ports: Callable[[int], list[int]]
    ) -> list[str]:
        """Return ``host:port`` of every worker of all machines, in their order.

        Args:
            meeting: Tells where the machines are.
            workers: How many there are on each.
            free_ports: Gives ports, where this machine is the only one.
        """
        if self.count == 1:
            return [f"127.0.0.1:{port}" for port in free_ports(workers)]
        first = self._address[1] + 1
        hosts = [host for host in meeting.hosts for _ in range(workers)]
        return [f"{host}:{first + index}" for index, host in enumerate(hosts)]

    @property
    def _address(self) -> tuple[str, int]:
        return _host_and_port(str(self.coordinator))

    def _decide(self, messages: Sequence[dict[str, Any]], hosts: tuple[str, ...]) -> Meeting:
        """Decide for all: the coordinator alone counts the attempts."""
        failures = [each["code"] for each in messages if each["code"]]
        of_program = [code for code in failures if not may_try_again(code)]
        is_first, is_last = self._attempt < 0, self._attempt >= self._max_restarts
        if not is_first and (not failures or of_program or is_last):
            return Meeting(self._attempt, False, next(iter([*of_program, *failures]), 0), hosts)
        self._attempt += 1
        return Meeting(self._attempt, True, 0, hosts)

    def _gather(self, local: dict[str, Any]) -> Meeting:
        """Wait for the other launchers, decide, and tell them."""
        host, port = self._address
        say(f"node 0 of {self.count} waits for the others at port {port}")
        messages, hosts = {0: local}, {0: host}
        deadline = time.monotonic() + self.seconds

        with ExitStack() as stack:
            connections: dict[int, socket.socket] = {}
            while len(messages) < self.count:
                if self._is_over(deadline):
                    missing = sorted(set(range(self.count)) - set(messages))
                    return self._give_up(f"nodes {missing} did not come")
                assert self._server is not None  # noqa: S101 - `open` made it
                try:
                    connection, _ = self._server.accept()
                except TimeoutError:
                    continue

                stack.enter_context(connection)
                connection.settimeout(10 * LOOK_SECONDS)
                try:
                    message = _receive(connection)
                    problem = _mismatch(local, message)
                except (OSError, ValueError, KeyError, TypeError):
                    continue  # whoever it was, it is no launcher
                if problem:
                    # Those that came before would look for this coordinator until their time ends.
                    for refused in (connection, *connections.values()):
                        with suppress(OSError):
                            _send(refused, {"problem": problem})
                    raise ConfigurationError(problem)
                rank = message["rank"]
                messages[rank], connections[rank] = message, connection  # of two the newer one
                hosts[rank] = _host_of(connection, host)

            meeting = self._decide(
                [messages[rank] for rank in range(self.count)],
                tuple(hosts[rank] for rank in range(self.count)),
            )
            for connection in connections.values():
                try:
                    _send(connection, vars(meeting))
                except OSError:
                    continue  # its launcher is gone; its workers will be missed
        return meeting

    def _ask(self, local: dict[str, Any]) -> Meeting:
        """Tell the coordinator, and wait for what it decides."""
        say(f"node {self.rank} of {self.count} waits for the others, at {self.coordinator}")
        deadline = time.monotonic() + self.seconds
        while not self._is_over(deadline):
            try:
                with socket.create_connection(self._address, 10 * LOOK_SECONDS) as connection:
                    _send(connection, local)
                    reply = self._reply(connection, deadline)
            except (OSError, ValueError):
                self._stopped.wait(LOOK_SECONDS)
                continue
            if reply is None:
                break
            if "problem" in reply:
                raise ConfigurationError(reply["problem"])
            return Meeting(**{**reply, "hosts": tuple(reply["hosts"])})
        return self._give_up(f"the coordinator {self.coordinator} did not answer")

    def _reply(self, connection: socket.socket, deadline: float) -> dict[str, Any] | None:
        connection.settimeout(LOOK_SECONDS)
        text = b""
        while not self._is_over(deadline):
            try:
                piece = connection.recv(MESSAGE_BYTES)
            except TimeoutError:
                continue
            text += piece
            if text.endswith(b"\n"):
                reply: dict[str, Any] = json.loads(text)
                return reply
            if not piece:
                raise ConnectionError("the coordinator is gone")
        return None

    def _is_over(self, deadline: float) -> bool:
        return self._stopped.is_set() or time.monotonic() > deadline

    def _give_up(self, reason: str) -> Meeting:
        if not self._stopped.is_set():
            say(f"{reason} within {self.seconds:g} s")
        return Meeting(max(0, self._attempt), False, TRY_AGAIN)


def _host_and_port(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) < 2**16:
        raise ConfigurationError(f"--coordinator {text}: give HOST:PORT, such as 10.0.0.1:29500.")
    return host, int(port)


def _host_of(connection: socket.socket, coordinator: str) -> str:
    """Return a machine's address; of the coordinator's own the name that all were given."""
    there, here = connection.getpeername()[0], connection.getsockname()[0]
    return coordinator if there == here else str(there)


def _mismatch(local: dict[str, Any], other: dict[str, Any]) -> str:
    names = {"nodes": "--nodes", "workers": "--workers", "max_restarts": "--max-restarts"}
    for name, option in names.items():
        if local[name] != other[name]:
            return (
                f"node {other['rank']} was started with {option} {other[name]} and node 0 with "
                f"{local[name]}: give all launchers the same."
            )
    if not 0 < int(other["rank"]) < int(local["nodes"]):
        return f"--node-rank {other['rank']} was given twice, or is none of {local['nodes']} nodes."
    return ""


def _send(connection: socket.socket, message: dict[str, Any]) -> None:
    connection.sendall(json.dumps(message).encode() + b"\n")


def _receive(connection: socket.socket) -> dict[str, Any]:
    text = b""
    while not text.endswith(b"\n") and len(text) < MESSAGE_BYTES:
        piece = connection.recv(MESSAGE_BYTES)
        if not piece:
            break
        text += piece
    message: dict[str, Any] = json.loads(text)
    return message


SINGLE_NODE = Nodes()
"""This machine alone."""

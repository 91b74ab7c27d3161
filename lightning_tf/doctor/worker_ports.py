"""WorkerPorts: whether workers reach each other, asked by all of them at the same time."""

from __future__ import annotations

import errno
import os
import re
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress

from lightning_tf.doctor.finding import Finding, ok, problem, warning
from lightning_tf.exceptions import ConfigurationError

GREETING = re.compile(rb"lightning-tf doctor ([\d,]+)\n")
CONNECT_SECONDS, PAUSE_SECONDS = 3.0, 0.2
ADDRESS = re.compile(r"\[?(?P<host>[^\s\[\],]+?)\]?:(?P<port>\d{1,5})")


def parse_workers(text: str) -> tuple[str, ...]:
    """Return the addresses of ``host:port,host:port``.

    Raises:
        ConfigurationError: One is none.

    Example:
        >>> parse_workers("node1:2222,node2:2222")
        ('node1:2222', 'node2:2222')
    """
    addresses = tuple(part.strip() for part in text.split(",") if part.strip())
    for address in addresses or (text,):
        match = ADDRESS.fullmatch(address)
        if match is None or not 0 < int(match["port"]) < 2**16:
            raise ConfigurationError(
                f"--workers {text}: {address!r} is no address; give host:port,host:port."
            )
    if len(set(addresses)) < len(addresses):
        raise ConfigurationError(f"--workers {text} names a worker twice; give each once.")
    return addresses


class WorkerPorts:
    """Listens on this machine's ports, and connects to those of the others.

    A worker greets whom it reaches with its own numbers, so each knows who has reached it. It ends
    when it has reached all and been reached by all, or when the time is over.

    Args:
        addresses: ``host:port`` of all workers.
        seconds: To wait for the others.
        index: Which of them this is; None tries which of them it can listen on.
    """

    def __init__(self, addresses: Sequence[str], seconds: float, index: int | None = None) -> None:
        self.addresses, self.seconds, self.index = tuple(addresses), seconds, index
        self._listeners: dict[int, socket.socket] = {}
        self._refused: dict[int, str] = {}  # own ports that cannot be listened on
        self._heard: set[int] = set()
        self._reached: set[int] = set()
        self._why: dict[int, str] = {}

    def findings(self) -> Iterator[Finding]:
        """Ask, and yield a finding for each worker."""
        with ExitStack() as stack:
            self._listen(stack)
            if self._listeners:
                self._ask()
        yield from self._own()
        for number in self._others():
            yield self._other(number)

    def _others(self) -> list[int]:
        numbers = range(len(self.addresses))
        return [n for n in numbers if n not in self._listeners and n not in self._refused]

    def _listen(self, stack: ExitStack) -> None:
        local = range(len(self.addresses)) if self.index is None else (self.index,)
        for number in local:
            try:
                listener = _listener(self.addresses[number])
            except OSError as error:
                if error.errno == errno.EADDRINUSE and self.index is not None:
                    self._refused[number] = "another process has this port"
                elif error.errno == errno.EACCES or self.index is not None:
                    self._refused[number] = error.strerror or str(error)
                continue  # of another machine, or of another doctor on this one, which answers
            self._listeners[number] = stack.enter_context(listener)

    def _ask(self) -> None:
        deadline, is_over = time.monotonic() + self.seconds, threading.Event()
        # In threads: two that reach for each other would wait for each other's answer.
        threads = [
            threading.Thread(target=self._answer_all, args=(listener, is_over), daemon=True)
            for listener in self._listeners.values()
        ]
        for thread in threads:
            thread.start()

        others = set(self._others())
        while not others <= self._reached & self._heard and time.monotonic() < deadline:
            for number in sorted(others - self._reached):
                self._reach(number)
            time.sleep(PAUSE_SECONDS)
        is_over.set()
        for thread in threads:
            thread.join()

    def _answer_all(self, listener: socket.socket, is_over: threading.Event) -> None:
        listener.settimeout(PAUSE_SECONDS)
        while not is_over.is_set():
            self._answer(listener)

    def _reach(self, number: int) -> None:
        try:
            with socket.create_connection(_pair(self.addresses[number]), CONNECT_SECONDS) as other:
                other.sendall(self._greeting())
                greeted = GREETING.fullmatch(_line(other))
        except OSError as error:
            self._why[number] = error.strerror or str(error)
            return
        if greeted and number in _numbers(greeted):
            self._reached.add(number)
        else:
            self._why[number] = "something else than a doctor of these workers answers"

    def _answer(self, listener: socket.socket) -> None:
        with suppress(OSError):
            connection, _ = listener.accept()
            with connection:
                connection.settimeout(CONNECT_SECONDS)
                connection.sendall(self._greeting())
                greeted = GREETING.fullmatch(_line(connection))
                if greeted:
                    self._heard |= _numbers(greeted)

    def _greeting(self) -> bytes:
        return f"lightning-tf doctor {','.join(map(str, self._listeners))}\n".encode()

    def _own(self) -> Iterator[Finding]:
        for number in sorted(self._listeners):
            yield ok("ports", f"worker {number} ({self.addresses[number]}): this machine listens")
        for number, why in self._refused.items():
            text = f"worker {number} ({self.addresses[number]}): cannot listen: {why}"
            yield problem("ports", text, "choose another port for it, from 1024 on")
        if not self._listeners and not self._refused:
            text = f"none of {', '.join(self.addresses)} is a free address of {os.uname().nodename}"
            remedy = "name this machine as the others reach it, with a port that is free"
            yield problem("ports", text, remedy)

    def _other(self, number: int) -> Finding:
        what = f"worker {number} ({self.addresses[number]})"
        if number in self._reached & self._heard:
            return ok("ports", f"{what}: reached, and has reached this one")
        if number in self._reached:
            remedy = "open the ports of this machine to it: its firewall, or the host that it names"
            return problem("ports", f"{what}: reached, but did not reach this one", remedy)
        if not self._listeners:
            return warning("ports", f"{what}: not asked", "see the line above")
        why = self._why.get(number, "no answer")
        remedy = (
            "run the same command there within "
            f"{self.seconds:.0f} s; refused: nobody listens; timed out: a firewall, or a wrong host"
        )
        return problem("ports", f"{what}: not reached ({why})", remedy)


def _pair(address: str) -> tuple[str, int]:
    match = ADDRESS.fullmatch(address)
    if match is None:
        raise OSError(errno.EINVAL, f"{address} is no host:port")
    return match["host"], int(match["port"])


def _listener(address: str) -> socket.socket:
    host, port = _pair(address)
    family, _, _, _, where = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(where)
        listener.listen()
    except OSError:
        listener.close()
        raise
    return listener


def _line(connection: socket.socket) -> bytes:
    """Return what somebody sends until a line ends, at most 200 bytes."""
    line = b""
    while not line.endswith(b"\n") and len(line) < 200:
        more = connection.recv(200 - len(line))
        if not more:
            break
        line += more
    return line


def _numbers(greeted: re.Match[bytes]) -> set[int]:
    return {int(number) for number in greeted[1].split(b",") if number}

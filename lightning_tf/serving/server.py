"""run_server: answers requests until the process is asked to end."""

import asyncio
import signal
import socket
from collections.abc import Callable
from typing import Any

from lightning_tf.exceptions import ConfigurationError

WAITING = 512  # connections; what comes then is told to come again
TO_FINISH = 10  # seconds that requests get at the end
LOCAL = ("127.0.0.1", "::1", "localhost")


def bound_socket(host: str, port: int) -> socket.socket:
    """Return a socket that nobody is answered on yet, so that a port that is taken is told first.

    Args:
        host: A name or an address.
        port: 0 takes a free one.

    Raises:
        ConfigurationError: The address is none of this machine's, or taken.

    Example:
        >>> with bound_socket("127.0.0.1", 0) as free:
        ...     free.getsockname()[1] > 0
        True
    """
    if not 0 <= port <= 65535:
        raise ConfigurationError(f"--port {port}: give one from 0 (any that is free) to 65535.")
    try:
        family, kind, number, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        bound = socket.socket(family, kind, number)
    except (OSError, UnicodeError) as error:
        raise ConfigurationError(f"--host {host}: {error}; give 127.0.0.1.") from error
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
    except OSError as error:
        bound.close()
        raise ConfigurationError(
            f"--host {host} --port {port}: {error.strerror}; give another --port, or 0 for any."
        ) from error
    return bound


def run_server(app: Any, bound: socket.socket, say: Callable[[str], None]) -> None:
    """Answer requests until SIGINT or SIGTERM; those that are being answered are finished.

    Args:
        app: Of `serving_app`.
        bound: Of `bound_socket`.
        say: Gets the address, once requests are answered.

    Raises:
        ConfigurationError: The server could not start.
    """
    import uvicorn

    class Server(uvicorn.Server):
        async def startup(self, sockets: Any = None) -> None:
            await super().startup(sockets)
            if self.started:
                say(_url(bound))

    config = uvicorn.Config(
        app,
        access_log=False,
        http="h11",
        limit_concurrency=WAITING,
        log_level="warning",
        loop="asyncio",
        server_header=False,
        timeout_graceful_shutdown=TO_FINISH,
        ws="none",
    )
    server = Server(config)
    # uvicorn raises its signals again when it has ended, for handlers that stood before: here the
    # end is what was asked for.
    before = {number: signal.signal(number, _nothing) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        asyncio.run(server.serve(sockets=[bound]))
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        bound.close()
    if not server.started:
        raise ConfigurationError("the server could not start; what it printed says why.")


def is_local(host: str) -> bool:
    """Return whether other machines cannot reach an address."""
    return host in LOCAL or host.startswith("127.")


def _url(bound: socket.socket) -> str:
    host, port = bound.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _nothing(*_: Any) -> None:
    """Take a signal that was obeyed already."""

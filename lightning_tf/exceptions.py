"""The few exceptions of the package; each message names the thing, the value and the remedy."""

import difflib
from collections.abc import Iterable

TRY_AGAIN = 143
"""Exit code of a program that did not fail: started again it goes on; 128 and SIGTERM."""


class LightningTFError(Exception):
    """Base of every error that the package raises on purpose."""


class ConfigurationError(LightningTFError, ValueError):
    """An argument, a name or a combination of them cannot work; raised before training starts."""


class UnknownArgumentError(ConfigurationError, TypeError):
    """A function was called with an argument that it does not have; says what to write."""


class DataError(LightningTFError, ValueError):
    """The data are empty, broken, or do not have the shape, dtype or labels that a task needs."""


class CheckpointError(LightningTFError, RuntimeError):
    """A checkpoint is missing, damaged, or does not fit the task."""


class NonFiniteLossError(LightningTFError, FloatingPointError):
    """A training loss became NaN or infinite; the message says at which step."""


class WorkerLostError(LightningTFError, ConnectionError):
    """Another worker of the run is gone, so that this one cannot go on; the message names it.

    A program that does not catch it exits with `TRY_AGAIN`.
    """


class TerminationRequested(SystemExit):
    """The process was asked to end (SIGTERM); the exit code is `TRY_AGAIN` unless it is caught.

    Args:
        signal: The name of what asked.

    Attributes:
        is_told: Whether the user was told already.
    """

    def __init__(self, signal: str = "SIGTERM") -> None:
        super().__init__(TRY_AGAIN)
        self.signal = signal
        self.is_told = False


def nearest(name: object, known: Iterable[object]) -> str:
    """Finish an error message about an unknown name with the nearest and all known ones.

    Args:
        name: What the user wrote.
        known: The names that would have worked.

    Returns:
        A sentence such as ``" Did you mean 'relu'? Known: relu, tanh."``.

    Example:
        >>> nearest("rleu", ["relu", "tanh"])
        " Did you mean 'relu'? Known: relu, tanh."
    """
    names = sorted(str(item) for item in known)
    close = difflib.get_close_matches(str(name), names, n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    return f"{hint} Known: {', '.join(names) or 'none'}."

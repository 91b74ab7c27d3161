"""Screen: what the package says reaches the screen where nobody has set up logging."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from lightning_tf.notebook import in_notebook

SILENT_ON_OTHERS = logging.WARNING  # workers but the first say this and worse


class PackageLogger(logging.Logger):
    """The package's logger: where nobody has set up logging, its level is INFO.

    Python's level is WARNING then, which leaves what is only told to those who ask for it. A level
    that somebody sets counts, and so does the root logger's where that has handlers. Loggers below
    this one read its `level` too, hence the property.
    """

    @property
    def level(self) -> int:
        """The level in force."""
        chosen: int = vars(self).get("level", logging.NOTSET)
        return chosen or (logging.NOTSET if _is_set_up() else logging.INFO)

    @level.setter
    def level(self, value: int) -> None:
        vars(self)["level"] = value

    @property
    def propagate(self) -> bool:
        """Whether handlers of the root logger get messages too: not one that nobody has set up."""
        chosen: bool = vars(self).get("propagate", True)
        return chosen and not _is_by_the_way(logging.getLogger().handlers)

    @propagate.setter
    def propagate(self, value: bool) -> None:
        vars(self)["propagate"] = value


class ScreenHandler(logging.Handler):
    """Writes messages to standard error, unless logging has handlers of the user's own.

    In a notebook what is only told goes to standard output: standard error is a red box there.

    `logging.getLogger("lightning_tf").setLevel("WARNING")` leaves out what is only told.

    Example:
        >>> logging.getLogger("lightning_tf").addHandler(ScreenHandler())
    """

    def emit(self, record: logging.LogRecord) -> None:
        """Write a message, also beside a progress bar, which replaces the stream."""
        is_told = record.levelno < logging.WARNING and in_notebook()
        stream = sys.stdout if is_told else sys.stderr
        if _is_set_up() or stream is None:  # none under pythonw
            return
        try:
            print(self.format(record), file=stream, flush=True)
        except (OSError, ValueError):  # closed
            self.handleError(record)


def show_messages() -> None:
    """Let the package's messages reach the screen, from what is told (INFO) on."""
    logger = logging.getLogger("lightning_tf")
    logger.__class__ = PackageLogger  # whoever got it earlier has the same object
    logger.addHandler(ScreenHandler())


def speak_for_all(is_first: bool) -> None:
    """Keep what is only told to the first of several workers, which would all say it.

    Args:
        is_first: Whether this is the first.
    """
    for handler in logging.getLogger("lightning_tf").handlers:
        if isinstance(handler, ScreenHandler):
            handler.setLevel(logging.NOTSET if is_first else SILENT_ON_OTHERS)


@contextmanager
def unchanged_root() -> Iterator[None]:
    """Leave the root logger with the handlers and the level that it has now.

    absl.logging, by which parts of TensorFlow speak, calls `logging.basicConfig` with its first
    message where the root logger has no handler; then all that is said looks another way.
    """
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    try:
        yield
    finally:
        for handler in [handler for handler in root.handlers if handler not in handlers]:
            root.removeHandler(handler)
        if root.level != level:
            root.setLevel(level)


@contextmanager
def only_warnings(logger: logging.Logger) -> Iterator[None]:
    """Keep off the screen what a logger only tells (INFO) inside the block."""
    before = vars(logger)["level"]  # as it was set: the package's logger gives the one in force
    logger.setLevel(max(logger.level, logging.WARNING))
    try:
        yield
    finally:
        logger.setLevel(before)


def _is_set_up() -> bool:
    """Return whether somebody has set up logging."""
    handlers = logging.getLogger().handlers
    return bool(handlers) and not _is_by_the_way(handlers)


def _is_by_the_way(handlers: list[logging.Handler]) -> bool:
    """Return whether the root logger's handlers are what the import of Grain leaves behind.

    It warns by absl.logging that there is no jax, which calls `logging.basicConfig()`. A program
    imports Grain itself, mostly before this package, so that nobody could put it back. Whoever
    sets a level or a format has set up logging all the same.
    """
    if "grain" not in sys.modules or len(handlers) != 1:
        return False
    (handler,) = handlers
    form = getattr(handler.formatter, "_fmt", None)
    is_bare = type(handler) is logging.StreamHandler and form == logging.BASIC_FORMAT
    return is_bare and logging.getLogger().level == logging.WARNING

"""Screen: what the package says reaches the screen where nobody has set up logging."""

import logging
import sys

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
        return chosen or (logging.NOTSET if logging.getLogger().handlers else logging.INFO)

    @level.setter
    def level(self, value: int) -> None:
        vars(self)["level"] = value


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
        if logging.getLogger().handlers or stream is None:  # none under pythonw
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

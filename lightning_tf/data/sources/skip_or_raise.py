"""skip_or_raise: what becomes of examples that cannot be used."""

import logging

from lightning_tf.exceptions import DataError

ACTIONS = ("error", "skip")

_log = logging.getLogger(__name__)


def skip_or_raise(option: str, action: str, problem: str) -> None:
    """Raise an error about unusable examples, or warn that they are skipped.

    Args:
        option: The argument of the source that decides, for the message.
        action: One of `ACTIONS`.
        problem: How many there are and what is wrong with the first, without a full stop.

    Raises:
        DataError: `action` is ``error``.

    Example:
        >>> skip_or_raise("empty", "skip", "1 of 4 test texts are empty, the first at index 2")
    """
    if action == "error":
        raise DataError(
            f"{problem}. Remove or replace them, or pass {option}='skip' to go on without them."
        )
    _log.warning("%s. They are skipped.", problem)

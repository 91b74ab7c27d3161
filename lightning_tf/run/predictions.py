"""Predictions: the batches that `Trainer.predict` gives."""

import logging
import pickle
import sys
import tempfile
from collections.abc import Generator, Iterator
from typing import Any

log = logging.getLogger("lightning_tf")

MEMORY_BYTES = 2**26  # of predictions that are kept; the rest goes to a temporary file


class Predictions(Iterator[Any]):
    """An iterator over batches of predictions, which are computed while it is iterated.

    One that nobody iterates has predicted nothing: a warning says so when it is dropped.

    Args:
        batches: Runs the prediction.

    Example:
        >>> for batch in Predictions(batches_of(task)):
        ...     print(len(batch))
    """

    def __init__(self, batches: Generator[Any, None, None]) -> None:
        self._batches = batches
        self._is_started = False

    def __next__(self) -> Any:
        """Return the next batch."""
        self._is_started = True
        return next(self._batches)

    def close(self) -> None:
        """End the prediction here."""
        self._is_started = True
        self._batches.close()

    def __del__(self) -> None:
        """Warn where nothing was predicted."""
        # Not where the constructor has failed, nor where the interpreter ends.
        if getattr(self, "_is_started", True) or sys.is_finalizing():
            return
        log.warning(
            "trainer.predict gave an iterator that nobody has iterated, so nothing was predicted: "
            "write `for batch in trainer.predict(task)`, or pass collect=True for a list."
        )


class KeptPredictions(Iterator[Any]):
    """The batches of a prediction that has run.

    Beyond some megabytes they are kept in a temporary file.

    Args:
        batches: Runs the prediction; all of it is run here.

    Example:
        >>> batches = list(KeptPredictions(batches_of(task)))
    """

    def __init__(self, batches: Iterator[Any]) -> None:
        self._file = tempfile.SpooledTemporaryFile(MEMORY_BYTES)  # noqa: SIM115 (closed below)
        for batch in batches:
            pickle.dump(batch, self._file, pickle.HIGHEST_PROTOCOL)
        self._file.seek(0)

    def __next__(self) -> Any:
        """Return the next batch."""
        try:
            return pickle.load(self._file)
        except (EOFError, ValueError):  # at the end, or closed
            raise StopIteration from None

    def close(self) -> None:
        """Drop what is left."""
        self._file.close()

    def __del__(self) -> None:
        """Close the file."""
        if not sys.is_finalizing():
            self._file.close()

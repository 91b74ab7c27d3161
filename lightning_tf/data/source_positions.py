"""SourcePositions: where a source of training batches stands before each of the next batches."""

from collections import OrderedDict
from collections.abc import Callable
from functools import partial

MOST = 2048  # more than any pipeline reads ahead


class SourcePositions:
    """States of a source by (epoch, batch), noted while batches are read ahead of training.

    A checkpoint wants the state before the next batch that is not yet trained on; what has been
    read by then is further on.

    Example:
        >>> positions = SourcePositions()
        >>> positions.noting(epoch=0)(3, '{"next_index": 3}')
        >>> positions.at(0, 3)
        '{"next_index": 3}'
    """

    def __init__(self) -> None:
        self._noted: OrderedDict[tuple[int, int], str] = OrderedDict()

    def noting(self, epoch: int) -> Callable[[int, str], None]:
        """Return what a pipeline of an epoch calls with the number of a batch and the state."""
        return partial(self.note, epoch)

    def note(self, epoch: int, batch: int, state: str) -> None:
        """Keep the state before a batch; of many the last ones."""
        self._noted[epoch, batch] = state
        while len(self._noted) > MOST:
            self._noted.popitem(last=False)

    def at(self, epoch: int, batch: int) -> str | None:
        """Return the state before a batch; None where none is known."""
        return self._noted.get((epoch, batch))

"""StreamSources: the sources that know their position, which a data module's methods return."""

from collections.abc import Mapping
from typing import Any

from lightning_tf.data.source_positions import SourcePositions
from lightning_tf.data.sources.stream_batches import StreamBatches, is_stream


class StreamSources:
    """Puts data sets of tf.data in the places of streams, and keeps where training stands in one.

    Args:
        owner: The name of the data module's class, for messages.

    Attributes:
        positions: Where the source of training batches stands; for checkpoints.
    """

    def __init__(self, owner: str) -> None:
        self.owner, self.positions = owner, SourcePositions()
        # By stage. Not the sources: a data module may be copied, and some of them cannot be.
        self._specs: dict[str, Any] = {}
        self._lengths: dict[str, int | None] = {}

    @property
    def gives_training(self) -> bool:
        """Return whether training batches have come from one source that knows its position."""
        return "train" in self._specs

    def reads_before(self, epoch: int, batch: int) -> bool:
        """Return whether the source of training must be read up to a batch of an epoch."""
        is_by_index = self._lengths["train"] is not None
        return not is_by_index and self.positions.at(epoch, batch) is None

    def replaced(self, stage: str, returned: Any, epoch: int, batch: int) -> Any:
        """Return what a dataset method gave, without streams.

        Args:
            stage: train, val, test or predict.
            returned: What the method returned for this epoch.
            epoch: The epoch, for train.
            batch: The first batch wanted of one stream, for train; several begin at their first.
        """
        if is_stream(returned):
            streams = self._batches(stage, returned)
            if stage != "train":
                return streams.dataset(epoch=0)
            state, noting = self.positions.at(epoch, batch), self.positions.noting(epoch)
            # What was returned is the epoch's: pass 0 of it.
            return streams.dataset(0, batch, state, noting)

        if not isinstance(returned, (Mapping, list, tuple)):
            return returned
        named = dict(returned) if isinstance(returned, Mapping) else dict(enumerate(returned))
        for name, each in named.items():
            if is_stream(each):  # positions are kept of one source, not of several
                named[name] = self._batches(f"{stage}, {name!r}", each).dataset(epoch=0)
        return named if isinstance(returned, Mapping) else list(named.values())

    def _batches(self, what: str, source: Any) -> StreamBatches:
        # Once a data set: to learn what its batches are, two are read.
        batches = StreamBatches(source, f"{self.owner}: {what}", self._specs.get(what))
        self._specs[what], self._lengths[what] = batches.element_spec, batches.length
        return batches

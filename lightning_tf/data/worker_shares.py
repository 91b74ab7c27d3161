"""What each of several workers reads: the whole data, cut, or a share that the data declare."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import tensorflow as tf

from lightning_tf.data.first_batches import refuse_different, refuse_equal
from lightning_tf.data.named_sets import NamedSets, by_name
from lightning_tf.distribute.own_rows import length_of_share, own_rows
from lightning_tf.exceptions import DataError

if TYPE_CHECKING:
    from collections.abc import Callable

    from lightning_tf.distribute.workers import Workers

SHARED_STAGES = ("train", "val", "test")  # predictions come in the order of whole batches


class WorkerShares:
    """Compares what workers read, once a stage, and joins the shares that data declare.

    Args:
        owner: The name of the data module's class, for messages.
        workers: All call every method, in the same order.
        batch_size: Of a global batch.
    """

    def __init__(self, owner: str, workers: Workers, batch_size: int) -> None:
        self.owner, self.workers, self.batch_size = owner, workers, batch_size
        self._compared: set[tuple[str, Any]] = set()

    def refuse_different(self, stage: str, dataset: tf.data.Dataset, name: Any = None) -> None:
        """Refuse whole data that are not the same on every worker.

        Raises:
            DataError: The first batches differ.
        """
        if self._is_first(stage, name):
            refuse_different(self.workers, dataset, f"{self.owner}.{stage}_dataset")

    def combine(
        self, stage: str, make: Callable[[int, int, int], Any], batch: int = 0
    ) -> tf.data.Dataset | NamedSets | None:
        """Return a worker's own batches as the Trainer reads them, which end on all workers alike.

        Args:
            stage: train, val or test.
            make: Takes the first batch wanted, the worker's index and the number of workers, and
                gives its data sets.
            batch: The first batch wanted.

        Raises:
            DataError: Workers have other data sets, or shares that are none.
        """
        workers, method = self.workers, f"{self.owner}.{stage}_shard"
        sets = workers.unless_one_fails(lambda: make(0, workers.index, workers.count))
        datasets = {} if sets is None else by_name(sets)

        lengths = workers.all_gather_object(
            [[name, length_of_share(dataset)] for name, dataset in datasets.items()]
        )
        names = [[name for name, _ in each] for each in lengths]
        if any(each != names[0] for each in names):
            other = next(i for i, each in enumerate(names) if each != names[0])
            raise DataError(
                f"{method} gave worker 0 the data sets {names[0] or 'None'} and worker {other} "
                f"{names[other] or 'None'}; give all workers the same, each its records of them."
            )

        combined: dict[Any, tf.data.Dataset] = {}
        for place, (name, dataset) in enumerate(datasets.items()):
            if self._is_first(stage, name):
                refuse_equal(workers, dataset, method, self.batch_size)
            shares = [each[place][1] for each in lengths]
            rest = None
            if batch:
                rest = workers.unless_one_fails(lambda: make(batch, workers.index, workers.count))
            combined[name] = own_rows(dataset, shares, method, batch, rest)
        return combined if isinstance(sets, dict) else combined.get(None)

    def _is_first(self, stage: str, name: Any) -> bool:
        key = (stage, name)
        is_first = self.workers.count > 1 and key not in self._compared
        self._compared.add(key)
        return is_first

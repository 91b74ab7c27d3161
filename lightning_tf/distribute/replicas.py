"""Replicas: the placement of a run on several devices or workers, under a strategy."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cached_property, partial
from typing import Any

import keras
import tensorflow as tf

from lightning_tf.distribute.all_reduce import all_reduce
from lightning_tf.distribute.combined_batch import CombinedBatch
from lightning_tf.distribute.gradient_reduction import GradientReduction
from lightning_tf.distribute.input_shard import InputShard
from lightning_tf.distribute.own_rows import OwnRows, is_own
from lightning_tf.distribute.placement import Compute, Placement
from lightning_tf.distribute.replica_batch import ReplicaBatch
from lightning_tf.distribute.replica_tracing import (
    enter_replica,
    make_spare_generator,
    separate_seeds,
)
from lightning_tf.distribute.workers import Workers, sum_of_workers
from lightning_tf.exceptions import ConfigurationError
from lightning_tf.keras_internals import losses_of_each_thread, undivided_losses
from lightning_tf.tensorflow_internals import merged_replicas


class Replicas(Placement):
    """Replicas that train in step, each with a copy of every variable.

    Args:
        devices: Of this worker.
        num_replicas: Of all workers together.
        workers: The processes that train together.
        make_strategy: Gives the strategy at its first use, because making one starts TensorFlow.
        reduction: How gradients travel between them.

    Example:
        >>> make = lambda: tf.distribute.MirroredStrategy(["CPU:0"])
        >>> Replicas(("/CPU:0",), 1, Workers(None, None), make).copies_variables
        False
    """

    can_build_while_tracing = False  # Keras makes variables of replicas outside of graphs alone
    can_window_predictions = False  # rows are put together on the host, batch by batch

    def __init__(
        self,
        devices: tuple[str, ...],
        num_replicas: int,
        workers: Workers,
        make_strategy: Callable[[], tf.distribute.Strategy],
        reduction: GradientReduction = GradientReduction(),  # noqa: B008 -- frozen
    ) -> None:
        super().__init__(devices, workers)
        self.num_replicas = num_replicas
        self.copies_variables = num_replicas > 1
        self.input_shard = None
        if workers.count > 1:
            first = workers.index * len(devices)
            self.input_shard = InputShard(first, len(devices), num_replicas)
        self._make_strategy = make_strategy
        self._reduction = reduction
        self._sums_on_host = workers.count == 1 and "CPU" in devices[0]

    @cached_property
    def strategy(self) -> tf.distribute.Strategy:
        """Return the strategy, which its first use makes."""
        return self._make_strategy()

    @contextmanager
    def _strategy_scope(self) -> Iterator[None]:
        with self.strategy.scope(), undivided_losses():
            _ = self.generator  # made here: none can be made while a replica is traced
            yield

    @cached_property
    def generator(self) -> keras.random.SeedGenerator:  # type: ignore[override]
        """For draws without a seed; a resumed fit has it among the step's variables."""
        return make_spare_generator()

    # ---- in the graph, outside the replicas

    def run(self, compute: Compute, batch: Any) -> Any:
        """Cut the batch on the host and call `compute` in every replica's context."""
        policy, may_be_idle = keras.config.dtype_policy(), []
        total = self._sum_of_workers(batch.count) if isinstance(batch, OwnRows) else None  # ()

        def cut(replica: tf.distribute.experimental.ValueContext) -> tuple[Any, ...]:
            replica_batch = self._cut(batch, replica.replica_id_in_sync_group, total)
            may_be_idle.append(replica_batch.may_be_idle)
            return replica_batch.batch, replica_batch.examples, replica_batch.fraction

        # Out here: a replica may be on a device that cannot cut pieces of different lengths.
        pieces = self.strategy.experimental_distribute_values_from_function(cut)

        def on_replica(piece: Any, examples: tf.Tensor, fraction: tf.Tensor) -> Any:
            if self.num_replicas > 1:  # traced in a thread of its own
                enter_replica(policy, self.generator)
            # All replicas are traced alike, though only the last ones can be idle.
            replica_batch = ReplicaBatch(piece, examples, fraction, may_be_idle=any(may_be_idle))
            return compute(piece, replica_batch)

        with separate_seeds(), losses_of_each_thread():
            return self._run_pieces(on_replica, pieces)

    def _run_pieces(self, on_replica: Callable[..., Any], pieces: Any) -> Any:
        return self.strategy.run(on_replica, pieces)

    def _cut(self, batch: Any, index: Any, total: Any) -> ReplicaBatch:
        if self.input_shard is None:
            return ReplicaBatch.cut(batch, index, self.num_replicas)
        if isinstance(batch, OwnRows):
            local_replicas = self.input_shard.local_replicas
            return ReplicaBatch.cut_own(
                batch.rows, index % local_replicas, local_replicas, batch.count, total
            )
        rows, count = batch  # this worker's rows, and the examples of the global batch
        count = tf.cast(count, tf.int32)
        before, size = self.input_shard.rows(count)
        local = size if isinstance(rows, CombinedBatch) else None
        return ReplicaBatch.cut(
            rows, index, self.num_replicas, count=count, local=local, before=before
        )

    def any_has(self, batch: Any) -> tf.Tensor:
        """Return whether any worker has rows: shares of the workers end at different batches."""
        if not is_own(batch.element_spec):
            return batch.has_value()
        count = tf.cond(
            batch.has_value(),
            lambda: batch.get_value().count,
            lambda: tf.zeros([], tf.int64),
        )
        return self._sum_of_workers(count) > 0

    def _sum_of_workers(self, count: tf.Tensor) -> tf.Tensor:
        return self.first(self.strategy.run(partial(sum_of_workers, self.strategy), (count,)))

    def join(self, values: Any) -> Any:
        """Concatenate on the host, where they are read."""
        with tf.device("/CPU:0"):
            return tf.nest.map_structure(self._concatenate, values)

    def _concatenate(self, rows: Any) -> Any:
        pieces = list(self.strategy.experimental_local_results(rows))
        if pieces[0] is None:
            return None
        if isinstance(pieces[0], tf.SparseTensor):
            return tf.sparse.concat(0, pieces)
        return tf.concat(pieces, 0)

    def each(self, act: Callable[..., Any], *args: Any) -> Any:
        """Call `act` in every replica's context."""
        return self.strategy.run(act, args)

    def first(self, values: Any) -> Any:
        """Return the copies of this worker's first replica."""
        results = self.strategy.experimental_local_results
        return tf.nest.map_structure(lambda value: results(value)[0], values)

    def run_if(self, predicate: tf.Tensor, act: Callable[[Any], Any], state: Any) -> Any:
        """Loop once or not at all.

        TensorFlow cannot number a sum over devices inside a branch ("you must feed a value for
        placeholder"), but inside a loop it can.
        """
        _, state = tf.while_loop(
            lambda going, state: going,
            lambda going, state: (tf.constant(False), act(state)),
            (predicate, state),
        )
        return state

    def apply_context(self) -> AbstractContextManager[Any]:
        """Return a context in which Keras takes the replicas as merged, which they are."""
        return merged_replicas()

    # ---- in the graph, on a replica

    def real_rows(self, values: Any, replica_batch: ReplicaBatch | None) -> Any:
        """Cut off the last row of a replica that is left without examples."""
        return tf.nest.map_structure(lambda value: _real_rows(value, replica_batch), values)

    def all_reduce(self, values: Any) -> Any:
        """Add up over replicas of all workers, in one call for each dtype."""
        return all_reduce(values)

    def all_reduce_gradients(self, values: Any, gradients: Any) -> tuple[Any, Any]:
        """Add up over replicas of all workers; see `GradientReduction`."""
        return self._reduction(values, gradients, widens=self._sums_on_host)

    def merge(self, act: Callable[[Any], None], values: Any) -> None:
        """Wait for all replicas, then act outside of them."""
        replica = tf.distribute.get_replica_context()
        replica.merge_call(lambda _, merged: act(merged), args=(values,))


def _real_rows(output: Any, replica_batch: Any) -> Any:
    if output is None:  # a step keeps its results to itself
        return None
    is_composite = isinstance(output, (tf.RaggedTensor, tf.SparseTensor))
    output = output if is_composite else tf.convert_to_tensor(output)

    if output.shape.rank == 0:
        raise ConfigurationError(
            "a step gave a scalar, which cannot be put together from several replicas; "
            "return or collect one row for each example."
        )
    if not replica_batch.may_be_idle:
        return output

    count = tf.cast(replica_batch.examples, tf.int32)
    if not isinstance(output, tf.SparseTensor):
        return output[:count]
    rows = tf.minimum(output.dense_shape[0], tf.cast(count, tf.int64))
    size = tf.concat([[rows], output.dense_shape[1:]], 0)
    return tf.sparse.slice(output, tf.zeros_like(output.dense_shape), size)

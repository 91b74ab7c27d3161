"""Placement: accelerator, devices and strategy to what tf.distribute needs; replica arithmetic.

On one device there is no strategy, and every method here calls what it is given and nothing more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import cached_property
from typing import Any

import keras
import tensorflow as tf

from lightning_tf.distribute.all_reduce import all_reduce
from lightning_tf.distribute.central_storage import CentralStorage, assign_central
from lightning_tf.distribute.cluster import Cluster, cluster_of
from lightning_tf.distribute.custom_strategy import (
    check_strategy,
    is_default,
    is_strategy,
    shares_variables,
)
from lightning_tf.distribute.devices import chosen_devices
from lightning_tf.distribute.input_shard import InputShard
from lightning_tf.distribute.mirrored_strategy import mirrored
from lightning_tf.distribute.multi_worker_strategy import multi_worker
from lightning_tf.distribute.replica_batch import ReplicaBatch
from lightning_tf.distribute.replica_tracing import (
    distinct_losses,
    distinct_seeds,
    enter_replica,
    spare_generator,
    undivided_losses,
)
from lightning_tf.distribute.workers import Workers
from lightning_tf.exceptions import ConfigurationError, nearest

STRATEGIES = ("auto", "mirrored", "multi_worker")
ALONE = "the default strategy"  # TensorFlow's object for none


class Placement:
    """Where a run computes: on one device without a strategy around it, or on several replicas.

    Args:
        accelerator: ``auto`` takes GPUs where there are any; ``cpu`` or ``gpu``.
        devices: How many; ``auto`` (all GPUs, or one CPU), -1 (all), or a list of GPU numbers.
            Several CPUs are logical devices of the one that there is.
        strategy: ``auto`` (``multi_worker`` where the environment tells of several workers, else
            none on one device and ``mirrored`` on several), ``mirrored``, ``multi_worker``, or any
            `tf.distribute.Strategy` whose replicas train in step, which brings its own devices.

    Attributes:
        num_replicas: Of all workers together.
        devices: Of this worker.
        workers: The processes that train together, most often one.
        shares_variables: Whether several replicas have one copy of every variable among them.

    Raises:
        ConfigurationError: There is no such device, a name is unknown, or the strategy cannot
            train.

    Example:
        >>> Placement("cpu", 1, "auto").num_replicas
        1
    """

    def __init__(self, accelerator: str, devices: Any, strategy: Any) -> None:
        self._given: tf.distribute.Strategy | None = None
        self.shares_variables = False
        if is_strategy(strategy):
            check_strategy(strategy, accelerator, devices)
            if not is_default(strategy):
                self._take(strategy, cluster_of(strategy))
                return
            devices, strategy = 1, ALONE
        self._choose(accelerator, devices, strategy)

    def _choose(self, accelerator: str, devices: Any, strategy: str) -> None:
        if strategy not in (*STRATEGIES, ALONE):
            raise ConfigurationError(
                f"strategy={strategy!r} is unknown.{nearest(str(strategy), STRATEGIES)} A "
                "tf.distribute.Strategy object works too."
            )
        cluster = None if strategy in ("mirrored", ALONE) else Cluster.from_environment()
        if cluster is None and strategy == "multi_worker":
            raise ConfigurationError(
                "strategy='multi_worker': neither TF_CONFIG nor SLURM tells of several workers; "
                "start the script with `lightning-tf launch --workers 2 -- script.py`, with srun, "
                "or with TF_CONFIG set."
            )
        self.devices: tuple[str, ...] = chosen_devices(accelerator, devices)
        if cluster is not None:
            # At once: TensorFlow joins workers before it runs anything, or never.
            self._take(multi_worker(cluster, self.devices), cluster)
            return
        self.num_replicas = len(self.devices)
        self.workers = Workers(None, None)
        self._mirrors = strategy == "mirrored" or self.num_replicas > 1

    def _take(self, strategy: tf.distribute.Strategy, cluster: Cluster | None) -> None:
        self._given = strategy
        self.num_replicas = int(strategy.num_replicas_in_sync)
        self.devices = tuple(strategy.extended.worker_devices)
        self.workers = Workers(cluster, strategy)
        # Only where one process has all replicas: on workers a variable takes a sum over all.
        self.shares_variables = cluster is None and shares_variables(strategy)

    @cached_property
    def share(self) -> InputShard | None:
        """What this worker reads of every batch; None where it is the only one."""
        if self.workers.count == 1:
            return None
        own = len(self.devices)
        return InputShard(self.workers.index * own, own, self.num_replicas)

    def batch_spec(self, element_spec: Any) -> Any:
        """What a step gets, from what the pipeline gives: on several workers a pair."""
        return element_spec if self.share is None else element_spec[0]

    @property
    def device(self) -> str:
        """The device that computes what is not a replica's."""
        return "/CPU:0" if "TPU" in self.devices[0] else self.devices[0]

    @cached_property
    def strategy(self) -> tf.distribute.Strategy | None:
        """None on one device; made at its first use, because making it starts TensorFlow."""
        if self._given is not None or not self._mirrors:
            return self._given
        return mirrored(self.devices)

    @contextmanager
    def scope(self) -> Iterator[None]:
        """The context in which models are made and steps are traced and run."""
        with ExitStack() as stack:
            stack.enter_context(tf.device(self.device))
            if self.strategy is not None:
                stack.enter_context(self.strategy.scope())
                stack.enter_context(undivided_losses())
                _ = self._generator
            yield

    @cached_property
    def _generator(self) -> keras.random.SeedGenerator:
        return spare_generator()

    # ---- in the graph, outside the replicas

    def reduce(self, compute: Callable[[Any, ReplicaBatch | None], Any], batch: Any) -> Any:
        """Run something on every replica's part of a batch and sum what it gives.

        Args:
            compute: Takes a batch and its `ReplicaBatch`, None on one device; returns a nest of
                tensors, None among them.
            batch: The global batch, or what a worker's pipeline gives of it.

        Returns:
            The sums, a copy on every replica; see `first` and `each`.
        """
        return self._on_replicas(lambda part: all_reduce(compute(part.batch, part)), compute, batch)

    def gather(self, compute: Callable[[Any, ReplicaBatch | None], Any], batch: Any) -> Any:
        """As `reduce`, but put together along the first dimension, in the order of the batch."""

        def on_replica(part: ReplicaBatch) -> Any:
            return tf.nest.map_structure(
                lambda whole: _own_rows(whole, part), compute(part.batch, part)
            )

        parts = self._on_replicas(on_replica, compute, batch)
        return parts if self.strategy is None else self._concatenated(parts)

    def _on_replicas(
        self,
        on_replica: Callable[[ReplicaBatch], Any],
        alone: Callable[[Any, None], Any],
        batch: Any,
    ) -> Any:
        strategy = self.strategy
        if strategy is None:
            return alone(batch, None)
        policy, idle = keras.config.dtype_policy(), []

        def part_of(replica: tf.distribute.experimental.ValueContext) -> tuple[Any, ...]:
            part = self._part(batch, replica.replica_id_in_sync_group)
            idle.append(part.may_be_idle)
            return part.batch, part.examples, part.share

        # Out here: a replica may be on a device that cannot cut parts of different lengths.
        parts = strategy.experimental_distribute_values_from_function(part_of)

        def replica(own: Any, examples: tf.Tensor, share: tf.Tensor) -> Any:
            if self.num_replicas > 1:  # traced in a thread of its own
                enter_replica(policy, self._generator)
            return on_replica(ReplicaBatch(own, examples, share, may_be_idle=any(idle)))

        with distinct_seeds(), distinct_losses():
            if self.shares_variables:
                return self._sharing(strategy, replica, parts)
            return strategy.run(replica, parts)

    def _sharing(self, strategy: Any, replica: Callable[..., Any], parts: Any) -> Any:
        """Run replicas that have one copy of every variable, which moves after all have run."""
        assigned: list[Any] = []

        def keeping(own: Any, examples: tf.Tensor, share: tf.Tensor) -> Any:
            with CentralStorage() as state:
                result = replica(own, examples, share)
            assigned[:] = state.assigned  # the same on every replica
            return result, all_reduce(state.movements(examples, share)), state.others()

        result, movements, others = strategy.run(keeping, parts)
        assign_central(assigned, *self.first((movements, others)))
        return result

    def _part(self, batch: Any, number: Any) -> ReplicaBatch:
        if self.share is None:
            return ReplicaBatch.cut(batch, number, self.num_replicas)
        own, count = batch
        count = tf.cast(count, tf.int32)
        before, _ = self.share.rows(count)
        return ReplicaBatch.cut(own, number, self.num_replicas, count=count, before=before)

    def _concatenated(self, parts: Any) -> Any:
        def join(part: Any) -> Any:
            pieces = list(self.strategy.experimental_local_results(part))  # type: ignore[union-attr]
            if isinstance(pieces[0], tf.SparseTensor):
                return tf.sparse.concat(0, pieces)
            return tf.concat(pieces, 0)

        with tf.device("/CPU:0"):  # prediction is read by the host
            return tf.nest.map_structure(join, parts)

    def each(self, act: Callable[..., Any], *args: Any) -> Any:
        """Call something once for every replica, with that replica's copies of the arguments.

        Variables that it reads and assigns are the replica's own copies: it must do the same on
        all of them. Where replicas share the variables it is called once, with the first's.
        """
        if self.strategy is None or self.shares_variables:
            return act(*self.first(args))
        return self.strategy.run(act, args)

    def first(self, values: Any) -> Any:
        """The first replica's copy of values that are equal on all."""
        strategy = self.strategy
        if strategy is None:
            return values
        return tf.nest.map_structure(lambda v: strategy.experimental_local_results(v)[0], values)

    def applying(self) -> AbstractContextManager[Any]:
        """The context in which a Keras optimizer takes gradients that are already summed."""
        return ExitStack() if self.strategy is None else _merged()

    # ---- in the graph, on a replica

    def sum_then(self, act: Callable[[Any], None], values: Any) -> None:
        """Sum values over replicas, then act on the sums once for all of them."""
        if self.strategy is None:
            act(values)
            return
        replica = tf.distribute.get_replica_context()
        replica.merge_call(lambda _, summed: act(summed), args=(all_reduce(values),))


def _own_rows(whole: Any, part: ReplicaBatch) -> Any:
    whole = tf.convert_to_tensor(whole) if not _is_composite(whole) else whole
    if whole.shape.rank == 0:
        raise ConfigurationError(
            "predict_step gave a scalar, which cannot be put together from several replicas; "
            "return one row for each example."
        )
    if not part.may_be_idle:
        return whole
    count = tf.cast(part.examples, tf.int32)
    if isinstance(whole, tf.SparseTensor):
        kept = tf.minimum(whole.dense_shape[0], tf.cast(count, tf.int64))
        return tf.sparse.slice(
            whole, tf.zeros_like(whole.dense_shape), tf.concat([[kept], whole.dense_shape[1:]], 0)
        )
    return whole[:count]


def _is_composite(value: Any) -> bool:
    return isinstance(value, (tf.RaggedTensor, tf.SparseTensor))


@contextmanager
def _merged() -> Iterator[None]:
    """Let Keras' optimizers update from outside the replicas.

    They enter `merge_call` by themselves, which is an error where the replicas are merged already.
    """
    interim = tf.__internal__.distribute.interim
    enter = interim.maybe_merge_call
    interim.maybe_merge_call = lambda act, strategy, *args, **kwargs: act(strategy, *args, **kwargs)
    try:
        yield
    finally:
        interim.maybe_merge_call = enter

"""Placement: where a run computes, behind one interface for one device and for several replicas."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any

import keras
import tensorflow as tf

from lightning_tf.distribute.input_shard import InputShard
from lightning_tf.distribute.replica_batch import ReplicaBatch
from lightning_tf.distribute.workers import Workers
from lightning_tf.keras_internals import without_cudnn

Compute = Callable[[Any, ReplicaBatch | None], Any]


class Placement(ABC):
    """Where a run computes: one device, or several replicas of the model.

    A step runs on every replica (`run`), sums what all of them have (`all_reduce`), and acts on
    the sums once for all of them: outside of `run`, or inside it by `merge`. What the sums move is
    a copy on each replica, which `each` reaches. `SingleDevice` calls what it is given and nothing
    more, so that a run on one device pays for none of this.

    Args:
        devices: Of this worker.
        workers: The processes that train together, most often one.

    Attributes:
        num_replicas: Of all workers together.
        input_shard: What this worker reads of every batch; None where it is the only worker.
        copies_variables: Whether each of several replicas has a copy of every variable.
        can_build_while_tracing: Whether a traced function may make the variables of a model.
        can_window_predictions: Whether predictions of several batches can be one graph call.
        generator: For draws without a seed in steps; None where Keras' own does.
    """

    num_replicas: int
    input_shard: InputShard | None
    copies_variables: bool
    can_build_while_tracing: bool
    can_window_predictions: bool
    generator: keras.random.SeedGenerator | None = None

    def __init__(self, devices: tuple[str, ...], workers: Workers) -> None:
        self.devices = devices
        self.workers = workers

    @property
    def device(self) -> str:
        """Return the device that computes what is not a replica's; of a TPU its host."""
        return "/CPU:0" if "TPU" in self.devices[0] else self.devices[0]

    @property
    def is_gpu(self) -> bool:
        """Return whether steps run on GPUs."""
        return "GPU" in self.device

    @property
    def prefetch_device(self) -> str | None:
        """Return where whole batches are wanted ahead of their steps; None where the host cuts."""
        return None

    def batch_spec(self, element_spec: Any) -> Any:
        """Return the spec of what a step gets, from that of what the pipeline gives."""
        # The pipeline of one of several workers gives pairs; see InputShard.
        return element_spec if self.input_shard is None else element_spec[0]

    @contextmanager
    def scope(self) -> Iterator[None]:
        """Enter the context in which models are made and steps are traced and run."""
        with ExitStack() as stack:
            stack.enter_context(tf.device(self.device))
            if not self.is_gpu:
                stack.enter_context(without_cudnn())
            stack.enter_context(self._strategy_scope())
            yield

    @abstractmethod
    def _strategy_scope(self) -> AbstractContextManager[Any]:
        """Return what `scope` enters besides the device."""

    # ---- in the graph, outside the replicas

    @abstractmethod
    def run(self, compute: Compute, batch: Any) -> Any:
        """Run something on every replica's examples of a batch.

        Args:
            compute: Takes a batch and its `ReplicaBatch`, None on one device.
            batch: The global batch, or what a worker's pipeline gives of it.

        Returns:
            What it gives, a value for every replica; see `first` and `each`.
        """

    def gather(self, compute: Compute, batch: Any) -> Any:
        """Run as `run` and put together the rows that it gives, in the order of the batch.

        Raises:
            ConfigurationError: It gives a scalar, and there are replicas.
        """

        def compute_rows(batch: Any, replica_batch: ReplicaBatch | None) -> Any:
            return self.real_rows(compute(batch, replica_batch), replica_batch)

        return self.join(self.run(compute_rows, batch))

    def any_has(self, batch: Any) -> tf.Tensor:
        """Return whether there is a batch, in the graph.

        Args:
            batch: What `get_next_as_optional` of the pipeline's iterator gave.
        """
        return batch.has_value()

    @abstractmethod
    def join(self, values: Any) -> Any:
        """Put together, for the host, the rows that `run` gave on this worker's replicas."""

    @abstractmethod
    def each(self, act: Callable[..., Any], *args: Any) -> Any:
        """Call something once for every replica, with that replica's copies of the arguments.

        Variables that it reads and assigns are the replica's copies: it must do the same on all of
        them. Where replicas have one copy of the variables it is called once, with the first's.
        """

    @abstractmethod
    def first(self, values: Any) -> Any:
        """Return the first replica's copy of values that are equal on all."""

    @abstractmethod
    def run_if(self, predicate: tf.Tensor, act: Callable[[Any], Any], state: Any) -> Any:
        """Return `act(state)` where the predicate holds, else the state; `act` may call `run`."""

    @abstractmethod
    def apply_context(self) -> AbstractContextManager[Any]:
        """Return the context in which a Keras optimizer applies reduced gradients."""

    # ---- in the graph, on a replica

    @abstractmethod
    def real_rows(self, values: Any, replica_batch: ReplicaBatch | None) -> Any:
        """Return a nest of tensors without rows of what stands in for missing examples.

        Raises:
            ConfigurationError: One is a scalar, and there are replicas.
        """

    @abstractmethod
    def all_reduce(self, values: Any) -> Any:
        """Return the sums over all replicas of a nest of tensors; None in it stays."""

    @abstractmethod
    def all_reduce_gradients(self, values: Any, gradients: Any) -> tuple[Any, Any]:
        """Return the sums of values and of gradients, which travel as the Trainer was told."""

    @abstractmethod
    def merge(self, act: Callable[[Any], None], values: Any) -> None:
        """Leave the replicas and act once for all of them, on a value for every replica."""

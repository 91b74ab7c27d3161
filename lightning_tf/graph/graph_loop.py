"""GraphLoop: a loop over an iterator's batches that runs as one graph call."""

import os
from collections.abc import Callable
from functools import cache
from threading import Semaphore
from typing import Any

import tensorflow as tf

from lightning_tf.data.pipeline.options import parallel_calls
from lightning_tf.graph.grappler_options import GrapplerOptions
from lightning_tf.graph.moved_batches import moved_spec

NextBatch = Callable[[Any], Any]


class GraphLoop:
    """Traces a loop and calls what it was traced to.

    The thread that runs the graph waits for every batch itself: an iterator's own `get_next` has
    another thread wait and is woken by it, 20 us a batch, a sixth of a tiny network's step. But a
    pipeline whose Python calls graphs (a generator) needs a thread that does not wait. So all of
    TensorFlow's threads but one may wait; where more loops run at once, or there is only one
    thread, the loop reads with `get_next`.

    Args:
        loop: Takes a function that reads an iterator's next batch, the iterator, and tensors.
        element_spec: Of the pipeline's batches.
        *specs: Of the tensors.
        device: To which batches are copied ahead, if any: then iterators give `moved_spec`, but for
            those that cannot be copied ahead.

    Example:
        >>> data = tf.data.Dataset.range(3)
        >>> loop = GraphLoop(lambda next_batch, iterator: next_batch(iterator), data.element_spec)
        >>> int(loop(iter(data)))
        0
    """

    def __init__(
        self,
        loop: Callable[..., Any],
        element_spec: Any,
        *specs: tf.TensorSpec,
        device: str | None = None,
    ) -> None:
        self._loop, self._specs = loop, specs
        self._spec, self._moved_spec = element_spec, moved_spec(device, element_spec)
        self._may_differ = self._moved_spec != element_spec
        self._rewrites = GrapplerOptions()
        self._traced: dict[tuple[NextBatch, bool], Any] = {}
        # The likely one at once.
        self._trace(_wait_for_next if _threads() > 1 else _get_next, self._may_differ)

    def __call__(self, iterator: Any, *tensors: tf.Tensor) -> Any:
        """Run the loop.

        Args:
            iterator: Of a data set.
            *tensors: As the specs say.
        """
        permits = _permits()
        # Without a permit the loop reads in the other way, rather than queue for one.
        waits = permits.acquire(blocking=False)
        next_batch = _wait_for_next if waits else _get_next
        is_moved = self._may_differ and iterator.element_spec == self._moved_spec

        try:
            if (next_batch, is_moved) not in self._traced:
                self._trace(next_batch, is_moved)
            with self._rewrites:
                return self._traced[next_batch, is_moved](iterator, *tensors)
        finally:
            if waits:
                permits.release()

    def _trace(self, next_batch: NextBatch, is_moved: bool) -> None:
        def loop(*arguments: Any) -> Any:
            return self._loop(next_batch, *arguments)

        function = tf.function(loop, autograph=False)
        with self._rewrites:  # the calls inside the loop have options too
            # Called as what it is traced to: 0.1 ms a call less than looking for the right trace.
            spec = tf.data.IteratorSpec(self._moved_spec if is_moved else self._spec)
            self._traced[next_batch, is_moved] = function.get_concrete_function(spec, *self._specs)


def _get_next(iterator: Any) -> Any:
    return iterator.get_next()


def _wait_for_next(iterator: Any) -> Any:
    specs = tf.nest.flatten(iterator.element_spec)
    if not all(isinstance(spec, tf.TensorSpec) for spec in specs):
        return iterator.get_next()  # ragged and sparse tensors pass as variants

    (handle,) = tf.nest.flatten(iterator, expand_composites=True)
    tensors = tf.raw_ops.IteratorGetNextSync(
        iterator=handle,
        output_types=[spec.dtype for spec in specs],
        output_shapes=[spec.shape for spec in specs],
    )
    return tf.nest.pack_sequence_as(iterator.element_spec, tensors)


@cache
def _permits() -> Semaphore:
    """Return the permits to wait, of which all loops of the process take."""
    return Semaphore(_threads() - 1)


def _threads() -> int:
    """Return the number of threads on which TensorFlow runs graphs."""
    chosen = tf.config.threading.get_inter_op_parallelism_threads()
    return chosen or int(os.environ.get("TF_NUM_INTEROP_THREADS") or 0) or parallel_calls()

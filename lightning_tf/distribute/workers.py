"""Workers: the processes of a run, and what they exchange outside of steps."""

import json
import re
import socket
import time
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
import tensorflow as tf

from lightning_tf.distribute.all_reduce import all_reduce
from lightning_tf.distribute.cluster import Cluster
from lightning_tf.distribute.replica_batch import shard_size_and_start
from lightning_tf.exceptions import ConfigurationError, DataError, LightningTFError, WorkerLostError

LOST_TASK = re.compile(r"/job:worker/(?:replica:0/)?task:(\d+)")
BROKEN = (  # what a collective ends with where a peer is gone
    tf.errors.UnavailableError,
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
    tf.errors.FailedPreconditionError,
    tf.errors.InternalError,
    tf.errors.UnknownError,
)
PROBE_SECONDS, PROBES_SECONDS = 1.0, 10.0  # for one address; until somebody is silent
WORD = 8  # bytes of the integers that are exchanged
TABLE_BYTES = 16 * 2**20  # exchanged at once, of all workers together

T = TypeVar("T")


class Workers:
    """The processes that train together, each with replicas of its own.

    All workers must call every method that exchanges something, in the same order. On one worker
    such a method returns at once what it is given.

    Args:
        cluster: Where they are; None for one worker.
        strategy: The MultiWorkerMirroredStrategy that joins them; None for one worker.

    Attributes:
        count: How many there are.
        index: Which one this is.

    Example:
        >>> Workers(None, None).all_gather([3, 4]).tolist()
        [[3, 4]]
    """

    def __init__(self, cluster: Cluster | None, strategy: Any) -> None:
        self.cluster, self._strategy = cluster, strategy
        self.count = 1 if cluster is None else len(cluster.addresses)
        self.index = 0 if cluster is None else cluster.index

    @property
    def is_chief(self) -> bool:
        """Return whether this is the worker that writes files and prints."""
        return self.index == 0

    @property
    def is_first_on_host(self) -> bool:
        """Return whether this worker prepares data on its machine."""
        return self.cluster is None or self.cluster.is_first_on_host

    def all_gather(self, numbers: Sequence[int]) -> np.ndarray:
        """Gather integers of all workers, each as many: shape (workers, numbers)."""
        row = np.asarray(numbers, np.int64)
        if self.count == 1:
            return row[None]

        # A sum is the one exchange that every strategy has: others' rows are zeros here.
        table = np.zeros((self.count, len(row)), np.int64)
        table[self.index] = row
        return self._sum(table.reshape(-1)).reshape(table.shape)

    def barrier(self) -> None:
        """Return once every worker is here."""
        self.all_gather([1])

    def broadcast(self, value: Any) -> Any:
        """Return the chief's value on every worker: plain data that JSON can hold."""
        if self.count == 1:
            return value
        text = json.dumps(value if self.is_chief else None).encode()
        return json.loads(self.all_gather_bytes(text)[0])

    def of_chief(self, work: Callable[[], Any]) -> Any:
        """Return on every worker what `work` gives on the chief: plain data that JSON can hold.

        A chief that refused alone would leave the others waiting in the next exchange.

        Args:
            work: Exchanges nothing; called by the chief alone.

        Raises:
            ConfigurationError: It failed on the chief; that one raises the error as it is.

        Example:
            >>> Workers(None, None).of_chief(lambda: "runs/version_0")
            'runs/version_0'
        """
        if self.count == 1:
            return work()

        result, failure = None, None
        try:
            result = work() if self.is_chief else None
        except Exception as error:
            failure = error
        problem = failure if failure is None else str(failure) or type(failure).__name__
        result, problem = self.broadcast([result, problem])
        if failure is not None:
            raise failure
        if problem is not None:
            raise ConfigurationError(problem)
        return result

    def all_gather_bytes(self, content: bytes) -> list[bytes]:
        """Gather the bytes of every worker, in their order, of any lengths."""
        if self.count == 1:
            return [content]

        lengths = self.all_gather([len(content)])[:, 0].tolist()
        piece = max(WORD, TABLE_BYTES // self.count // WORD * WORD)
        pieces: list[list[bytes]] = [[] for _ in lengths]

        # Piece by piece: the table of all workers' bytes would not fit into memory.
        for start in range(0, max(lengths), piece):
            words = -(-min(piece, max(lengths) - start) // WORD)
            table = np.zeros((self.count, words * WORD), np.uint8)
            row = np.frombuffer(content[start : start + piece], np.uint8)
            table[self.index, : len(row)] = row
            total = self._sum(table.view(np.int64).reshape(-1)).view(np.uint8)
            rows = total.reshape(table.shape)  # (workers, bytes)
            for received, row, length in zip(pieces, rows, lengths, strict=True):
                received.append(row[: max(0, length - start)].tobytes())

        return [b"".join(received) for received in pieces]

    def shard(self, count: int) -> slice:
        """Return which of `count` examples are this worker's, contiguous and as even as can be.

        Example:
            >>> Workers(None, None).shard(7)
            slice(0, 7, None)
        """
        size, start = shard_size_and_start(count, self.index, self.count)
        return slice(start, start + size)

    def all_gather_object(self, value: Any) -> list[Any]:
        """Gather the values of all workers, in their order: plain data that JSON can hold."""
        if self.count == 1:
            return [value]
        return [json.loads(text) for text in self.all_gather_bytes(json.dumps(value).encode())]

    def unless_one_fails(self, work: Callable[[], T]) -> T:
        """Return what `work` gives here, once it has succeeded on every worker.

        A worker that failed alone would leave the others waiting in the next exchange. On one
        worker an error is raised as it is.

        Args:
            work: Exchanges nothing.

        Raises:
            DataError: Another worker has failed, the first of several on all of them. It has the
                text of an error of this package, and a note that names the worker.
        """
        if self.count == 1:
            return work()

        failure, report = None, None
        try:
            result = work()
        except Exception as error:
            failure = error
            report = [isinstance(error, LightningTFError), f"{type(error).__name__}: {error}"]

        # Every worker comes here, whether it failed or not: none is left waiting.
        failures = self.all_gather_object(report)
        first = next((i for i, failed in enumerate(failures) if failed is not None), None)
        if first is None:
            return result
        if failure is not None and report == failures[first]:
            raise failure

        is_ours, text = failures[first]
        name = f"worker {first} ({self._addresses[first]})"
        raised = DataError(text.partition(": ")[2] if is_ours else f"{name} failed: {text}")
        raised.add_note(f"This was found by {name}.")
        raise raised

    def all_gather_rows(self, array: np.ndarray) -> np.ndarray:
        """Concatenate the arrays of all workers along the first dimension.

        Args:
            array: Of one shape, but for its first dimension, and one dtype on all workers; strings
                are arrays of bytes objects.
        """
        if self.count == 1:
            return array
        if array.ndim == 0:
            raise ConfigurationError(
                "predict_step gave a scalar, which cannot be put together from several workers; "
                "return one row for each example."
            )

        if array.dtype.kind in "biuf" and 0 not in array.shape[1:]:
            contents = self.all_gather_bytes(array.tobytes())
            rows = np.concatenate([np.frombuffer(content, array.dtype) for content in contents])
            return rows.reshape(-1, *array.shape[1:])

        # Strings, bfloat16 and rows without elements: bytes alone do not tell their shapes.
        dtype = tf.as_dtype(array.dtype)
        contents = self.all_gather_bytes(tf.io.serialize_tensor(tf.constant(array)).numpy())
        return np.concatenate([tf.io.parse_tensor(text, dtype).numpy() for text in contents])

    def _sum(self, numbers: np.ndarray) -> np.ndarray:
        with self._strategy.scope():
            return np.asarray(self._sum_in_graph(tf.constant(numbers, tf.int64)).numpy())

    @cached_property
    def _sum_in_graph(self) -> Any:
        strategy = self._strategy
        local = len(strategy.extended.worker_devices)

        def on_replica(numbers: tf.Tensor) -> tf.Tensor:
            # A worker counts once, however many replicas it has.
            replica = tf.distribute.get_replica_context()
            is_first = tf.equal(replica.replica_id_in_sync_group % local, 0)
            return all_reduce(numbers * tf.cast(is_first, numbers.dtype))

        def add_up(numbers: tf.Tensor) -> tf.Tensor:
            return strategy.experimental_local_results(strategy.run(on_replica, (numbers,)))[0]

        # Of any length: it is traced once, where TensorFlow would warn of many traces.
        spec = [tf.TensorSpec([None], tf.int64)]
        return tf.function(add_up, input_signature=spec, autograph=False)

    # ---- the loss of a peer

    def explain(self, error: BaseException) -> BaseException:
        """Return the error, or one that names the peer where it means that a peer is gone."""
        if self.count == 1 or not isinstance(error, BROKEN) or not _is_of_peers(error):
            return error

        lost = self._find_lost(str(error))
        names = ", ".join(f"worker {i} ({self._addresses[i]})" for i in lost) or "another worker"
        return WorkerLostError(
            f"{names} of {self.count} is gone; worker {self.index} cannot go on without it and "
            "ends. Look at what that worker wrote last, then start all workers again: fit(task, "
            "ckpt_path='last') goes on from the newest checkpoint."
        )

    @property
    def _addresses(self) -> tuple[str, ...]:
        return () if self.cluster is None else self.cluster.addresses

    def _find_lost(self, message: str) -> list[int]:
        """Return whom the message names, else who does not answer."""
        named = {int(number) for number in LOST_TASK.findall(message)} - {self.index}
        if named:
            return sorted(i for i in named if i < self.count)

        # Again and again: the process of a worker that failed may take a while to end.
        deadline = time.monotonic() + PROBES_SECONDS
        while True:
            others = [i for i in range(self.count) if i != self.index]
            silent = [i for i in others if not _answers(self._addresses[i])]
            if silent or time.monotonic() > deadline:
                return silent
            time.sleep(0.2)


def _is_of_peers(error: tf.errors.OpError) -> bool:
    text = error.message
    return "ollective" in text or isinstance(error, tf.errors.UnavailableError)


def _answers(address: str) -> bool:
    host, port = address.rsplit(":", 1)
    try:
        socket.create_connection((host.strip("[]"), int(port)), PROBE_SECONDS).close()
    except OSError:
        return False
    return True


SINGLE_WORKER = Workers(None, None)
"""One worker, for whatever no Trainer drives."""

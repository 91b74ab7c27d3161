"""Workers: the processes of a run, and what they exchange outside of steps."""

import itertools
import json
import logging
import re
import socket
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cached_property, partial
from typing import Any, TypeVar

import numpy as np
import tensorflow as tf

from lightning_tf.distribute.activity import Activity
from lightning_tf.distribute.all_reduce import all_reduce
from lightning_tf.distribute.cluster import Cluster
from lightning_tf.distribute.replica_batch import shard_size_and_start
from lightning_tf.exceptions import ConfigurationError, DataError, LightningTFError, WorkerLostError
from lightning_tf.tensorflow_internals import (
    abort_collectives,
    publish,
    read_published,
    wait_for_all,
)

log = logging.getLogger("lightning_tf")

LOST_TASK = re.compile(r"/job:worker/(?:replica:0/)?task:(\d+)")
HEARTBEAT = "CoordinationService/Heartbeat"
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
# Longer than a pause of a machine that goes on: a migration, a frozen container or a stuck file
# system take up to a minute. A process that has ended is noticed in seconds, by its closed port.
HEARTBEAT_SECONDS = 120.0
LEAVE_SECONDS = 600.0  # for the chief to write the last checkpoint, before the others leave
TOLD_SECONDS = 5.0  # a shorter wait is not worth a line
AGAIN = "Start all workers again: fit(task, ckpt_path='last') goes on from the newest checkpoint."

REASON, REASON_SECONDS = "given_up", 1.0  # what the first worker says that ends the run

_numbers = itertools.count()  # a name may be used once in a process

T = TypeVar("T")


class Workers:
    """The processes that train together, each with replicas of its own.

    All workers must call every method that exchanges something, in the same order. On one worker
    such a method returns at once what it is given.

    Args:
        cluster: Where they are; None for one worker.
        strategy: The MultiWorkerMirroredStrategy that joins them; None for one worker.
        heartbeat_timeout: After how many seconds of silence the others give a worker up.

    Attributes:
        count: How many there are.
        index: Which one this is.
        activity: What this one is at, of all that they do together.

    Example:
        >>> Workers(None, None).all_gather([3, 4]).tolist()
        [[3, 4]]
    """

    def __init__(
        self, cluster: Cluster | None, strategy: Any, heartbeat_timeout: float = HEARTBEAT_SECONDS
    ) -> None:
        self.cluster, self._strategy = cluster, strategy
        self.heartbeat_timeout = heartbeat_timeout
        self.count = 1 if cluster is None else len(cluster.addresses)
        self.index = 0 if cluster is None else cluster.index
        self.activity = Activity()
        self._given_up = ""  # why this worker has ended the exchanges by itself

    @property
    def is_chief(self) -> bool:
        """Return whether this is the worker that writes files and prints."""
        return self.index == 0

    @property
    def is_first_on_host(self) -> bool:
        """Return whether this worker prepares data on its machine."""
        return self.cluster is None or self.cluster.is_first_on_host

    @property
    def count_on_host(self) -> int:
        """Return how many workers run on this machine, this one included."""
        return 1 if self.cluster is None else self.cluster.count_on_host

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
        name = self.name(first)
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
        with self.activity.running(), self._strategy.scope():
            return np.asarray(self._sum_in_graph(tf.constant(numbers, tf.int64)).numpy())

    @cached_property
    def _sum_in_graph(self) -> Any:
        strategy, on_replica = self._strategy, partial(sum_of_workers, self._strategy)

        def add_up(numbers: tf.Tensor) -> tf.Tensor:
            return strategy.experimental_local_results(strategy.run(on_replica, (numbers,)))[0]

        # Of any length: it is traced once, where TensorFlow would warn of many traces.
        spec = [tf.TensorSpec([None], tf.int64)]
        return tf.function(add_up, input_signature=spec, autograph=False)

    # ---- beside collectives: bounded, and from any thread

    def publish(self, key: str, value: Any) -> None:
        """Give the others plain data under a key, once in a process."""
        publish(f"{key}/{self.index}", json.dumps(value))

    def read_published(self, key: str, index: int, timeout: float) -> Any:
        """Return what another worker has published.

        Args:
            key: As it was published.
            index: Of the worker.
            timeout: How many seconds to wait for it.

        Returns:
            None where it did not come in time.
        """
        text = read_published(f"{key}/{index}", timeout)
        return None if text is None else json.loads(text)

    def leave_together(self, what: str) -> None:
        """Return once every worker is about to leave, or after `LEAVE_SECONDS`.

        The process of a worker that ends with a code has a scheduler kill the others, and with them
        the chief, which may be writing the last checkpoint.

        Args:
            what: What the others wait for, for messages: ``the chief to write``.
        """
        if self.count == 1:
            return

        said = f"worker {self.index} waits for {what}"
        teller = threading.Timer(
            TOLD_SECONDS, log.warning, (f"{said}, at most {LEAVE_SECONDS:g} s, before it leaves.",)
        )
        teller.start()
        try:
            came = wait_for_all(f"leave/{next(_numbers)}", LEAVE_SECONDS)
        finally:
            teller.cancel()
            teller.join()
        if not came:
            log.warning("%s in vain: another worker is gone or stuck; it leaves without it.", said)

    def find_gone_neighbor(self) -> int | None:
        """Return the worker before or after this one if its process has ended, else None.

        Nobody listens at its port then; a process that is stopped, and will go on, still does.
        Looked at by its two neighbors alone, a worker costs as little among hundreds.
        """
        neighbors = {(self.index + step) % self.count for step in (1, -1)} - {self.index}
        return next((i for i in sorted(neighbors) if _refuses(self._addresses[i])), None)

    def give_up(self, reason: str) -> None:
        """End the exchange in which this worker waits, and the run with it.

        Args:
            reason: What the `WorkerLostError` will say.
        """
        self._given_up = reason
        abort_collectives(reason)
        with suppress(tf.errors.OpError):  # another worker was first, or the chief is gone
            publish(REASON, reason)

    def name(self, index: int) -> str:
        """Return a worker's number and address."""
        return f"worker {index} ({self._addresses[index]})"

    # ---- the loss of a peer

    def explain(self, error: BaseException) -> BaseException:
        """Return the error, or one that names the peer where it means that a peer is gone."""
        if self.count == 1 or not isinstance(error, BROKEN) or not _is_of_peers(error):
            return error
        reason = self._given_up or self._text_of_silence()
        reason = reason or read_published(REASON, REASON_SECONDS) or ""
        if reason:
            return WorkerLostError(reason)

        return WorkerLostError(self.text_of_lost(self._find_lost(str(error))))

    def _text_of_silence(self) -> str:
        """Return what is said where the others have given this one up; empty where they have not.

        Whoever the error names was not the cause then.
        """
        silent = self.activity.silence(within=self.heartbeat_timeout)
        if silent <= 0.5 * self.heartbeat_timeout:
            return ""
        return (
            f"this one, {self.name(self.index)} of {self.count}, was silent for {silent:.0f} s "
            f"(heartbeat_timeout={self.heartbeat_timeout:g}), and the others went on without it. "
            f"{AGAIN}"
        )

    def text_of_lost(self, lost: Sequence[int]) -> str:
        """Return what is said where workers are gone."""
        names = ", ".join(self.name(i) for i in lost) or "another worker"
        return (
            f"{names} of {self.count} is gone; worker {self.index} cannot go on without it and "
            f"ends. Look at what that worker wrote last, then {AGAIN[0].lower()}{AGAIN[1:]}"
        )

    @property
    def _addresses(self) -> tuple[str, ...]:
        return () if self.cluster is None else self.cluster.addresses

    def _find_lost(self, message: str) -> list[int]:
        """Return whom the message names, else who does not answer."""
        named = {int(number) for number in LOST_TASK.findall(message)} - {self.index}
        if named:
            return sorted(i for i in named if i < self.count)
        if self.index and HEARTBEAT in message:
            return [0]  # it counts everybody's heartbeats, and does not answer

        # Again and again: the process of a worker that failed may take a while to end.
        deadline = time.monotonic() + PROBES_SECONDS
        while True:
            others = [i for i in range(self.count) if i != self.index]
            silent = [i for i in others if not _answers(self._addresses[i])]
            if silent or time.monotonic() > deadline:
                return silent
            time.sleep(0.2)


def sum_of_workers(strategy: Any, numbers: tf.Tensor) -> tf.Tensor:
    """Return the sum of what all workers have; called on every replica, in the graph."""
    # A worker counts once, however many replicas it has.
    local = len(strategy.extended.worker_devices)
    replica = tf.distribute.get_replica_context()
    is_first = tf.equal(replica.replica_id_in_sync_group % local, 0)
    return all_reduce(numbers * tf.cast(is_first, numbers.dtype))


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


def _refuses(address: str) -> bool:
    host, port = address.rsplit(":", 1)
    try:
        socket.create_connection((host.strip("[]"), int(port)), PROBE_SECONDS).close()
    except ConnectionRefusedError:
        return True
    except OSError:
        return False  # a machine that does not answer may be slow: heartbeats tell
    return False


SINGLE_WORKER = Workers(None, None)
"""One worker, for whatever no Trainer drives."""

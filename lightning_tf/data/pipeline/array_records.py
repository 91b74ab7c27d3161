"""ArrayRecords: the records of array_record files, read by index."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import Any

from lightning_tf.exceptions import ConfigurationError, DataError

THREADS = 8  # of one read: slow disks and shares answer several at a time
SPARE_FILES = 128  # what else the process may have open: its libraries, logs, checkpoints


class ArrayRecords:
    """Records of several array_record files under one index, in the order of the files.

    A file is opened when one of its records is first read and stays open until `close`; a later
    read opens it again. Reads may come from several threads.

    Args:
        label: What messages call the records.
        instructions: For each file its ``filename`` and how many records to ``skip`` and ``take``,
            as the splits of TensorFlow Datasets have them (`SplitInfo.file_instructions`).

    Raises:
        ConfigurationError: There are more files than the process may open.
        DataError: The package array_record cannot be imported.

    Example:
        >>> from types import SimpleNamespace
        >>> file = SimpleNamespace(
        ...     filename="images.array_record", skip=0, take=100, examples_in_shard=100
        ... )
        >>> len(ArrayRecords("images", [file]))
        100
    """

    def __init__(self, label: str, instructions: Sequence[Any]) -> None:
        """Note the files; none is opened."""
        self.label = label
        self._source_class = array_record_source(label)
        self._instructions = list(instructions)
        self._count: int = sum(item.take for item in self._instructions)
        self._source: Any = None
        self._opening = Lock()
        self._check_limit()

    def __len__(self) -> int:
        """Return how many records there are."""
        return self._count

    def read(self, indices: Sequence[int]) -> list[bytes]:
        """Read the records at these indices, in this order.

        Raises:
            DataError: A file is missing or damaged.
        """
        source = self._open()  # this read keeps it, should `close` be called meanwhile
        step = max(1, -(-len(indices) // THREADS))
        runs = [indices[start : start + step] for start in range(0, len(indices), step)]

        try:
            # The library's own way to read several takes a thread for each file that has one of
            # them: twice the time on 64 files. The lock of Python is free while a thread reads.
            with ThreadPoolExecutor(THREADS) as pool:
                records = pool.map(lambda run: [source[index] for index in run], runs)
                return [record for run in records for record in run]
        except (OSError, RuntimeError, ValueError) as error:
            raise DataError(
                f"{self.label}: records cannot be read ({error}); prepare the set again."
            ) from error

    def close(self) -> None:
        """Close the files."""
        self._source = None

    def _open(self) -> Any:
        with self._opening:  # several threads may read first
            if self._source is None:
                self._source = self._source_class(self._instructions)
            return self._source

    def _check_limit(self) -> None:
        import resource  # only POSIX has it, and array_record too

        files = len({item.filename for item in self._instructions})
        limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        if limit != resource.RLIM_INFINITY and files + SPARE_FILES > limit:
            raise ConfigurationError(
                f"{self.label} has {files} files, all of which stay open while it is read, but "
                f"this process may open {limit}; run `ulimit -n {files + 1024}` in the shell "
                "before it."
            )


def array_record_source(label: str) -> Any:
    """Import the class that reads array_record files.

    Args:
        label: What the message calls the data.

    Raises:
        DataError: The package array_record cannot be imported.
    """
    try:
        from array_record.python.array_record_data_source import ArrayRecordDataSource
    except ImportError as error:
        raise DataError(
            f"{label} needs the package array_record, which cannot be imported ({error}). "
            "TensorFlow Datasets brings it on Linux; on macOS, `pip install array_record`; for "
            'Windows there is none. Or pass file_format="tfrecord" and the data_dir= of another '
            "folder, where the set is prepared anew."
        ) from error
    return ArrayRecordDataSource

"""TfdsSet: a set of TensorFlow Datasets by its name, on the disk or downloaded."""

import os
import re
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lightning_tf.checks import checked_choice
from lightning_tf.data.pipeline.array_records import array_record_source
from lightning_tf.data.sources.tfds_splits import chosen_splits
from lightning_tf.exceptions import ConfigurationError, DataError, nearest

HOST = "storage.googleapis.com"  # where the library keeps its own copies and descriptions
PORT = 443
BY_INDEX = "array_record"
FILE_FORMATS = (BY_INDEX, "tfrecord")
DESCRIPTION = "dataset_info.json"


class TfdsSet:
    """A set by its name, its folder or its builder, and where it is prepared.

    Args:
        name: As `tfds.builder` takes it, with a part of the training split behind it where that is
            all that shall train (``mnist[:10%]``); the folder of a prepared set, or one that holds
            it; or a builder.
        data_dir: Where sets are prepared; None is the library's own folder.
        file_format: `array_record` or `tfrecord`, in which the set is prepared; None takes what
            is there, and else the library's own choice.
        split: What to train on, as `tfds.load` names it, such as ``train[:10%]``.
        splits: The same for ``train``, ``val`` and ``test``; see `chosen_splits`.

    Raises:
        ConfigurationError: Another file format, or what to train on is said twice.

    Example:
        >>> TfdsSet("imdb_reviews").label
        'tfds:imdb_reviews'
    """

    def __init__(
        self,
        name: Any,
        data_dir: str | os.PathLike[str] | None = None,
        file_format: str | None = None,
        split: str | None = None,
        splits: Mapping[str, str] | None = None,
    ) -> None:
        if file_format is not None:
            checked_choice("file_format", file_format, FILE_FORMATS)
        self._builder = name if is_builder(name) else None
        self.name = str(name.name if self._builder is not None else os.fspath(name))
        self.data_dir, self.file_format = data_dir, file_format

        self.name, part = split_name(self.name)
        said = [text for text in (part and f"train{part}", split, splits) if text]
        if len(said) > 1:
            raise ConfigurationError(
                f"{self.label}: {' and '.join(map(repr, said))} both say what to train on; keep "
                "one."
            )
        self._splits: Any = said[0] if said else None

    @property
    def label(self) -> str:
        """Return what messages call the set."""
        return f"tfds:{self.name}"

    def prepare(self) -> None:
        """Download and prepare the set unless that is done.

        Raises:
            ConfigurationError: It is prepared in another format than was asked for.
            DataError: It is not prepared, and there is no network, or no package for the format.
        """
        builder = self.builder()
        if builder.info.splits:
            return

        # Before the download, which may take hours: a missing package would show only after it.
        if self.file_format == BY_INDEX:
            array_record_source(self.label)

        # The library itself would wait 205 s for a host that is not there.
        try:
            socket.create_connection((HOST, PORT), timeout=3).close()
        except OSError as error:
            raise DataError(
                f"{self.label} is not prepared in {builder.data_dir}, and {HOST} cannot be "
                f"reached to download it ({error}). Prepare it where there is a network and pass "
                "data_dir= with its folder."
            ) from error
        builder.download_and_prepare(file_format=self.file_format)

    def builder(self) -> Any:
        """Return what reads the set, in the format that was asked for.

        Raises:
            ConfigurationError: There is no set of that name, or it is prepared in another format.
        """
        if self._builder is not None:
            return self._builder

        import tensorflow_datasets as tfds
        from tensorflow_datasets.core.registered import DatasetNotFoundError

        folder = prepared_folder(self.name)
        try:
            if folder is not None:
                return tfds.builder_from_directory(folder)
            builder = tfds.builder(self.name, data_dir=self.data_dir)
        except DatasetNotFoundError as error:
            # Without the known ones, which are far too many to list.
            hint = nearest(self.name, tfds.list_builders()).split(" Known:")[0]
            raise ConfigurationError(
                f"TensorFlow Datasets has no set {self.name!r}, and none of that name is prepared "
                f"in {self.data_dir or 'the default folder'}.{hint}"
            ) from error

        # Of a set that is not prepared yet, `prepare` takes the format.
        if self.file_format is not None and builder.info.splits:
            self._choose_format(builder.info, builder.data_dir)
        return builder

    @staticmethod
    def is_by_index(builder: Any) -> bool:
        """Return whether the set is prepared as files that are read by index."""
        file_format = builder.info.file_format
        return file_format is not None and file_format.value == BY_INDEX

    def splits(self, builder: Any) -> dict[str, str]:
        """Return the set's names of ``train``, ``val`` and ``test``, as far as it has them.

        Raises:
            ConfigurationError: See `chosen_splits`.
            DataError: It is not prepared, or has nothing to train on.
        """
        if not builder.info.splits:
            raise DataError(
                f"{self.label} is not prepared in {builder.data_dir}; call prepare_data(), or pass "
                "data_dir= with the folder that holds it."
            )
        return chosen_splits(self.label, builder.info, self._splits)

    @staticmethod
    def read(builder: Any, split: str, decoders: Any = None) -> Any:
        """Return a split's examples as a dataset, file after file.

        They are the same examples at the same indices every time, and in every file format.

        Args:
            builder: Reads the set.
            split: The set's name of it.
            decoders: As `tfds.load` takes them.
        """
        import tensorflow_datasets as tfds

        config = tfds.ReadConfig(try_autocache=False, interleave_cycle_length=1)
        return builder.as_dataset(
            split=split, decoders=decoders, read_config=config, shuffle_files=False
        )

    def _choose_format(self, info: Any, data_dir: str) -> None:
        # Beside the format that a set was prepared in, others may have been made of it.
        available = {item.value for item in info.available_file_formats()}
        if self.file_format not in available:
            raise ConfigurationError(
                f"{self.label} is prepared in {data_dir} as {', '.join(sorted(available))}, but "
                f"file_format is {self.file_format!r}. Leave file_format out to take it as it is, "
                "or pass the data_dir= of another folder, where it is prepared anew."
            )
        if info.file_format.value != self.file_format:
            info.set_file_format(self.file_format, override=True, override_if_initialized=True)


def is_builder(data: Any) -> bool:
    """Return whether an object is a builder of TensorFlow Datasets; does not import it."""
    return all(hasattr(data, name) for name in ("as_dataset", "info", "name"))


def split_name(name: str) -> tuple[str, str]:
    """Return a set's name, and the part of its training split that stands behind it.

    Example:
        >>> split_name("mnist[:10%]"), split_name("cifar10")
        (('mnist', '[:10%]'), ('cifar10', ''))
    """
    found = re.fullmatch(r"(.*?)(\[[^\]]*\])", name)
    return (found[1], found[2]) if found else (name, "")


def prepared_folder(name: str | os.PathLike[str]) -> Path | None:
    """Return the folder of a prepared set: this one or the only one below it; None without one.

    Raises:
        ConfigurationError: The folder holds several sets.
    """
    folder = Path(name).expanduser()
    if not folder.is_dir():
        return None

    # <set>/<version> or <set>/<config>/<version> below a data_dir.
    for pattern in (DESCRIPTION, *(f"{'*/' * depth}{DESCRIPTION}" for depth in (1, 2, 3))):
        found = sorted(path.parent for path in folder.glob(pattern))
        if len(found) > 1:
            raise ConfigurationError(
                f"{folder} holds several sets: {', '.join(map(str, found[:5]))}; give one of these."
            )
        if found:
            return found[0]
    return None

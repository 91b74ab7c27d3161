"""TfdsSet: a set of TensorFlow Datasets by its name, on the disk or downloaded."""

import os
import socket
from typing import Any

from lightning_tf.checks import checked_choice
from lightning_tf.data.pipeline.array_records import array_record_source
from lightning_tf.exceptions import ConfigurationError, DataError, nearest

HOST = "storage.googleapis.com"  # where the library keeps its own copies and descriptions
PORT = 443
BY_INDEX = "array_record"
FILE_FORMATS = (BY_INDEX, "tfrecord")
_SPLITS = {"train": ("train",), "val": ("validation", "val"), "test": ("test",)}


class TfdsSet:
    """A named set and where it is prepared.

    Args:
        name: As `tfds.builder` takes it.
        data_dir: Where sets are prepared; None is the library's own folder.
        file_format: `array_record` or `tfrecord`, in which the set is prepared; None takes what
            is there, and else the library's own choice.

    Raises:
        ConfigurationError: Another file format.

    Example:
        >>> TfdsSet("imdb_reviews").label
        'tfds:imdb_reviews'
    """

    def __init__(
        self,
        name: str,
        data_dir: str | os.PathLike[str] | None = None,
        file_format: str | None = None,
    ) -> None:
        if file_format is not None:
            checked_choice("file_format", file_format, FILE_FORMATS)
        self.name, self.data_dir, self.file_format = name, data_dir, file_format

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
        import tensorflow_datasets as tfds
        from tensorflow_datasets.core.registered import DatasetNotFoundError

        try:
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
            DataError: It is not prepared, or has nothing to train on.
        """
        names = list(builder.info.splits)
        if not names:
            raise DataError(
                f"{self.label} is not prepared in {builder.data_dir}; call prepare_data(), or pass "
                "data_dir= with the folder that holds it."
            )

        splits = {}
        for split, candidates in _SPLITS.items():
            name = next((name for name in candidates if name in names), None)
            if name is not None:
                splits[split] = name

        if "train" not in splits:
            raise DataError(f"{self.label} has no split 'train'; it has {', '.join(names)}.")
        return splits

    def keys(self, builder: Any, kind: type, name: str, key: str | None = None) -> tuple[str, str]:
        """Return the names of the features that hold the inputs and the labels.

        Args:
            builder: Reads the set.
            kind: The type of the inputs' feature.
            name: What it is taken by where there are several, and what messages call an input.
            key: The inputs' feature; None takes the one called `name`, or the first.

        Raises:
            DataError: There is no such feature, or none of labels.
        """
        import tensorflow_datasets as tfds

        features = builder.info.features
        inputs, labels = (
            [key for key, feature in features.items() if isinstance(feature, wanted)]
            for wanted in (kind, tfds.features.ClassLabel)
        )

        if key is not None and key not in inputs:
            raise DataError(
                f"{self.label} has no {name} {key!r}; its {name}s are "
                f"{', '.join(inputs) or 'none'}."
            )
        if not inputs or not labels:
            raise DataError(
                f"{self.label} holds no {name}s with one label each; its features are "
                f"{', '.join(features)}."
            )

        default = name if name in inputs else inputs[0]
        return key or default, "label" if "label" in labels else labels[0]

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

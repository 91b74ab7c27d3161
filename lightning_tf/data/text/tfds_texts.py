"""TfdsTexts: text classification sets of TensorFlow Datasets."""

import os
from typing import Any

from lightning_tf.data.pipeline.array_records import array_record_source
from lightning_tf.data.sources.tfds_set import TfdsSet
from lightning_tf.data.text.text_arrays import Pair, TextArrays


class TfdsTexts(TextArrays):
    """A set of labeled texts of TensorFlow Datasets, by name.

    A set that is prepared in `data_dir` is used without touching the network; otherwise
    `prepare_data` downloads it, and fails within seconds where there is no network. Splits named
    ``validation`` and ``test`` are used; what is missing can be held out. Examples have no
    index, so each of several workers reads the whole set.

    Args:
        name: As `tfds.builder` takes it, such as ``imdb_reviews``.
        data_dir: Where sets are prepared; None is the library's own folder.
        file_format: As `TfdsImages` takes it. The texts are kept in memory either way.
        text_key: The feature that holds the text; None takes ``text``, or the only one there is.
        **options: Those of `TextArrays`: empty, val_fraction, test_fraction, batch_size, seed,
            split_seed.

    Raises:
        ConfigurationError: No such set, or one that is prepared in another format.
        DataError: The set is not prepared and cannot be, its format cannot be read on this
            platform, or it holds no labeled texts.

    Example:
        >>> data = TfdsTexts("imdb_reviews", data_dir="tensorflow_datasets")
    """

    def __init__(
        self,
        name: str,
        *,
        data_dir: str | os.PathLike[str] | None = None,
        file_format: str | None = None,
        text_key: str | None = None,
        **options: Any,
    ) -> None:
        """Check and keep the arguments."""
        super().__init__(**options)
        self._set = TfdsSet(name, data_dir, file_format)
        self._text_key = text_key

    def prepare_data(self) -> None:
        """Download and prepare the set unless that is done."""
        self._set.prepare()

    def read(self) -> dict[str, Pair]:
        """Read every split, in the order of its files."""
        import tensorflow_datasets as tfds

        builder = self._set.builder()
        splits = self._set.splits(builder)
        text_key, label_key = self._set.keys(builder, tfds.features.Text, "text", self._text_key)
        # As names: `TextArrays` sorts out the classes of every source in the same way.
        names = builder.info.features[label_key].names

        pairs = {}
        for name, split in splits.items():
            rows = list(self._rows(builder, split))
            labels = [names[row[label_key]] for row in rows]
            pairs[name] = ([row[text_key] for row in rows], labels)
        return pairs

    def _rows(self, builder: Any, split: str) -> Any:
        if self._set.is_by_index(builder):
            array_record_source(self._set.label)  # or an error that names the package
            return builder.as_data_source(split)
        return self._set.read(builder, split).as_numpy_iterator()

"""TfdsTexts: text classification sets of TensorFlow Datasets."""

import logging
import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from lightning_tf.data.labels import checked_labels
from lightning_tf.data.pipeline.array_records import array_record_source
from lightning_tf.data.sources.tfds_features import chosen_features, is_class_label
from lightning_tf.data.sources.tfds_set import TfdsSet
from lightning_tf.data.text.text_arrays import Pair, TextArrays

_log = logging.getLogger(__name__)


class TfdsTexts(TextArrays):
    """A set of labeled texts of TensorFlow Datasets, by its name, folder or builder.

    A set that is prepared in `data_dir` is used without touching the network; otherwise
    `prepare_data` downloads it, and fails within seconds where there is no network. Which splits
    are used says `chosen_splits`, and the log; what is missing can be held out. A held-out split
    without labels (-1) is predicted and not tested on. Examples have no index, so each of several
    workers reads the whole set.

    Args:
        name: As `tfds.builder` takes it, such as ``imdb_reviews`` or, to train on a part,
            ``imdb_reviews[:10%]``; the folder of a prepared set; or a builder.
        data_dir: Where sets are prepared; None is the library's own folder.
        file_format: As `TfdsImages` takes it. The texts are kept in memory either way.
        split: What to train on, such as ``train[:10%]``; the set's own other splits are kept.
        splits: What to train, validate and test on, such as
            ``{"train": "train[:80%]", "val": "train[80%:]"}``.
        text_key: The feature that holds the text; see `chosen_features`.
        label_key: The feature that holds the label: a ClassLabel, or integers.
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
        name: Any,
        *,
        data_dir: str | os.PathLike[str] | None = None,
        file_format: str | None = None,
        split: str | None = None,
        splits: Mapping[str, str] | None = None,
        text_key: str | None = None,
        label_key: str | None = None,
        **options: Any,
    ) -> None:
        """Check and keep the arguments."""
        super().__init__(**options)
        self._set = TfdsSet(name, data_dir, file_format, split, splits)
        self._keys = (text_key, label_key)

    def prepare_data(self) -> None:
        """Download and prepare the set unless that is done."""
        self._set.prepare()

    def read(self) -> dict[str, Pair]:
        """Read every split, in the order of its files."""
        import tensorflow_datasets as tfds

        builder = self._set.builder()
        splits = self._set.splits(builder)
        text_key, label_key = chosen_features(
            self._set.label, builder.info, tfds.features.Text, "text", *self._keys
        )
        feature = builder.info.features[label_key]
        # As names: `TextArrays` sorts out the classes of every source in the same way.
        names = feature.names if is_class_label(feature) else None

        pairs = {}
        for name, split in splits.items():
            rows = list(self._rows(builder, split))
            texts = [row[text_key] for row in rows]
            codes = np.array([row[label_key] for row in rows], np.int64)
            if name != "train" and (codes == -1).all():
                self._take_unlabeled(name, texts)
                continue
            count = None if names is None else len(names)
            places = checked_labels(f"{self._set.label} {name}", codes, count)
            pairs[name] = (texts, places if names is None else [names[code] for code in places])
        return pairs

    def _take_unlabeled(self, name: str, texts: list[Any]) -> None:
        """Predict the texts of a test split without labels, and say so."""
        _log.warning(
            "%s: the %s split has no labels (-1); %s.",
            self._set.label,
            name,
            "it is predicted, not tested on" if name == "test" else "it is left out",
        )
        if name == "test":
            self._predict = texts

    def _rows(self, builder: Any, split: str) -> Any:
        if self._set.is_by_index(builder):
            array_record_source(self._set.label)  # or an error that names the package
            return builder.as_data_source(split)
        return self._set.read(builder, split).as_numpy_iterator()

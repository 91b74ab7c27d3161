"""text_data: the `data=` argument of a text task, resolved."""

import os
from pathlib import Path
from typing import Any

import tensorflow as tf

from lightning_tf.data.data_module import DataModule
from lightning_tf.data.sources.hugging_face import is_hugging_face
from lightning_tf.data.sources.options import refuse_unknown, source_options, use_as_is
from lightning_tf.data.sources.order_options import take_order_options, with_order
from lightning_tf.data.sources.python_batches import is_python_batches
from lightning_tf.data.sources.table_file import ENDINGS, is_frame, is_records, is_table_file
from lightning_tf.data.sources.tfds_set import DESCRIPTION, is_builder
from lightning_tf.data.text.named_sets import BbcNews, Imdb
from lightning_tf.data.text.text_arrays import TextArrays
from lightning_tf.data.text.text_datasets import TextDatasets
from lightning_tf.data.text.text_folder import TextFolder
from lightning_tf.data.text.text_table import TextTable
from lightning_tf.data.text.tfds_texts import TfdsTexts
from lightning_tf.exceptions import ConfigurationError, nearest
from lightning_tf.storage.remote_data import local_data

BUILT_IN: dict[str, type[TextArrays]] = {"bbc_news": BbcNews, "imdb": Imdb}
"""Names that `text_data` knows without a prefix."""
FIXED: dict[type, set[str]] = {
    BbcNews: {"val", "test", "class_names"},
    Imdb: {
        *("val", "test", "text_column", "label_column"),
        *("encoding", "sep", "quoting", "class_names"),
    },
    TfdsTexts: {"val", "test", "class_names"},
}
"""Options that sources inherit and that are fixed in them."""


def text_data(data: Any, **options: Any) -> DataModule:
    """Make a DataModule of labeled texts from what a user writes.

    Every option is handed to the source; None leaves the source's default, and one that the
    source does not know is an error.

    Args:
        data: A name of `BUILT_IN`; ``"tfds:<name>"``, the folder of a prepared set, or a builder of
            TensorFlow Datasets; a CSV, TSV or Parquet file, a DataFrame, rows as dicts, or a
            Dataset or DatasetDict of HuggingFace; a folder of class folders; a pair
            ``(texts, labels)``, or a pair or triple of such pairs for training, validation and
            testing; a batched `tf.data.Dataset`, or a pair or triple of them; a PyDataset, a torch
            DataLoader or a function that returns an iterator of batches; or a DataModule of
            such batches, which is returned as it is. ``"imdb"`` without its files is
            ``"tfds:imdb_reviews"``.
        **options: Those of the source: batch_size, seed, split_seed, val_fraction, test_fraction,
            empty, class_names; `data_dir` for a named set; `file_format`, `split`, `splits`,
            `text_key` and `label_key` for ``tfds:``; `val`, `test`, `text_column`, `label_column`,
            `encoding`, `sep` and `quoting` for a table; `classes`, `splits`, `endings` and
            `encoding` for a folder; `val`, `test` and `predict` for lists; `sampling`, `shuffle`
            and `drop_remainder` as of `image_data`.

    Raises:
        ConfigurationError: An unknown name, no such file, or an option that the source lacks.

    Example:
        >>> data = text_data((["good", "fine", "dull", "poor"], [1, 1, 0, 0]), batch_size=2)
        >>> data.setup("fit")
        >>> [len(labels) for texts, labels in data.train_dataset(epoch=0)]
        [2, 2]
    """
    options = {key: local_data(value) for key, value in options.items() if value is not None}
    data = local_data(data)
    if isinstance(data, DataModule):
        return use_as_is(data, options)
    order = take_order_options(options)
    source, arguments = _source(data, options.get("data_dir"))
    refuse_unknown(source, data, options, _options(source))
    return with_order(source(*arguments, **options), order)


def takes_class_names(data: Any) -> bool:
    """Return whether `text_data` makes a source of `data` that takes `class_names`."""
    if data is None or isinstance(data, DataModule):
        return False
    return "class_names" in _options(_source(data, None)[0])


def _options(source: type) -> set[str]:
    return source_options(source) - {"train"} - FIXED.get(source, set())


def _source(data: Any, data_dir: Any) -> tuple[type[DataModule], tuple[Any, ...]]:
    if is_records(data) or is_hugging_face(data):
        return TextTable, (data,)
    # A list is images or texts and their labels; batches in one go through `TextDatasets` itself.
    if isinstance(data, tf.data.Dataset) or (
        not isinstance(data, list) and is_python_batches(data)
    ):
        return TextDatasets, (data,)
    if isinstance(data, (tuple, list)) and 2 <= len(data) <= 3:
        if all(item is None or isinstance(item, tf.data.Dataset) for item in data):
            return TextDatasets, tuple(data)
        if all(item is None or _is_labeled(item) for item in data):
            return TextArrays, tuple(None if item is None else tuple(item) for item in data)
        if len(data) == 2:
            return TextArrays, (tuple(data),)

    if is_builder(data):
        return TfdsTexts, (data,)
    if isinstance(data, (str, os.PathLike)):
        return _named_source(os.fspath(data), data_dir)
    if is_frame(data):
        return TextTable, (data,)
    raise ConfigurationError(
        f"data is a {type(data).__name__}; give a name, a table, a folder, a pair "
        "(texts, labels), tf.data.Datasets or a DataModule."
    )


def _is_labeled(item: Any) -> bool:
    """Return whether an item is a pair of several texts and their labels, and no list of two."""
    if not isinstance(item, (tuple, list)) or len(item) != 2:
        return False
    return all(hasattr(part, "__len__") and not isinstance(part, (str, bytes)) for part in item)


def _named_source(name: str, data_dir: Any) -> tuple[type[DataModule], tuple[Any, ...]]:
    # A name before a folder: one called "imdb" beside the program must not change what it means.
    if name.startswith("tfds:"):
        return TfdsTexts, (name.removeprefix("tfds:"),)

    if name == "imdb" and not Imdb.is_at_hand(data_dir):
        return TfdsTexts, ("imdb_reviews",)
    if name in BUILT_IN:
        return BUILT_IN[name], ()

    if (Path(name).expanduser() / DESCRIPTION).is_file():
        return TfdsTexts, (name,)
    if Path(name).expanduser().is_dir():
        return TextFolder, (name,)
    if is_table_file(name):
        return TextTable, (name,)
    raise ConfigurationError(
        f"data={name!r} is neither a known name nor a folder nor a table ({' '.join(ENDINGS)}) "
        f"that is there.{nearest(name, [*BUILT_IN, 'tfds:<name>'])}"
    )

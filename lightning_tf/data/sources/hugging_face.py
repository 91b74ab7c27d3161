"""Data sets of HuggingFace's package datasets, as tables by split."""

import logging
from typing import Any

import numpy as np

from lightning_tf.data.sources.split_folders import splits_by_name
from lightning_tf.exceptions import ConfigurationError

_log = logging.getLogger(__name__)


def is_hugging_face(data: Any) -> bool:
    """Return whether data are a Dataset or a DatasetDict of the package datasets.

    Raises:
        ConfigurationError: They are a stream, which cannot be read by index.

    Example:
        >>> is_hugging_face({"text": ["good"]})
        False
    """
    if type(data).__module__.partition(".")[0] != "datasets":
        return False
    name = type(data).__name__
    if name.startswith("Iterable"):
        raise ConfigurationError(
            f"data is an {name} of HuggingFace, a stream; load it with streaming=False, or give a "
            "function that returns an iterator of batches, such as lambda: data.iter(32)."
        )
    return name in ("Dataset", "DatasetDict")


def hugging_face_splits(data: Any) -> dict[str, Any]:
    """Return the data sets of a DatasetDict by split; one alone is that of training.

    Splits go by their names, see `splits_by_name`; others, and a second one of a split, are left
    out, and the log says so.

    Args:
        data: What `is_hugging_face` takes.

    Raises:
        ConfigurationError: No split is of training.
    """
    if type(data).__name__ == "Dataset":
        return {"train": data}
    places = splits_by_name(data)
    splits: dict[str, Any] = {}
    for name, split in places.items():
        if split is not None:
            splits.setdefault(split, data[name])
    if "train" not in splits:
        raise ConfigurationError(
            f"the DatasetDict has the splits {', '.join(data)} and none to train on; name one "
            "train, as in DatasetDict(train=data['part'])."
        )
    others = [name for name in data if not any(data[name] is part for part in splits.values())]
    if others:
        _log.warning("The DatasetDict's splits %s are left out.", ", ".join(others))
    return splits


def class_names_of(dataset: Any, column: str) -> list[str] | None:
    """Return the names of a column of class labels; None of another column."""
    names = getattr(dataset.features.get(column), "names", None)
    return None if names is None else [str(name) for name in names]


def hugging_face_frame(dataset: Any) -> Any:
    """Return a data set as a DataFrame of pandas, class labels by their names.

    A label that is missing, -1 in such sets, is None.
    """
    table = dataset.with_format(None).to_pandas()
    for column in table.columns:
        names = class_names_of(dataset, column)
        if names is not None:
            # The place behind the last is that of -1.
            by_place = np.array([*names, None], object)
            table[column] = by_place[table[column].fillna(-1).astype(int).to_numpy()]
    return table

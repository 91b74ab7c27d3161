"""given_data: what a user hands to an entry point, or keeps in `Task.data`, as a DataModule."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from lightning_tf.checks import check_known, describe
from lightning_tf.data.array_data import ArrayData, checked_arrays
from lightning_tf.data.data_module import DataModule
from lightning_tf.data.sources.dataset_pair import DatasetPair, batches_of, require_batches
from lightning_tf.data.sources.python_batches import is_python_batches
from lightning_tf.data.sources.stage_data import StageData
from lightning_tf.data.sources.stream_batches import is_stream
from lightning_tf.exceptions import ConfigurationError, DataError

STAGES = ("train", "val", "test", "predict")
WANTED = (
    "give arrays (x, y), a batched tf.data.Dataset, a dict or list of several, a PyDataset, a "
    "torch DataLoader, a data set of Grain, a function that returns an iterator of batches, or a "
    "DataModule (of lightning_tf.data for folders, tables and texts)"
)


def splits_of(data: Any) -> dict[str, Any]:
    """Return what `Task.data` holds, by stage: training data, unless it is a dict that says.

    Raises:
        ConfigurationError: Some keys of a dict are stages and others are none.

    Example:
        >>> splits_of({"train": 1, "test": 2}), splits_of([3])
        ({'train': 1, 'test': 2}, {'train': [3]})
    """
    if not isinstance(data, Mapping) or not set(STAGES) & set(data):
        return {"train": data}
    for name in data:
        check_known(f"data has {name!r} beside {sorted(set(STAGES) & set(data))}", name, STAGES)
    return {name: part for name, part in data.items() if part is not None}


def given_data(splits: Mapping[str, Any], batch_size: int = 32) -> DataModule:
    """Return data by stage as one DataModule.

    Arrays are shuffled by (seed, epoch) for training, and come in their order for all else; nothing
    is held out of them. Of a DataModule its own data of the stage are taken.

    Args:
        splits: By ``train``, ``val``, ``test`` and ``predict``.
        batch_size: Of arrays; all else brings its own batches.

    Raises:
        ConfigurationError: Something is no data.
        DataError: Arrays or datasets are empty, or of no use.

    Example:
        >>> data = given_data({"train": (np.zeros((8, 2)), np.zeros(8)), "test": np.ones((3, 2))})
        >>> len(data.test_dataset())
        1
    """
    train = splits.get("train")
    if isinstance(train, DataModule) and len(splits) == 1:
        return train

    modules: dict[str, tuple[DataModule, str]] = {}
    datasets: dict[str, Any] = {}
    for stage, data in splits.items():
        part = _part(stage, data, batch_size)
        if not isinstance(part, DataModule):
            datasets[stage] = part
        else:
            # Arrays and batches are held as training data, whatever they are for.
            modules[stage] = part, stage if part is data else "train"
    if list(modules) == ["train"] and not datasets:
        return modules["train"][0]
    return StageData(modules, datasets)


def _part(stage: str, data: Any, batch_size: int) -> Any:
    """Return one stage's data as a DataModule, or as what a dataset method may return."""
    if isinstance(data, DataModule):
        return data
    if isinstance(data, tf.data.Dataset):
        require_batches(stage, data.element_spec)
        return DatasetPair(data) if stage == "train" else data
    if _are_datasets(data):
        sets = data.values() if isinstance(data, Mapping) else data
        for each in sets:
            require_batches(stage, each.element_spec)
        return data
    if _are_pairs(data):
        return _several_arrays(stage, data, batch_size)
    if is_stream(data) or is_python_batches(data):
        return DatasetPair(data) if stage == "train" else batches_of(stage, data)
    return _arrays(stage, data, batch_size)


def _arrays(stage: str, data: Any, batch_size: int) -> ArrayData:
    is_pair = isinstance(data, tuple)
    if isinstance(data, (str, bytes)) or hasattr(data, "__fspath__"):
        raise ConfigurationError(
            f"{stage} data are {data!r}: what a file or folder means only its source knows; "
            f"{WANTED}."
        )
    if is_pair and (len(data) != 2 or any(isinstance(p, tf.data.Dataset) for p in data)):
        raise ConfigurationError(
            f"{stage} data are a tuple of {len(data)} ({', '.join(type(p).__name__ for p in data)})"
            f"; {WANTED}. Data of several stages are a dict: {{'train': ..., 'val': ...}}."
        )
    x, y = data if is_pair else (data, None)
    x, y = (np.asarray(part) if _is_nested_list(part) else part for part in (x, y))
    if any(not _is_array(part) for part in tf.nest.flatten((x, y)) if part is not None):
        raise ConfigurationError(f"{stage} data are {describe(data)}; {WANTED}.")

    y = None if stage == "predict" else y
    try:
        arrays = ArrayData(x, y, val_fraction=0.0, batch_size=batch_size)
    except DataError:
        checked_arrays(stage, x, y)  # says the same of this stage: ArrayData know theirs as train
        raise
    arrays.shuffle = stage == "train"
    return arrays


def _several_arrays(stage: str, data: Any, batch_size: int) -> Any:
    """Return pairs of arrays as datasets by name or number."""
    if stage == "train":
        raise ConfigurationError(
            "train data are several pairs of arrays, whose order in an epoch nobody decides: "
            "return a dict of datasets from train_dataset(epoch) of a DataModule."
        )
    named = data.items() if isinstance(data, Mapping) else enumerate(data)
    # In their order: of no stage but training are arrays shuffled.
    sets = {name: _arrays(stage, pair, batch_size).train_dataset(0) for name, pair in named}
    return sets if isinstance(data, Mapping) else list(sets.values())


def _are_pairs(data: Any) -> bool:
    """Return whether data are pairs (x, y) of several data sets, by name or in a list."""
    if not isinstance(data, (Mapping, list)) or not data:
        return False
    parts = data.values() if isinstance(data, Mapping) else data
    return all(isinstance(part, tuple) and len(part) == 2 for part in parts) and all(
        _is_array(array) for part in parts for array in tf.nest.flatten(part)
    )


def _are_datasets(data: Any) -> bool:
    if not isinstance(data, (Mapping, list)) or not data:
        return False
    parts = data.values() if isinstance(data, Mapping) else data
    return all(isinstance(part, tf.data.Dataset) for part in parts)


def _is_nested_list(part: Any) -> bool:
    """Return whether a list is of numbers, at whatever depth: examples, not several inputs."""
    return isinstance(part, list) and all(
        isinstance(number, (int, float)) for number in tf.nest.flatten(part)
    )


def _is_array(part: Any) -> bool:
    return hasattr(part, "__array__") or isinstance(part, (int, float))

"""What fit takes as data, as a DataModule."""

from collections.abc import Iterator, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from lightning_tf.checks import checked_integer, describe, is_number
from lightning_tf.data.array_data import ArrayData, checked_arrays
from lightning_tf.data.data_module import DataModule
from lightning_tf.data.pipeline.array_source import ArraySource
from lightning_tf.data.sources.dataset_pair import DatasetPair
from lightning_tf.data.sources.hugging_face import is_hugging_face
from lightning_tf.data.sources.order_options import take_order_options, with_order
from lightning_tf.data.sources.python_batches import is_python_batches
from lightning_tf.exceptions import ConfigurationError
from lightning_tf.tasks.keras_task.batch_parts import Weighted
from lightning_tf.tasks.keras_task.column_arrays import column_arrays

BATCH_SIZE = 32  # as in fit
HELD_OUT = {"validation_data": "val", "test_data": "test"}
OF_ARRAYS = ("validation_split", "val_fraction", "batch_size", "validation_batch_size")


class ArraysBesideBatches(ArrayData):
    """Arrays to train on, beside batches to validate or test on.

    Args:
        x: Inputs.
        y: Targets.
        beside: Gives the batches of the splits that have some.
        options: Of `ArrayData`.
    """

    def __init__(self, x: Any, y: Any, beside: DatasetPair, **options: Any) -> None:
        super().__init__(x, y, **options)
        self._beside = beside

    def val_dataset(self) -> tf.data.Dataset | None:
        """Return the validation batches."""
        return self._beside.val_dataset() or super().val_dataset()

    def test_dataset(self) -> tf.data.Dataset | None:
        """Return the test batches."""
        return self._beside.test_dataset() or super().test_dataset()

    def predict_dataset(self) -> tf.data.Dataset | None:
        """Return the inputs of the test batches."""
        return self._beside.predict_dataset() or super().predict_dataset()


def fit_data(given: dict[str, Any], options: dict[str, Any]) -> DataModule:
    """Return what a KerasTask gets as a DataModule.

    Args:
        given: ``data``, ``validation_data`` and ``test_data``, None where there are none.
        options: The other arguments of a KerasTask that are about data, None where not given.

    Raises:
        ConfigurationError: Data of a kind that nobody knows, or an option that does not go with
            them.
        DataError: Arrays are empty, of different lengths, of objects, or hold NaN or infinity.
    """
    options = {name: value for name, value in options.items() if value is not None}
    steps = options.pop("steps_per_epoch", None)
    names = [name for name in ("columns", "label_columns") if name in options]
    columns: dict[str, Any] = {name: options.pop(name) for name in names}
    if any(is_hugging_face(part) for part in given.values()):
        given = column_arrays(given, **columns)
    else:
        kind = type(given["data"]).__name__
        _refuse(columns, f"a {kind}, and only HuggingFace's data sets have columns")

    data = _module(given, options)
    if steps is not None:
        data.steps_per_epoch = checked_integer("steps_per_epoch", steps, least=1)
    return data


def prediction_inputs(data: Any) -> Any:
    """Return data to predict, lists of numbers as an array.

    Raises:
        ConfigurationError: They are no arrays and no batches.
        DataError: They are empty, of objects, or hold NaN or infinity.

    Example:
        >>> prediction_inputs([[1.0, 2.0]]).shape
        (1, 2)
    """
    if isinstance(data, list) and data and all(is_number(x) for x in tf.nest.flatten(data)):
        data = np.asarray(data) if len({np.shape(row) for row in data}) == 1 else data
    if brings_sets(data) or is_hugging_face(data) or _is_batches(data):
        return data
    if not _is_arrays(data):
        raise ConfigurationError(
            f"the data to predict are {describe(data)}; give an array of examples, a dict of "
            "arrays for several inputs, lists of numbers, or batches."
        )
    checked_arrays("predict", *_pair("predict", data))  # which says so before they are test_data
    return data


def brings_sets(data: Any) -> bool:
    """Return whether data are a DataModule, or several data sets in a dict or list."""
    sets = data.values() if isinstance(data, Mapping) else data if isinstance(data, list) else ()
    several = bool(sets) and all(isinstance(each, tf.data.Dataset) for each in sets)
    return isinstance(data, DataModule) or several


def evaluation_options(splits: Mapping[str, Any], options: dict[str, Any]) -> dict[str, Any]:
    """Return the options that data without training have a use for."""
    kept = ["columns", "label_columns"] if any(map(is_hugging_face, splits.values())) else []
    if kept or any(map(_is_arrays, splits.values())):
        kept.append("batch_size")
    return {name: options[name] for name in kept}


def _module(given: dict[str, Any], options: dict[str, Any]) -> DataModule:
    data = given["data"]
    held_out = {name: given[name] for name in HELD_OUT if given[name] is not None}
    if isinstance(data, DataModule):
        _refuse({**options, **held_out}, f"a {type(data).__name__}, which brings its own")
        return data

    order = take_order_options(options)
    for name in ("batch_size", "validation_batch_size"):
        if name in options:
            checked_integer(name, options[name], least=1)
    if _is_arrays(data):
        return with_order(_of_arrays(data, held_out, **options), order)
    if data is None and held_out:
        _refuse(order, "None, and there is no training to order")
        return _of_batches(None, held_out, options)
    if _is_batches(data):
        shuffle = {}
        if isinstance(data, (keras.utils.PyDataset, list)) and "shuffle" in order:
            shuffle = {"shuffle": order.pop("shuffle")}
        return with_order(_of_batches(data, held_out, options, **shuffle), order)
    raise ConfigurationError(
        f"data is a {type(data).__name__}; give arrays (x, y) or (x, y, sample_weight), a batched "
        "tf.data.Dataset, a PyDataset, a torch DataLoader, a list of batches, a function that "
        "returns an iterator of them, a Dataset of HuggingFace, or a DataModule."
    )


def _of_arrays(
    data: Any,
    held_out: dict[str, Any],
    validation_split: float | None = None,
    val_fraction: float | None = None,
    batch_size: int = BATCH_SIZE,
    validation_batch_size: int | None = None,
) -> ArrayData:
    x, y = _pair("data", data)
    if validation_split is not None:
        if val_fraction is not None or "validation_data" in held_out:
            raise ConfigurationError(
                f"validation_split={validation_split!r} beside validation_data or val_fraction; "
                "give one of them."
            )
        (x, y), last = _split(x, y, validation_split)
        held_out = {**held_out, "validation_data": _Checked(last)}
    arrays, batches = {}, {}
    for name, part in held_out.items():
        pair = _pair(name, part) if _is_arrays(part) else None
        if pair is not None and (pair[1] is None) == (y is None):
            arrays[HELD_OUT[name]] = pair if y is not None else pair[0]
        else:
            size = validation_batch_size if name == "validation_data" else None
            batches[HELD_OUT[name]] = _batched(name, part, size or batch_size)
    # As Keras: nothing is held out unless asked for.
    if val_fraction is None and "val" not in arrays:
        val_fraction = 0.0
    options: dict[str, Any] = {**arrays, "val_fraction": val_fraction, "batch_size": batch_size}
    module = (
        ArraysBesideBatches(x, y, DatasetPair(None, **batches), **options)
        if batches
        else ArrayData(x, y, **options)
    )
    module.val_batch_size = validation_batch_size
    return module


def _of_batches(
    data: Any, held_out: dict[str, Any], options: dict[str, Any], **shuffle: bool
) -> DatasetPair:
    kind = f"a {type(data).__name__}, which brings its own batches"
    if any(map(_is_arrays, held_out.values())):  # these have no batches yet
        sizes = {n: options.pop(n, None) for n in ("batch_size", "validation_batch_size")}
    else:
        sizes = {}
    if data is not None and sizes.get("batch_size") is not None:
        _refuse({"batch_size": sizes["batch_size"]}, kind)
    _refuse(options, kind)

    batch_size = sizes.get("batch_size") or BATCH_SIZE
    batches = {}
    for name, part in held_out.items():
        size = sizes.get("validation_batch_size") if name == "validation_data" else None
        batches[HELD_OUT[name]] = _batched(name, part, size or batch_size)
    return DatasetPair(data, **batches, **shuffle)


class _Checked:
    """A pair of arrays that are taken apart and checked already."""

    def __init__(self, pair: tuple[Any, Any]) -> None:
        self.pair = pair


def _is_arrays(data: Any) -> bool:
    """Return whether data are arrays: ``x`` alone, or a tuple of x, y and weights.

    Raises:
        ConfigurationError: One is ragged or sparse, which is read by no index.
    """
    for part in tf.nest.flatten(data) if not isinstance(data, _Checked) else ():
        if isinstance(part, (tf.RaggedTensor, tf.SparseTensor)) or _is_scipy(part):
            raise ConfigurationError(
                f"an array of the data is a {type(part).__name__}, of which no row is read by its "
                "index; give batches: tf.data.Dataset.from_tensor_slices((x, y)).batch(32), of "
                "scipy's matrices a function that gives batches of dense rows."
            )
    if isinstance(data, (tuple, list)):
        return len(data) in (2, 3) or (isinstance(data, tuple) and len(data) == 1)
    if isinstance(data, (Mapping, _Checked)):
        return True
    is_array = hasattr(data, "shape") and hasattr(data, "__getitem__")
    return is_array and not isinstance(data, (tf.data.Dataset, keras.utils.PyDataset))


def _is_scipy(part: Any) -> bool:
    return type(part).__module__.startswith("scipy.sparse")


def _is_batches(data: Any) -> bool:
    return isinstance(data, (tf.data.Dataset, Iterator)) or is_python_batches(data)


def _pair(name: str, data: Any) -> tuple[Any, Any]:
    """Return arrays as inputs and targets, which carry the weights where there are some."""
    if isinstance(data, _Checked):
        return data.pair
    x, y, weight = (
        (*data, None, None)[:3] if isinstance(data, (tuple, list)) else (data, None, None)
    )
    if y is None and weight is not None:
        raise ConfigurationError(f"{name} has weights and no targets; give (x, y, sample_weight).")
    if y is None:
        # A list of arrays is several inputs, as for Keras: there are no targets to count by.
        return (tuple(x) if isinstance(x, list) and _are_arrays(x) else x), None
    y = _several(x, y)
    return x, y if weight is None else Weighted(y, _several(x, weight))


def _several(x: Any, y: Any) -> Any:
    """Return a list of arrays, one for each output, as a tuple: tf.data would stack a list."""
    if not isinstance(y, list) or not _are_arrays(y):
        return y
    first = next((part for part in tf.nest.flatten(x) if hasattr(part, "shape")), None)
    is_rows = first is not None and len(y) == len(first) and any(len(p) != len(y) for p in y)
    return np.asarray(y) if is_rows else tuple(y)


def _are_arrays(values: list[Any]) -> bool:
    return all(value is None or (hasattr(value, "shape") and np.ndim(value)) for value in values)


def _split(x: Any, y: Any, share: Any) -> tuple[tuple[Any, Any], tuple[Any, Any]]:
    """Return the first and the last part of arrays, as fit's validation_split does."""
    if not is_number(share) or not 0.0 < share < 1.0:
        raise ConfigurationError(f"validation_split={share!r}: give a share between 0 and 1.")
    pair = checked_arrays("train", x, y)
    length = next(len(array) for array in tf.nest.flatten(pair) if array is not None)
    first = int(length * (1.0 - share))
    if first in (0, length):
        raise ConfigurationError(
            f"validation_split={share!r} of {length} examples leaves {first} to train on and "
            f"{length - first} to validate on."
        )
    parts = [
        tf.nest.map_structure(lambda a, part=part: None if a is None else a[part], pair)
        for part in (slice(first), slice(first, None))
    ]
    return parts[0], parts[1]


def _batched(name: str, data: Any, batch_size: int) -> Any:
    """Return arrays in batches, and batches as they are."""
    if not _is_arrays(data):
        return data
    pair = checked_arrays(name, *_pair(name, data))
    length = next(len(array) for array in tf.nest.flatten(pair) if array is not None)
    return ArraySource(*pair).batches(np.arange(length), batch_size)


def _refuse(options: dict[str, Any], reason: str) -> None:
    for name, value in options.items():
        raise ConfigurationError(f"{name}={value!r} has no meaning: data is {reason}.")

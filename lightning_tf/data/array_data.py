"""ArrayData: NumPy arrays as a DataModule."""

from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from lightning_tf.data.indexed_data import IndexedData, Split
from lightning_tf.data.pipeline.array_source import ArraySource
from lightning_tf.exceptions import ConfigurationError, DataError


class ArrayData(IndexedData):
    """Arrays in memory, split by seed where no validation or test arrays are given.

    An element is ``(x, y)``, or ``x`` alone without targets. Arrays of float64 become float32,
    what Keras computes in; every other dtype stays (uint8 images take a quarter of the memory).

    Args:
        x: Inputs of shape (examples, ...), or a nest of such arrays.
        y: Targets of shape (examples, ...), or None. Integers of shape (examples,) that all occur
            more than once are taken as classes, and every split has them in the same proportion.
        val: A pair ``(x, y)`` (or ``x`` alone where `y` is None) to validate on.
        test: The same, to test on.
        predict: Inputs to predict; without them, the test inputs are predicted.
        val_fraction: Share of ``(x, y)`` to hold out for validation, 0.1 where `val` is None.
        test_fraction: Share of ``(x, y)`` to hold out for testing, 0 by default.
        batch_size: Examples in a global batch.
        seed: Decides the order of training examples; None follows the Trainer's seed.
        split_seed: Decides which examples are held out.

    Raises:
        ConfigurationError: Both arrays and a fraction are given for a split, or a fraction is
            outside [0, 1); raised by `setup`.
        DataError: Arrays are empty, of different lengths, of objects, or hold NaN or infinity.

    Example:
        >>> data = ArrayData(np.zeros((100, 8)), np.arange(100) % 2, val_fraction=0.2)
        >>> [len(batch_y) for _, batch_y in data.train_dataset(epoch=0)]
        [32, 32, 16]
    """

    def __init__(
        self,
        x: Any,
        y: Any = None,
        *,
        val: Any = None,
        test: Any = None,
        predict: Any = None,
        val_fraction: float | None = None,
        test_fraction: float | None = None,
        batch_size: int = 32,
        seed: int | None = None,
        split_seed: int = 0,
    ) -> None:
        """Check and keep the arguments."""
        super().__init__(batch_size, seed, split_seed, val_fraction, test_fraction)
        self._arrays = {"train": checked_arrays("train", x, y)}
        for name, pair in (("val", val), ("test", test)):
            if pair is not None:
                held_out = (pair, None) if y is None else _pair(name, pair)
                self._arrays[name] = checked_arrays(name, *held_out)
        if predict is not None:
            self._arrays["predict"] = checked_arrays("predict", predict, None)

    def load(self) -> dict[str, Split]:
        """Move the arrays into the input pipeline and split them."""
        arrays, self._arrays = self._arrays, {}  # no second copy while training
        sources = {name: ArraySource(*pair) for name, pair in arrays.items()}
        rows = {name: np.arange(_length(pair), dtype=np.int64) for name, pair in arrays.items()}

        # Every split that was given has a source, and indices into that.
        splits = self.hold_out(sources["train"], rows, _classes(arrays["train"][1]))
        return {
            name: Split(sources.get(name, split.source), split.indices)
            for name, split in splits.items()
        }


def checked_arrays(name: str, x: Any, y: Any) -> tuple[Any, Any]:
    """Return inputs and targets as NumPy arrays that TensorFlow can take.

    Raises:
        DataError: They are empty, of different lengths, of objects, or hold NaN or infinity.
    """
    if isinstance(y, list) and all(np.ndim(value) == 0 for value in y):
        y = np.asarray(y)  # one number each; a nest would be an array each
    if isinstance(x, list):
        x = _examples_or_inputs(name, x, y)
    pair = (
        tf.nest.map_structure(lambda array: _checked_array(f"{name} x", array), x),
        None if y is None else tf.nest.map_structure(lambda a: _checked_array(f"{name} y", a), y),
    )

    # One length for all, whatever the nest.
    lengths = {len(array) for array in tf.nest.flatten(pair) if array is not None}
    if len(lengths) != 1:
        shapes = [array.shape for array in tf.nest.flatten(pair) if array is not None]
        raise DataError(
            f"The {name} arrays have different numbers of examples: shapes {shapes}; "
            "the first dimensions must be equal."
        )

    if lengths == {0}:
        raise DataError(f"The {name} arrays are empty; give at least one example.")
    return pair


def _examples_or_inputs(name: str, x: list[Any], y: Any) -> Any:
    """Return a list as the array of its items, the examples, or as the tuple of several inputs.

    Raises:
        DataError: It is neither.
    """
    lengths = {len(item) if np.ndim(item) else -1 for item in x if hasattr(item, "shape")}
    count = None if y is None or not len(tf.nest.flatten(y)) else len(tf.nest.flatten(y)[0])
    # As Keras takes a list: one array for each input, each of as many rows as there are targets.
    if len(x) != count and lengths == {count}:
        return tuple(x)
    try:
        return np.asarray(x)
    except ValueError:
        shapes = [np.shape(item) for item in x if hasattr(item, "shape")]
        raise DataError(
            f"{name} x is a list of {len(x)} items of different shapes"
            f"{f' {shapes[:4]}' if shapes else ''}, which make no array; give one array, or a "
            "tuple or a dict of arrays for several inputs."
        ) from None


def _checked_array(name: str, value: Any) -> NDArray[Any] | None:
    if value is None:  # an optional input
        return None
    array: NDArray[Any] = np.asarray(value)
    if array.ndim == 0 or array.dtype == object:
        raise DataError(
            f"{name} is an array of dtype {array.dtype} and shape {array.shape}; give numbers or "
            "strings of shape (examples, ...), every example of one shape."
        )

    # float16 and bfloat16 stay: only float64 has no use in Keras.
    if array.dtype.kind == "f":
        array = array.astype(np.float32, copy=False) if array.dtype == np.float64 else array

        # A sum finds a NaN without a second array of booleans.
        if not np.isfinite(array.sum(dtype=np.float64)):
            bad = np.flatnonzero(~np.isfinite(array.reshape(len(array), -1)).all(axis=1))
            raise DataError(
                f"{name} holds NaN or infinity in {len(bad)} of {len(array)} examples, the first "
                f"at index {bad[0]}; drop or fill them."
            )
    return array


def _pair(name: str, pair: Any) -> tuple[Any, Any]:
    if not isinstance(pair, (tuple, list)) or len(pair) != 2:
        raise ConfigurationError(
            f"{name} is a {type(pair).__name__}; give a pair (x, y) like the training arrays."
        )
    return pair[0], pair[1]


def _length(pair: Any) -> int:
    return next(len(array) for array in tf.nest.flatten(pair) if array is not None)


def _classes(y: Any) -> Any:
    if not isinstance(y, np.ndarray) or y.ndim != 1 or y.dtype.kind not in "iu":
        return None
    # Where one occurs once, integers may be amounts, and nothing can be in proportion.
    return y if np.unique(y, return_counts=True)[1].min() > 1 else None

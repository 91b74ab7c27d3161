"""training_targets: the targets of all training examples."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightning_tf.data.data_module import DataModule
from lightning_tf.data.indexed_data import IndexedData
from lightning_tf.exceptions import DataError


def training_targets(data: DataModule) -> NDArray[Any]:
    """Return the targets of the training examples, (examples, ...), in no particular order.

    Where the data do not keep them by index, that is one pass over the training data.

    Args:
        data: Set up; its batches are ``(inputs, targets)``.

    Raises:
        DataError: There are no training data with targets.
    """
    if isinstance(data, IndexedData) and data.splits:
        kept = data.class_labels if data.target_values is None else data.target_values
        if kept is not None:
            targets: NDArray[Any] = np.asarray(kept)[data.splits["train"].indices]
            return targets

    dataset = data.dataset_for("train")
    if dataset is None or not isinstance(dataset.element_spec, tuple):
        raise DataError(f"{type(data).__name__} has no training examples with targets.")
    batches = dataset.map(lambda inputs, targets, *rest: targets).as_numpy_iterator()
    return np.concatenate(list(batches))

"""first_training_batch: what a task learns of data that say nothing of themselves."""

from typing import Any

from lightning_tf.data.data_module import DataModule
from lightning_tf.exceptions import DataError


def first_training_batch(data: DataModule) -> Any:
    """Return the first training batch as host arrays, to learn from it what the data are.

    Raises:
        DataError: There are no training data, or no batch of them.
    """
    owner, dataset = type(data).__name__, data.dataset_for("train")
    if dataset is None:
        raise DataError(f"{owner} has no training data; return batches from train_dataset.")

    batch = next(iter(dataset.take(1).as_numpy_iterator()), None)
    if batch is None:
        raise DataError(f"The training data of {owner} are empty; give at least one batch.")
    return batch

"""forecast_windows: the windows of a test split, for experiments that look at each."""

from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray


def forecast_windows(task: Any) -> tuple[dict[str, tf.Tensor], NDArray[np.floating]]:
    """Return all windows of the test split, and the values after them, shape (windows,).

    Args:
        task: A fitted TimeSeriesForecast of one column, one row ahead.
    """
    batches = list(task.data.test_dataset())
    inputs = {
        name: tf.concat([batch[name] for batch, _ in batches], axis=0)
        for name in ("past", "series")
    }
    return inputs, np.concatenate([y for _, y in batches])[:, 0, 0]

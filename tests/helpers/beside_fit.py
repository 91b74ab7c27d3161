"""What KerasTask and the Trainer give, beside fit's own numbers."""

import keras
import numpy as np
import tensorflow as tf
from helpers.boring import fitted

from lightning_tf.tasks import KerasTask


def dataset(*arrays, size=16):
    return tf.data.Dataset.from_tensor_slices(arrays).batch(size)


def by_trainer(model, epochs=2, **options):
    """Return the history of a compiled model's fit under the Trainer."""
    history = keras.callbacks.History()
    fitted(KerasTask(model, **options), max_epochs=epochs, callbacks=[history])
    return history.history


def assert_alike(values, expected):
    assert values.keys() == expected.keys()
    for name in expected:
        np.testing.assert_allclose(values[name], expected[name], rtol=1e-5, err_msg=name)

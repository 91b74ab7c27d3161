"""class_weight: the numbers of fit, for every kind of targets."""

import keras
import numpy as np
import pytest
from helpers.boring import fitted
from helpers.variants import slow_but

from lightning_tf.exceptions import ConfigurationError
from lightning_tf.tasks import KerasTask

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(40, 4)).astype("float32")
CLASSES = RANDOM.integers(0, 3, 40)
WEIGHTS = {0: 2.0, 2: 0.5}
TARGETS = {
    "flat": (CLASSES, "sparse_categorical_crossentropy"),
    "a column": (CLASSES[:, None].astype("float32"), "sparse_categorical_crossentropy"),
    "one-hot": (np.eye(3, dtype="float32")[CLASSES], "categorical_crossentropy"),
}


def net(loss):
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, "softmax")])
    model.compile("sgd", loss, weighted_metrics=["accuracy"])
    return model


@pytest.mark.parametrize("kind", slow_but(TARGETS, "flat"))
def test_they_weigh_training_examples_as_in_fit(kind):
    y, loss = TARGETS[kind]
    options = {"shuffle": False, "batch_size": 16}
    expected = net(loss).fit(
        X, y, class_weight=WEIGHTS, validation_data=(X, y), epochs=2, verbose=0, **options
    )
    history = keras.callbacks.History()
    task = KerasTask(
        net(loss), data=(X, y), validation_data=(X, y), class_weight=WEIGHTS, **options
    )
    fitted(task, max_epochs=2, callbacks=[history])
    assert history.history.keys() == expected.history.keys()
    for name, values in expected.history.items():
        np.testing.assert_allclose(history.history[name], values, atol=1e-6, err_msg=name)


def test_what_weighs_no_class_is_refused():
    y, loss = TARGETS["flat"]
    for weights in ("balanced", {"cat": 1.0}, {}):
        with pytest.raises(ConfigurationError, match="a dict of numbers by class"):
            KerasTask(net(loss), data=(X, y), class_weight=weights)
    with pytest.raises(ConfigurationError, match="fit refuses too"):
        fitted(KerasTask(net(loss), data=(X, y, X[:, 0]), class_weight=WEIGHTS), max_epochs=1)

"""Models, optimizers and metrics that were made elsewhere move to where a run is."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from helpers.boring import BoringData, BoringTask, NumberData, NumberTask, fitted
from helpers.replicated import trainer_of

from lightning_tf.distribute.single_device import SingleDevice
from lightning_tf.distribute.variable_placement import get_variable_strategy
from lightning_tf.exceptions import ConfigurationError
from lightning_tf.tasks import KerasTask


def compiled_model():
    keras.utils.set_random_seed(0)
    hidden = keras.layers.Dense(8, activation="tanh")
    model = keras.Sequential([keras.Input((32,)), hidden, keras.layers.Dense(2)])
    model.compile(
        optimizer=keras.optimizers.Adam(0.01),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    return model


def fit_as_task(model, devices, **arguments):
    data = BoringData()
    task = KerasTask(model, data=(data.x, data.y), validation_data=(data.x, data.y))
    trainer = trainer_of(devices, seed=3, max_epochs=2, **arguments)
    trainer.fit(task)
    return trainer, task


@pytest.mark.distributed
def test_a_compiled_model_made_before_the_trainer_trains_on_replicas_as_on_one_device():
    models, values = [], []
    for devices in (1, 2):
        model = compiled_model()
        trainer, _ = fit_as_task(model, devices)
        models.append(model.get_weights())
        values.append(trainer.callback_metrics)
    for one, two in zip(*models, strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-4, atol=1e-6)
    assert values[1] == pytest.approx(values[0], rel=1e-5)


@pytest.mark.distributed
def test_a_model_that_keras_has_trained_goes_on_with_its_slots_and_goes_back():
    data = BoringData()
    ends = []
    for devices in (1, 2):
        model = compiled_model()
        model.fit(data.x, data.y, epochs=1, shuffle=False, verbose=0)
        model.predict(data.x, verbose=0)
        _, task = fit_as_task(model, devices)
        assert (get_variable_strategy(model.layers[0].kernel) is None) == (devices == 1)
        assert int(task.trainer.optimizers[""].iterations.numpy()) == 2 + 2 * 2
        # Keras' own functions were traced over variables that have moved since.
        np.testing.assert_allclose(model.predict(data.x, verbose=0), model(data.x), atol=1e-5)
        ends.append(model.get_weights())
    for one, two in zip(*ends, strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-4, atol=1e-6)


def test_a_task_moves_between_trainers_of_different_devices():
    task = BoringTask()
    expected = None
    for devices in (1, 2, 4, 1):
        trainer = trainer_of(devices)
        values = trainer.test(task)
        expected = expected or values
        assert values == pytest.approx(expected, rel=1e-6)
        strategy = getattr(trainer.placement, "strategy", None)
        assert get_variable_strategy(task.model.layers[0].kernel) is strategy


@pytest.mark.distributed
@pytest.mark.parametrize("devices", [1, 2])
def test_a_fit_goes_on_after_another_trainer_had_the_task_elsewhere(devices):
    class Drifting(BoringTask):
        def configure_model(self):
            layers = [keras.layers.BatchNormalization(), keras.layers.Dense(2)]
            self.model = keras.Sequential([keras.Input((32,)), *layers])

        def configure_optimizers(self):
            return keras.optimizers.Adam(0.01)

        def validation_step(self, batch):
            x, y = batch
            self.update_metrics(y, self.model(x, training=False))

    ends = []
    for visits in (False, True):
        keras.utils.set_random_seed(0)
        task = Drifting()
        trainer = trainer_of(devices, max_epochs=1)
        trainer.fit(task)
        if visits:
            trainer_of(3 - devices).test(task)
        trainer.max_epochs = 2
        trainer.fit(task)
        copies = [v.value for v in task.model.variables]
        if devices > 1:
            local_results = trainer.placement.strategy.experimental_local_results
            copies = [copy for value in copies for copy in local_results(value)]
        ends.append([copy.numpy() for copy in copies])
    for one, two in zip(*ends, strict=True):
        np.testing.assert_array_equal(one, two)


def test_an_optimizer_that_was_made_before_the_trainer():
    weights = []
    for devices in (1, 2):
        optimizer = keras.optimizers.SGD(0.5, momentum=0.9)
        task = NumberTask(NumberData(range(10), 3), optimizer)
        fitted(task, max_epochs=1, accelerator="cpu", devices=devices)
        assert int(optimizer.iterations.numpy()) == 4
        weights.append(float(task.weight.numpy()))
    assert weights[0] == pytest.approx(weights[1], rel=1e-6)


def test_a_tensorflow_variable_made_elsewhere_is_refused():
    class Odd(NumberTask):
        def __init__(self):
            super().__init__(NumberData([1, 2], 2))
            self.scale = tf.Variable(2.0)

    with pytest.raises(ConfigurationError, match="make it in configure_model"):
        fitted(Odd(), max_epochs=1, accelerator="cpu", devices=2)


def test_a_model_made_before_the_trainer_moves_to_its_device():
    """Else every step would fetch each variable from where it was made."""
    model = compiled_model()
    expected = model.get_weights()
    data = BoringData()
    task = KerasTask(model, data=(data.x, data.y), validation_data=(data.x, data.y))
    trainer = trainer_of(2, seed=3, max_epochs=1)  # there are two logical devices now
    trainer.placement = SingleDevice("/CPU:1")
    trainer.validate(task)
    for before, after in zip(expected, model.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)
    trainer.fit(task)
    optimizer = trainer.optimizers[""]
    kept = [*model.variables, *optimizer.variables]
    places = {variable.value.device[-5:] for variable in kept}
    assert places == {"CPU:1"}


def test_a_model_that_lies_where_the_trainer_computes_stays_the_same_variables():
    model = compiled_model()
    handles = [variable.value.handle for variable in model.variables]
    fit_as_task(model, 1)
    assert all(v.value.handle is h for v, h in zip(model.variables, handles, strict=True))

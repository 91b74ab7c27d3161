"""A user's own optimizer and averaged weights: called as fit calls them, or refused by name."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from helpers.boring import BoringData, BoringTask, fitted, quiet
from helpers.updates import weight_after
from helpers.variants import slow_but

from lightning_tf import Trainer
from lightning_tf.callbacks import LambdaCallback
from lightning_tf.exceptions import ConfigurationError
from lightning_tf.tasks import KerasTask

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(48, 4)).astype("float32")
Y = RANDOM.integers(0, 3, 48)
LOSS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


class OwnApplyGradients(keras.optimizers.SGD):
    def apply_gradients(self, grads_and_vars, **options):
        return super().apply_gradients([(tf.sign(g) * g**2, v) for g, v in grads_and_vars])


class OwnApply(keras.optimizers.Adam):
    def apply(self, grads, trainable_variables=None):
        super().apply([tf.clip_by_norm(g, 0.1) for g in grads], trainable_variables)


class OwnBackendApply(keras.optimizers.SGD):
    def _backend_apply_gradients(self, grads, trainable_variables):
        centred = [g - tf.reduce_mean(g) for g in grads]
        super()._backend_apply_gradients(centred, trainable_variables)


class OwnBackendStep(keras.optimizers.SGD):
    def _backend_update_step(self, grads, trainable_variables, learning_rate):
        halves = [g * 0.5 for g in grads]
        super()._backend_update_step(halves, trainable_variables, learning_rate)


class OwnClipping(keras.optimizers.SGD):
    def _clip_gradients(self, grads):
        return [tf.clip_by_value(g, -0.01, 0.01) for g in grads]


class OwnUpdateStep(keras.optimizers.SGD):
    def update_step(self, gradient, variable, learning_rate):
        self.assign_sub(variable, tf.sign(gradient) * learning_rate * 0.1)


OWN = [
    OwnApplyGradients(0.5, momentum=0.9),
    OwnApply(0.01),
    OwnBackendApply(0.1),
    OwnBackendStep(0.1, weight_decay=0.01),
    OwnClipping(0.1),
    OwnUpdateStep(0.1),
]
AVERAGED = [
    keras.optimizers.Adam(0.01, use_ema=True, ema_momentum=0.9),
    keras.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.9, ema_overwrite_frequency=4),
    keras.optimizers.Nadam(0.01, use_ema=True, ema_momentum=0.5),
    OwnApplyGradients(0.5, use_ema=True, ema_momentum=0.9),
]
NAMES = ["adam", "overwritten", "nadam", "own"]


def batches(size=12):
    return tf.data.Dataset.from_tensor_slices((X, Y)).batch(size)


def model():
    keras.utils.set_random_seed(1)
    hidden = keras.layers.Dense(8, activation="relu")
    return keras.Sequential([keras.Input((4,)), hidden, keras.layers.Dense(3)])


def fresh(optimizer):
    return type(optimizer).from_config(optimizer.get_config())


def by_fit(optimizer, size=12, epochs=2):
    net = model()
    net.compile(fresh(optimizer), LOSS)
    net.fit(batches(size), epochs=epochs, verbose=0, shuffle=False)
    return net.get_weights()


def by_trainer(optimizer, ckpt_path=None, **arguments):
    task = KerasTask(model(), loss=LOSS, optimizer=fresh(optimizer), data=batches())
    trainer = Trainer(**quiet(**{"max_epochs": 2, "accelerator": "cpu", **arguments}))
    trainer.fit(task, ckpt_path=ckpt_path)
    return task.model.get_weights(), trainer


def assert_close(weights, others, tolerance=1e-6):
    for weight, other in zip(weights, others, strict=True):
        np.testing.assert_allclose(weight, other, atol=tolerance, rtol=1e-5)


@pytest.mark.parametrize(
    "optimizer",
    slow_but(OWN, OWN[0], OWN[2], OWN[3]),
    ids=lambda optimizer: type(optimizer).__name__,
)
def test_what_an_optimizer_overrides_is_called_as_fit_calls_it(optimizer):
    assert_close(by_trainer(optimizer)[0], by_fit(optimizer))


@pytest.mark.parametrize("optimizer", slow_but(AVERAGED, AVERAGED[0]), ids=NAMES)
def test_averaged_weights_are_those_of_fit(optimizer):
    assert_close(by_trainer(optimizer)[0], by_fit(optimizer))
    # Two batches are one update, so the averages are those of a run with larger batches.
    accumulated, _ = by_trainer(optimizer, accumulate_grad_batches=2)
    assert_close(accumulated, by_fit(optimizer, size=24))


@pytest.mark.distributed
@pytest.mark.parametrize("optimizer", [*OWN, *AVERAGED], ids=lambda o: type(o).__name__)
def test_two_devices_update_as_one(optimizer):
    for accumulated in (1, 2):
        arguments = {"devices": 2, "accumulate_grad_batches": accumulated}
        assert_close(by_trainer(optimizer, **arguments)[0], by_fit(optimizer, 12 * accumulated))


def test_averages_are_final_when_training_ends_and_not_before(tmp_path):
    optimizer = AVERAGED[0]
    whole, _ = by_trainer(optimizer, max_epochs=3)

    # Written after the end: the final weights for who reads it, the trained ones for a resume.
    final, trainer = by_trainer(optimizer, max_epochs=1)
    trainer.save_checkpoint(tmp_path / "end")
    resumed, _ = by_trainer(optimizer, ckpt_path=tmp_path / "end", max_epochs=3)
    assert_close(resumed, whole, tolerance=0)

    other = KerasTask(
        model(), loss=LOSS, optimizer="sgd", data=batches(), validation_data=batches()
    )
    read = Trainer(**quiet()).validate(other, ckpt_path=tmp_path / "end")
    assert_close(other.model.get_weights(), final, tolerance=0)
    assert read["val_loss"] > 0

    # Another fit of the same task goes on as a resumed run does.
    trainer.max_epochs = 3
    trainer.fit(trainer.task)
    assert_close(trainer.task.model.get_weights(), whole, tolerance=0)


def test_a_weight_that_was_changed_after_fit_counts_in_the_next_fit():
    _, trainer = by_trainer(AVERAGED[0], max_epochs=1)
    task = trainer.task
    task.model.set_weights([np.ones_like(weight) for weight in task.model.get_weights()])
    trainer.max_epochs, began = 2, []
    look = LambdaCallback(
        on_train_start=lambda trainer, task: began.extend(task.model.get_weights())
    )
    trainer.add_callback(look)
    trainer.fit(task)
    assert all((weight == 1).all() for weight in began)


def test_frozen_layers_keep_their_weights_beside_averages():
    net = model()
    net.layers[0].trainable = False
    before = net.layers[0].get_weights()
    fitted(KerasTask(net, loss=LOSS, optimizer=fresh(AVERAGED[0]), data=batches()), max_epochs=2)
    assert_close(net.layers[0].get_weights(), before, tolerance=0)


def test_own_final_values_are_put_in_by_the_optimizer():
    class Rounding(keras.optimizers.SGD):
        def finalize_variable_values(self, var_list):
            for variable in var_list:
                variable.assign(tf.round(variable))

    weight, _ = weight_after([0.75, 0.75, 0.75], optimizer=Rounding(1.0))
    assert weight == -2.0


@pytest.mark.parametrize(
    "method",
    [
        "minimize",
        "compute_gradients",
        "stateless_apply",
        "scale_loss",
        "_all_reduce_sum_gradients",
        "_backend_increment_gradient_accumulators",
        "_resource_apply_dense",
        "get_updates",
    ],
)
def test_what_a_run_would_not_call_is_refused_by_name(method):
    own = type("Own", (keras.optimizers.SGD,), {method: lambda self, *args, **kwargs: None})
    with pytest.raises(ConfigurationError, match=rf"optimizer Own overrides {method}, which a Tr"):
        weight_after([1], optimizer=own(1.0))


def test_a_method_set_on_the_optimizer_itself_counts_as_its_own():
    optimizer = keras.optimizers.SGD(1.0)
    apply = optimizer.apply
    optimizer.apply = lambda grads, variables: apply([g * 0.5 for g in grads], variables)
    assert weight_after([1, 1], optimizer=optimizer)[0] == -1.0

    stepping = keras.optimizers.SGD(1.0)
    stepping.update_step = lambda gradient, variable, rate: variable.assign_sub(gradient * 0.25)
    assert weight_after([1, 1], optimizer=stepping)[0] == -0.5

    stepping.minimize = lambda loss, variables: None
    with pytest.raises(ConfigurationError, match="optimizer SGD overrides minimize"):
        weight_after([1], optimizer=stepping)


def test_a_loss_scale_of_ones_own_is_refused():
    class Gentle(keras.optimizers.LossScaleOptimizer):
        def scale_loss(self, loss):
            return loss * 2.0

    class Watches(keras.optimizers.LossScaleOptimizer):
        def apply_gradients(self, grads_and_vars):
            return super().apply_gradients(grads_and_vars)

    with pytest.raises(ConfigurationError, match="Watches overrides apply_gradients of LossScale"):
        weight_after([1], optimizer=Watches(keras.optimizers.SGD(1.0)))
    with pytest.raises(ConfigurationError, match="Gentle overrides scale_loss of LossScaleOpt"):
        weight_after([1], optimizer=Gentle(keras.optimizers.SGD(1.0)))


def test_averages_overwritten_by_own_code_on_several_devices_are_refused():
    optimizer = OwnApplyGradients(0.5, use_ema=True, ema_overwrite_frequency=3)
    with pytest.raises(ConfigurationError, match="OwnApplyGradients has ema_overwrite_frequency=3"):
        by_trainer(optimizer, devices=2)


def test_a_multi_optimizer_updates_as_in_fit():
    def divided():
        adam, sgd = keras.optimizers.Adam(0.01, use_ema=True), OwnApplyGradients(0.5)
        return keras.optimizers.MultiOptimizer(lambda v: adam if "kernel" in v.path else sgd)

    net, other = model(), model()
    fitted(KerasTask(net, loss=LOSS, optimizer=divided(), data=batches()), max_epochs=2)
    other.compile(divided(), LOSS)
    other.fit(batches(), epochs=2, verbose=0, shuffle=False)
    assert_close(net.get_weights(), other.get_weights())


def test_an_own_optimizer_of_a_task_is_called_in_windows_too():
    class Task(BoringTask):
        def configure_optimizers(self):
            return OwnApplyGradients(0.0)

    task = Task(BoringData())
    trainer = fitted(task, max_epochs=2, log_every_n_steps=1000)
    assert int(trainer.optimizers[""].iterations.numpy()) == 8

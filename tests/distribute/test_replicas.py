"""One device and several replicas: the same weights, metrics and predictions."""

from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from helpers.boring import BoringTask, NumberData, NumberTask, Rows, fitted, quiet
from helpers.replica_tasks import (
    FewData,
    KerasNormalized,
    Minimizing,
    MinimizingOnce,
    Normalized,
    Reader,
    TwoOptimizers,
    Words,
)
from helpers.replicated import assert_equal_on_replicas, outcome, trainer_of

from lightning_tf import Callback, Trainer
from lightning_tf.exceptions import ConfigurationError, NonFiniteLossError
from lightning_tf.layers import FusedBatchNormalization
from lightning_tf.tasks import ImageClassification

thorough = pytest.mark.distributed  # left out by default, because others show the same


@pytest.mark.distributed
@pytest.mark.parametrize(
    "batch_size", [8, 2, *(pytest.param(size, marks=thorough) for size in (16, 4, 3))]
)
def test_uneven_batches_and_replicas_without_examples(batch_size):
    assert_equal_on_replicas(lambda: BoringTask(FewData(batch_size)), counts=(2, 4))


@pytest.mark.distributed
@pytest.mark.parametrize("kind", [Normalized, pytest.param(KerasNormalized, marks=thorough)])
def test_synchronized_batch_normalization(kind):
    assert_equal_on_replicas(lambda: kind(FewData(7)), counts=(4,))


@pytest.mark.distributed
def test_two_optimizers():
    assert_equal_on_replicas(lambda: TwoOptimizers(FewData()))


@pytest.mark.distributed
@pytest.mark.parametrize(
    ("kind", "accumulate"), [pytest.param(Minimizing, 1, marks=thorough), (MinimizingOnce, 3)]
)
def test_updates_inside_a_step(kind, accumulate):
    assert_equal_on_replicas(
        lambda: kind(FewData()), accumulate_grad_batches=accumulate, gradient_clip_val=0.1
    )


@pytest.mark.distributed
@pytest.mark.parametrize(
    ("algorithm", "accumulate"),
    [
        ("norm", 3),
        ("value", 1),
        pytest.param("norm", 1, marks=thorough),
        pytest.param("value", 3, marks=thorough),
    ],
)
def test_clipping_and_accumulation_come_after_the_sum(algorithm, accumulate):
    assert_equal_on_replicas(
        lambda: Normalized(FewData()),
        accumulate_grad_batches=accumulate,
        gradient_clip_val=0.01,
        gradient_clip_algorithm=algorithm,
    )


@pytest.mark.distributed
def test_loss_objects_of_keras_are_means():
    class WithObjects(BoringTask):
        def training_step(self, batch):
            x, y = batch
            logits = self.model(x, training=True)
            self.update_metrics(y, logits)
            mean = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
            total = keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction="none")
            return mean(y, logits) + tf.reduce_mean(total(y, logits))

    assert_equal_on_replicas(lambda: WithObjects(FewData()), counts=(4,))


@pytest.mark.distributed
def test_data_of_unknown_length():
    assert_equal_on_replicas(lambda: BoringTask(FewData(known_length=False)))


@pytest.mark.slow
def test_a_model_and_metrics_that_are_built_by_their_first_call():
    class Lazy(BoringTask):
        def configure_model(self):
            self.model = keras.Sequential([keras.layers.Dense(4), keras.layers.Dense(2)])

        def configure_metrics(self):
            return {"f1": keras.metrics.F1Score("macro"), "auc": keras.metrics.AUC()}

        def training_step(self, batch):
            x, y = batch
            truth = tf.one_hot(y, 2)
            logits = self.model(x)
            self.update_metrics(truth, tf.nn.softmax(logits))
            return tf.reduce_mean(
                keras.losses.categorical_crossentropy(truth, logits, from_logits=True)
            )

    assert_equal_on_replicas(lambda: Lazy(FewData(3)), counts=(4,))


@pytest.mark.distributed
def test_a_frozen_layer_stays_as_it_is():
    class Frozen(Normalized):
        def configure_model(self):
            super().configure_model()
            self.model.layers[0].trainable = self.model.layers[1].trainable = False

    assert_equal_on_replicas(lambda: Frozen(FewData()))


@pytest.mark.distributed
@pytest.mark.parametrize(
    "kind",
    ["sparse", pytest.param("ragged", marks=thorough), pytest.param("dense", marks=thorough)],
)
def test_ragged_and_sparse_batches_and_sparse_gradients(kind):
    assert_equal_on_replicas(lambda: Reader(Words(kind)), counts=(4,))


@thorough
@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        "Adadelta", "Adafactor", "Adagrad", "Adam", "Adamax", "AdamW", "Ftrl", "Lamb", "Lion",
        "Muon", "Nadam", "RMSprop", "SGD",
    ],
)  # fmt: skip
def test_every_optimizer_of_keras(name):
    class Optimized(BoringTask):
        def configure_optimizers(self):
            options = {"weight_decay": 0.01} if name in ("Adam", "Adamax") else {}
            return getattr(keras.optimizers, name)(0.01, **options)

    # Signs of gradients, as Lion takes them, turn where a gradient is nothing but rounding.
    assert_equal_on_replicas(lambda: Optimized(FewData()), tolerance=1e-4)


@pytest.mark.distributed
def test_averaged_weights_of_an_optimizer():
    class Averaged(BoringTask):
        def configure_optimizers(self):
            return keras.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.9)

    def averages(devices):
        task = Averaged(FewData())
        trainer = fitted(task, max_epochs=1, seed=3, accelerator="cpu", devices=devices)
        return [v.numpy() for v in trainer.optimizers[""].variables]

    for one, two in zip(averages(1), averages(2), strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-5, atol=1e-6)


def test_a_step_is_traced_once_for_each_replica(tmp_path):
    task = NumberTask(NumberData(range(10), 3, held_out=[1, 2, 3]))
    fitted(task, max_epochs=3, accelerator="cpu", devices=2, default_root_dir=tmp_path)
    assert task.traced == {"training": 2, "validation": 2}


def test_evaluation_is_the_mean_over_exactly_the_examples_and_prediction_is_in_order():
    numbers = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0]
    task = NumberTask(NumberData([0.0], 4, held_out=numbers))
    for devices in (2, 4):
        trainer = trainer_of(devices)
        assert trainer.validate(task)["val_loss"] == pytest.approx(np.mean(numbers), rel=1e-6)
        batches = trainer.predict(task, collect=True)
        assert [len(batch) for batch in batches] == [4, 3]
        assert np.concatenate(batches).tolist() == [2 * n for n in numbers]


def test_predictions_keep_their_structure_and_their_raggedness():
    class Structured(NumberTask):
        def predict_step(self, batch):
            lengths = tf.cast(batch, tf.int32)
            return {
                "twice": batch * 2.0,
                "ragged": tf.RaggedTensor.from_row_lengths(
                    tf.range(tf.reduce_sum(lengths)), lengths
                ),
            }

    task = Structured(NumberData([0.0], 3, held_out=[1, 2, 3, 2]))
    batches = trainer_of(2).predict(task, collect=True)
    assert [batch["twice"].tolist() for batch in batches] == [[2.0, 4.0, 6.0], [4.0]]
    assert [len(row) for batch in batches for row in batch["ragged"]] == [1, 2, 3, 2]


def test_a_prediction_without_rows_is_refused():
    class Scalar(NumberTask):
        def predict_step(self, batch):
            return tf.reduce_sum(batch)

    with pytest.raises(ConfigurationError, match="one row for each example"):
        trainer_of(2).predict(Scalar(NumberData([0.0], 2, held_out=[1, 2])), collect=True)


def test_metrics_that_take_no_weights_do_not_count_a_stand_in():
    class Counting(keras.metrics.Metric):
        def __init__(self):
            super().__init__()
            self.count = self.add_variable((), "zeros", name="count")

        def update_state(self, y_true, y_pred, sample_weight=None):
            self.count.assign_add(tf.cast(tf.size(y_true), tf.float32))

        def result(self):
            return self.count

    class Counted(NumberTask):
        def configure_metrics(self):
            return {"count": Counting()}

        def training_step(self, batch):
            self.metrics["count"].update_state(batch, batch)
            return super().training_step(batch)

    task = Counted(NumberData(range(5), 2))
    trainer = fitted(task, max_epochs=1, accelerator="cpu", devices=4)
    assert trainer.callback_metrics["count"] == 5.0


@pytest.mark.distributed
def test_what_a_layer_adds_to_the_loss_stays_with_its_replica():
    class Adding(keras.layers.Layer):
        def call(self, inputs):
            self.add_loss(tf.reduce_mean(inputs**2))
            return inputs

    class Regularized(Normalized):
        def configure_model(self):
            self.model = keras.Sequential(
                [
                    keras.Input((32,)),
                    keras.layers.Dense(8, activity_regularizer="l2", kernel_regularizer="l2"),
                    Adding(),
                    FusedBatchNormalization(),
                    Adding(),
                    keras.layers.Dense(2),
                ]
            )

        def training_step(self, batch):
            loss = super().training_step(batch)
            return loss + tf.add_n(self.model.losses)

    # Keras divides an activity regulariser by the number of examples, so that it is a mean.
    assert_equal_on_replicas(lambda: Regularized(FewData()), counts=(4,))


def test_a_batch_whose_tensors_differ_in_length_is_refused():
    class Odd(NumberData):
        def train_dataset(self, epoch):
            x = tf.data.Dataset.from_tensors((tf.zeros([4]), tf.zeros([3])))
            return x

    class Adding(NumberTask):
        def training_step(self, batch):
            return tf.reduce_mean(batch[0]) * self.weight

    with pytest.raises(ConfigurationError, match="Found 4 and 3"):
        fitted(Adding(Odd([0])), max_epochs=1, accelerator="cpu", devices=2)


def test_jit_compile_with_replicas_is_refused():
    with pytest.raises(ConfigurationError, match="devices=1"):
        trainer_of(2, jit_compile=True)


@pytest.mark.distributed
def test_a_given_strategy_brings_its_devices(tmp_path):
    one = outcome(lambda: BoringTask(FewData()), 1)
    for strategy in (
        tf.distribute.MirroredStrategy(
            ["CPU:0", "CPU:1"], cross_device_ops=tf.distribute.ReductionToOneDevice()
        ),
        tf.distribute.OneDeviceStrategy("CPU:1"),
    ):
        task = BoringTask(FewData())
        keras.utils.set_random_seed(0)
        trainer = Trainer(**quiet(max_epochs=1, seed=3, strategy=strategy))
        trainer.fit(task)
        for name, value in trainer.validate(task).items():
            assert value == pytest.approx(float(one[name]), rel=1e-5)


@pytest.mark.distributed
def test_rows_hold_the_means_over_all_replicas(tmp_path):
    def rows(devices):
        logger = Rows()
        task = BoringTask(FewData())
        arguments = {"accelerator": "cpu", "devices": devices, "seed": 3, "logger": logger}
        fitted(task, max_epochs=2, log_every_n_steps=3, **arguments)
        return logger.column("train/loss"), logger.column("train/accuracy")

    for one, two in zip(rows(1), rows(2), strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-5)


@pytest.mark.distributed
def test_image_classification_with_all_its_callbacks(tmp_path):
    arguments = {"accelerator": "cpu", "devices": 2, "seed": 0, "default_root_dir": tmp_path}
    trainer = Trainer(max_epochs=1, enable_progress_bar=False, limit_train_batches=4, **arguments)
    task = ImageClassification(data="digits", batch_norm=True, dropout=0.1, augmentation=["crop"])
    trainer.fit(task)
    names = [path.name for path in Path(trainer.log_dir).rglob("*")]
    assert "metrics.csv" in names
    best = trainer.checkpoint_callback.best_model_path
    measured = trainer.test(task, ckpt_path=best)
    again = ImageClassification(data="digits", batch_norm=True, dropout=0.1)
    assert trainer_of(1).test(again, ckpt_path=best) == pytest.approx(measured, rel=1e-4)


def test_bad_numbers_are_found_on_replicas():
    task = NumberTask(NumberData([1, 1, np.nan, 1], 2))
    with pytest.raises(NonFiniteLossError, match="update 2"):
        fitted(task, max_epochs=1, accelerator="cpu", devices=2)


def test_detect_anomaly_names_the_operation_on_replicas():
    class Broken(NumberTask):
        def training_step(self, batch):
            return tf.reduce_mean(tf.math.log(batch - 2.0)) * self.weight

    task = Broken(NumberData([1, 1], 2))
    with pytest.raises(tf.errors.InvalidArgumentError, match="Log"):
        fitted(task, max_epochs=1, accelerator="cpu", devices=2, detect_anomaly=True)


def test_hooks_that_watch_every_batch():
    seen = []

    class Watches(Callback):
        def on_train_batch_end(self, trainer, task, outputs, batch_idx):
            seen.append(outputs["loss"])

    task = NumberTask(NumberData([1, 2, 3, 4, 6], 2), keras.optimizers.SGD(0.0))
    arguments = {"accelerator": "cpu", "devices": 2, "callbacks": [Watches()]}
    fitted(task, max_epochs=1, **arguments)
    assert seen == [1.5, 3.5, 6.0]


@pytest.mark.distributed
def test_freezing_between_epochs_traces_anew_and_keeps_the_slots():
    class Freezes(Normalized):
        def on_train_epoch_start(self):
            self.model.layers[0].trainable = self.trainer.current_epoch != 1

    def make():
        return Freezes(FewData())

    assert_equal_on_replicas(make, max_epochs=3)

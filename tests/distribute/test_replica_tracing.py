import keras
import numpy as np
import pytest
import tensorflow as tf
from helpers.boring import BoringData, BoringTask, fitted, quiet
from helpers.replicated import trainer_of

from lightning_tf import Task, Trainer


class Drawing(Task):
    """Predicts the noise that a layer draws."""

    def __init__(self):
        self.data = BoringData(8)
        self.draw = keras.random.SeedGenerator(11)

    def predict_step(self, batch):
        return keras.random.uniform((tf.shape(batch)[0], 3), seed=self.draw)


def noise(devices):
    return np.concatenate(trainer_of(devices).predict(Drawing(), collect=True))


def test_every_replica_draws_its_own_numbers_and_again_the_same():
    first = noise(2)
    first_half, other = first[:4], first[4:8]
    assert not np.isclose(first_half, other).any()
    np.testing.assert_array_equal(first, noise(2))
    assert len(np.unique(first)) == first.size  # nor does a batch repeat the one before


def test_the_state_of_a_generator_is_the_same_on_all_replicas_and_on_one_device():
    states = []
    for devices in (1, 2):
        task = Drawing()
        trainer_of(devices).predict(task, collect=True)
        value = task.draw.state.value
        strategy = getattr(value, "distribute_strategy", tf.distribute.get_strategy())
        copies = strategy.experimental_local_results(value)
        states += [copy.numpy().tolist() for copy in copies]
    assert states == [states[0]] * 3


def test_keras_itself_is_left_as_it_was():
    before = keras.random.SeedGenerator.next
    noise(2)
    assert keras.random.SeedGenerator.next is before
    assert not hasattr(keras.Layer, "_losses")


def test_dropout_draws_masks_of_its_own_on_each_replica():
    class Dropping(BoringTask):
        def configure_model(self):
            self.model = keras.Sequential(
                [keras.Input((32,)), keras.layers.Dropout(0.5), keras.layers.Dense(2)]
            )

        def predict_step(self, batch):
            return self.model.layers[0](tf.ones_like(batch), training=True)

    masks = trainer_of(2).predict(Dropping(BoringData(8)), collect=True)[0]
    assert set(np.unique(masks)) == {0.0, 2.0}
    assert (masks[:4] != masks[4:]).any()


@pytest.mark.parametrize(
    "precision", ["float32", pytest.param("mixed_bfloat16", marks=pytest.mark.distributed)]
)
def test_replicas_are_traced_under_the_precision_of_the_run(precision):
    seen = []

    class Seeing(BoringTask):
        def training_step(self, batch):
            seen.append(keras.config.dtype_policy().name)
            return super().training_step(batch)

    fitted(Seeing(), max_steps=1, accelerator="cpu", devices=2, precision=precision)
    assert seen[-2:] == [precision] * 2


@pytest.mark.distributed
def test_what_replicas_log_does_not_mix():
    class Logging(BoringTask):
        def configure_model(self):
            layers = [keras.layers.BatchNormalization(synchronized=True), keras.layers.Dense(2)]
            self.model = keras.Sequential([keras.Input((32,)), *layers])

        def training_step(self, batch):
            loss = super().training_step(batch)  # replicas take turns in the normalization
            self.log("first_feature", tf.reduce_mean(batch[0][:, 0]))
            return loss

    data = BoringData()
    for devices in (1, 2):
        trainer = Trainer(**quiet(max_epochs=1, accelerator="cpu", devices=devices))
        trainer.fit(Logging(data))
        mean = trainer.callback_metrics["first_feature"]
        assert mean == pytest.approx(float(data.x[:, 0].mean()), abs=1e-6)


def test_draws_without_a_seed_differ_between_replicas_and_come_again():
    class Unseeded(Drawing):
        def predict_step(self, batch):
            return keras.random.uniform((tf.shape(batch)[0], 3))

    def drawn():
        trainer = trainer_of(2, seed=5)
        return np.concatenate(trainer.predict(Unseeded(), collect=True))

    first = drawn()
    assert len(np.unique(first)) == first.size
    np.testing.assert_array_equal(first, drawn())


@pytest.mark.slow
def test_a_fit_that_draws_without_a_seed_on_replicas_is_resumed_exactly_and_tells_nothing(
    tmp_path, caplog
):
    class Noisy(BoringTask):
        def training_step(self, batch):
            x, y = batch
            return super().training_step((x + keras.random.normal(tf.shape(x)), y))

    def weights(epochs, checkpoint=None):
        trainer, task = trainer_of(2, seed=5, max_epochs=epochs), Noisy()
        trainer.fit(task, ckpt_path=checkpoint)
        trainer.save_checkpoint(tmp_path / f"epoch_{epochs}")
        return task.model.get_weights()

    weights(1)
    resumed = weights(2, tmp_path / "epoch_1")
    for one, other in zip(resumed, weights(2), strict=True):
        np.testing.assert_array_equal(one, other)
    assert "no attribute of the task" not in caplog.text


def test_layers_start_alike_on_replicas_and_on_one_device():
    starts = []
    for devices in (1, 2):
        task = BoringTask()
        trainer_of(devices, seed=5).predict(task, collect=True)
        starts.append(task.model.get_weights()[0])
    np.testing.assert_array_equal(*starts)

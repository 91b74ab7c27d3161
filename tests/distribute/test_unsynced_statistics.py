"""Moving statistics of layers that do not synchronize: the mean over replicas, in time."""

import keras
import numpy as np
import pytest
from helpers.boring import BoringData, BoringTask, quiet
from helpers.replicated import trainer_of

from lightning_tf import Callback, Trainer
from lightning_tf.layers import FusedBatchNormalization

MOMENTUM = 0.9


class Drifting(BoringTask):
    """Keras' normalization as it is by default, on the data themselves."""

    def configure_model(self):
        normalization = keras.layers.BatchNormalization(momentum=MOMENTUM)
        self.model = keras.Sequential([keras.Input((32,)), normalization, keras.layers.Dense(2)])

    def validation_step(self, batch):
        x, y = batch
        self.update_metrics(y, self.model(x, training=False))


class FewData(BoringData):
    """Two batches; the second leaves the second replica without examples."""

    def __init__(self):
        super().__init__(batch_size=4)
        self.x, self.y = self.x[:5] + 3.0, self.y[:5]


def copies(trainer, variable):
    strategy = trainer.placement.strategy
    return [c.numpy() for c in strategy.experimental_local_results(variable.value)]


def expected_mean(x):
    """By hand: what both replicas keep for themselves, then the mean."""
    first = second = np.zeros(32)
    first = first * MOMENTUM + x[:2].mean(0) * (1 - MOMENTUM)
    second = second * MOMENTUM + x[2:4].mean(0) * (1 - MOMENTUM)
    first = first * MOMENTUM + x[4] * (1 - MOMENTUM)  # the second replica has nothing to add
    return (first + second) / 2


@pytest.mark.distributed
def test_statistics_are_averaged_before_validation_saving_and_the_end(tmp_path):
    seen = {}

    class Looks(Callback):
        def on_validation_start(self, trainer, task):
            seen["validation"] = copies(trainer, task.model.layers[0].moving_mean)

        def on_train_epoch_end(self, trainer, task):
            seen["epoch end"] = copies(trainer, task.model.layers[0].moving_mean)

    task = Drifting(FewData())
    trainer = trainer_of(2, max_epochs=1, num_sanity_val_steps=0, callbacks=[Looks()])
    trainer.fit(task)
    seen["end"] = copies(trainer, task.model.layers[0].moving_mean)
    for first, second in seen.values():
        np.testing.assert_array_equal(first, second)
        np.testing.assert_allclose(first, expected_mean(task.data.x), rtol=1e-5)


def test_a_checkpoint_inside_an_epoch_holds_the_average(tmp_path):
    class Saves(Callback):
        every_n_steps = 1

        def on_train_window_end(self, trainer, task):
            if trainer.global_step == 1:
                drifted = copies(trainer, task.model.layers[0].moving_mean)
                assert np.abs(drifted[0] - drifted[1]).max() > 1e-3
                trainer.save_checkpoint(tmp_path / "one")
                saved = copies(trainer, task.model.layers[0].moving_mean)
                np.testing.assert_array_equal(*saved)
                np.testing.assert_allclose(saved[0], np.mean(drifted, axis=0), rtol=1e-5)

    trainer_of(2, max_steps=1, limit_val_batches=0, callbacks=[Saves()]).fit(Drifting(FewData()))
    assert (tmp_path / "one").is_dir()


@pytest.mark.distributed
def test_statistics_that_are_equal_stay_equal_to_the_last_bit():
    class Adapted(BoringTask):
        def configure_model(self):
            known = keras.layers.Normalization(mean=np.full(32, 0.1), variance=np.full(32, 0.7))
            local = keras.layers.BatchNormalization(momentum=MOMENTUM)
            self.model = keras.Sequential([keras.Input((32,)), known, local, keras.layers.Dense(2)])
            self.constant = self.model.add_weight(
                shape=(3,), initializer=lambda shape, dtype: np.full(3, 0.1, dtype), trainable=False
            )

    task = Adapted(BoringData())
    trainer = trainer_of(3, max_epochs=1)
    trainer.fit(task)
    for copy in copies(trainer, task.constant):
        np.testing.assert_array_equal(copy, np.full(3, 0.1, "float32"))


@pytest.mark.distributed
@pytest.mark.parametrize("layer", [keras.layers.BatchNormalization, FusedBatchNormalization])
def test_sync_batchnorm_gives_the_statistics_of_one_device(layer):
    class Given(BoringTask):
        def configure_model(self):
            normalization = layer(momentum=MOMENTUM, synchronized=False)
            self.model = keras.Sequential(
                [keras.Input((32,)), normalization, keras.layers.Dense(2)]
            )

    means = []
    for devices in (1, 2):
        keras.utils.set_random_seed(0)
        task = Given(FewData())
        arguments = {"accelerator": "cpu", "devices": devices, "sync_batchnorm": True}
        Trainer(**quiet(max_epochs=1, **arguments)).fit(task)
        means.append(np.stack([v.numpy() for v in task.model.layers[0].variables]))
    np.testing.assert_allclose(*means, rtol=1e-4, atol=1e-6)

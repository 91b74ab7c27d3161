"""Data of several sets of different sizes, and tasks that train and are evaluated on them."""

import keras
import numpy as np
import tensorflow as tf

from lightning_tf import DataModule, Task


class TwoSets(DataModule):
    """37 examples in batches of 8 and 10 in batches of 4, shuffled by (seed, epoch)."""

    def __init__(self, combine="max_size_cycle", in_list=False, sizes=(37, 10), reshuffles=False):
        super().__init__()
        self.combine, self.in_list, self.reshuffles = combine, in_list, reshuffles
        draw = np.random.default_rng(0).normal
        self.arrays = [draw(size=(size, 4)).astype("float32") for size in sizes]

    def train_dataset(self, epoch):
        sets = {}
        for place, (name, x) in enumerate(zip(("large", "small"), self.arrays, strict=True)):
            seed = 10 * self.order_seed + 2 * epoch + place
            rows = tf.data.Dataset.from_tensor_slices(x)
            rows = rows.shuffle(len(x), seed, reshuffle_each_iteration=self.reshuffles)
            sets[name] = rows.batch((8, 4)[place])
        return list(sets.values()) if self.in_list else sets

    def val_dataset(self):
        sets = {
            "clean": tf.data.Dataset.from_tensor_slices(self.arrays[1]).batch(4),
            "noisy": tf.data.Dataset.from_tensor_slices(self.arrays[0] + 1.0).batch(8),
        }
        return list(sets.values()) if self.in_list else sets

    def test_dataset(self):
        return self.val_dataset()

    def predict_dataset(self):
        return self.val_dataset()


class OnTwoSets(Task):
    """A network whose outputs are to be small on both sets, each with a weight of its own."""

    def __init__(self, data=None):
        self.data = data or TwoSets()
        self.traced = []

    def configure_model(self):
        layers = [keras.layers.Dense(8, "relu"), keras.layers.Dropout(0.5), keras.layers.Dense(3)]
        self.model = keras.Sequential([keras.Input((4,)), *layers])

    def configure_optimizers(self):
        return keras.optimizers.Adam(0.01)

    def configure_metrics(self):
        return {"size": keras.metrics.Mean()}

    def training_step(self, batch):
        if self.data.combine == "sequential":
            x, place = batch
            return self._mean(x, True) * (1.0 + tf.cast(place, "float32"))
        large, small = batch if isinstance(batch, list) else (batch["large"], batch["small"])
        return self._mean(large, True) + 3.0 * self._mean(small, True)

    def validation_step(self, batch):
        self.traced.append(self.trainer.dataset_name)
        return self._mean(batch, False)

    def predict_step(self, batch):
        return self.model(batch, training=False)

    def _mean(self, x, training):
        squares = tf.reduce_sum(self.model(x, training=training) ** 2, axis=-1)  # (examples,)
        self.metrics["size"].update_state(squares)
        # A set that is exhausted gives no examples.
        return tf.math.divide_no_nan(tf.reduce_sum(squares), tf.cast(tf.shape(x)[0], "float32"))


class Undropped(OnTwoSets):
    """Without dropout, whose masks differ from replica to replica, and with plain updates."""

    def configure_model(self):
        self.model = keras.Sequential(
            [keras.Input((4,)), keras.layers.Dense(8, "relu"), keras.layers.Dense(3)]
        )

    def configure_optimizers(self):
        return keras.optimizers.SGD(0.05)

"""Two heads on two data sets: few digits with their class, many that are turned. One trunk."""

import keras
import numpy as np
import tensorflow as tf
from sklearn.datasets import load_digits

from lightning_tf import DataModule, Task, Trainer

x, y = load_digits(return_X_y=True)
x, y = (x / 16).astype("float32").reshape(-1, 8, 8, 1), y.astype("int32")


def turned(images, seed):
    """Return images turned by 0 to 3 quarters, and by how many."""
    quarters = np.random.default_rng(seed).integers(0, 4, len(images)).astype("int32")
    return np.stack([np.rot90(i, q) for i, q in zip(images, quarters, strict=True)]), quarters


class DigitsAndTurns(DataModule):
    def __init__(self, labeled: int = 200):
        super().__init__()
        self.digits, self.turns = (x[:labeled], y[:labeled]), turned(x[:1400], seed=0)
        self.held_out = {"digits": (x[1400:], y[1400:]), "turns": turned(x[1400:], seed=1)}

    def train_dataset(self, epoch):  # as long as the longest; the others begin anew
        def batches(arrays, size):
            rows = tf.data.Dataset.from_tensor_slices(arrays)
            return rows.shuffle(2000, seed=1000 * self.order_seed + epoch).batch(size)

        return {"digits": batches(self.digits, 16), "turns": batches(self.turns, 64)}

    def val_dataset(self):
        return {
            name: tf.data.Dataset.from_tensor_slices(arrays).batch(100)
            for name, arrays in self.held_out.items()
        }


class TwoHeads(Task):
    def __init__(self, learning_rate: float = 2e-3):
        self.learning_rate, self.data = learning_rate, DigitsAndTurns()

    def configure_model(self):
        layers = keras.layers
        self.trunk = keras.Sequential(
            [
                keras.Input((8, 8, 1)),
                layers.Conv2D(32, 3, padding="same", activation="relu"),
                layers.Conv2D(64, 3, strides=2, padding="same", activation="relu"),
                layers.Flatten(),
                layers.Dense(64, "relu"),
            ]
        )
        self.heads = {"digits": layers.Dense(10), "turns": layers.Dense(4)}

    def configure_optimizers(self):
        return keras.optimizers.Adam(self.learning_rate)

    def loss_of(self, name, batch):
        images, labels = batch
        logits = self.heads[name](self.trunk(images))
        right = keras.metrics.sparse_categorical_accuracy(labels, logits)
        losses = keras.losses.sparse_categorical_crossentropy(labels, logits, from_logits=True)
        return tf.reduce_mean(losses), tf.reduce_mean(right)

    def training_step(self, batch):
        return sum(self.loss_of(name, batch[name])[0] for name in self.heads)

    def validation_step(self, batch):
        loss, accuracy = self.loss_of(self.trainer.dataset_name, batch)
        self.log("accuracy", accuracy, prog_bar=True)
        return loss


def main(epochs: int = 15) -> dict[str, float]:
    trainer = Trainer(max_epochs=epochs, seed=0)
    trainer.fit(TwoHeads())
    return {
        "digits": trainer.callback_metrics["val_digits_accuracy"],
        "chance_of_digits": 0.1,
        "turns": trainer.callback_metrics["val_turns_accuracy"],
        "chance_of_turns": 0.25,
    }


if __name__ == "__main__":
    print(main())

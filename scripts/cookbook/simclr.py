"""SimCLR: features of digits without labels. Beside those of the same network, not trained."""

import keras
import tensorflow as tf
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from lightning_tf import Task, Trainer

x, y = load_digits(return_X_y=True)
x = (x / 16).astype("float32").reshape(-1, 8, 8, 1)
FEW = 50  # labels


class SimCLR(Task):
    batch_size = 256

    def __init__(self, temperature: float = 0.2, learning_rate: float = 2e-3):
        self.temperature, self.learning_rate = temperature, learning_rate

    def configure_model(self):
        layers = keras.layers
        self.augment = keras.Sequential(
            [
                layers.RandomTranslation(0.15, 0.15, fill_mode="constant"),
                layers.RandomRotation(0.05, fill_mode="constant"),
                layers.RandomZoom(0.15, 0.15, fill_mode="constant"),
                layers.GaussianNoise(0.1),
            ]
        )
        self.encoder = keras.Sequential(
            [
                keras.Input((8, 8, 1)),
                layers.Conv2D(32, 3, padding="same", activation="relu"),
                layers.Conv2D(64, 3, strides=2, padding="same", activation="relu"),
                layers.Flatten(),
                layers.Dense(128, "relu"),
            ]
        )
        self.projection = keras.Sequential([keras.Input((128,)), layers.Dense(32)])

    def configure_optimizers(self):
        return keras.optimizers.Adam(self.learning_rate)

    def training_step(self, batch):
        views = [self.augment(batch, training=True) for _ in range(2)]
        z = self.projection(self.encoder(tf.concat(views, axis=0)))
        z = tf.math.l2_normalize(z, axis=-1)
        count = tf.shape(batch)[0]
        others = z @ tf.transpose(z) / self.temperature - 1e9 * tf.eye(2 * count)  # not itself
        partner = tf.concat([tf.range(count, 2 * count), tf.range(count)], axis=0)
        losses = keras.losses.sparse_categorical_crossentropy(partner, others, from_logits=True)
        return tf.reduce_mean(losses)

    def predict_step(self, batch):
        return self.encoder(batch)


def accuracy_of_few_labels(trainer, task):
    features = tf.concat(trainer.predict(task, x, collect=True), axis=0).numpy()
    probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
    probe.fit(features[:FEW], y[:FEW])
    return float(probe.score(features[1000:], y[1000:]))


def main(epochs: int = 60) -> dict[str, float]:
    trainer = Trainer(max_epochs=0, seed=0)
    untrained = SimCLR()
    trainer.fit(untrained, x[:1000])

    task = SimCLR()
    trainer = Trainer(max_epochs=epochs, seed=0)
    trainer.fit(task, x[:1000])
    return {
        "accuracy": accuracy_of_few_labels(trainer, task),
        "untrained": accuracy_of_few_labels(trainer, untrained),
    }


if __name__ == "__main__":
    print(main())

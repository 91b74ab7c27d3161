"""Distillation: a small network learns from a large, frozen one. Beside the small one alone."""

import keras
import tensorflow as tf
from sklearn.datasets import load_digits

from lightning_tf import Task, Trainer
from lightning_tf.tasks import KerasTask

layers = keras.layers
x, y = load_digits(return_X_y=True)
x, y = (x / 16).astype("float32").reshape(-1, 8, 8, 1), y.astype("int32")
x_few, y_few, x_held_out, y_held_out = x[1000:1060], y[1000:1060], x[1200:], y[1200:]


def large_network():
    return keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(32, 3, padding="same", activation="relu"),
            layers.Conv2D(64, 3, strides=2, padding="same", activation="relu"),
            layers.Flatten(),
            layers.Dense(128, "relu"),
            layers.Dense(10),
        ]
    )


class Student(Task):
    """Learns the teacher's probabilities, of images that need no label.

    Without a teacher it learns the labels.
    """

    batch_size = 32

    def __init__(self, teacher=None, units: int = 16, temperature: float = 3.0):
        self.teacher, self.units, self.temperature = teacher, units, temperature

    def configure_model(self):
        self.model = keras.Sequential(
            [keras.Input((8, 8, 1)), layers.Flatten(), layers.Dense(self.units, "relu")]
        )
        self.model.add(layers.Dense(10))
        if self.teacher is not None:
            self.teacher.trainable = False

    def constant_variables(self):
        return [] if self.teacher is None else [self.teacher]  # stays out of checkpoints

    def configure_optimizers(self):
        return keras.optimizers.Adam(0.01)

    def configure_metrics(self):
        return {"accuracy": keras.metrics.SparseCategoricalAccuracy()}

    def training_step(self, batch):
        images, labels = batch
        logits = self.model(images)
        self.update_metrics(labels, logits)
        if self.teacher is None:
            losses = keras.losses.sparse_categorical_crossentropy(labels, logits, from_logits=True)
        else:
            soft = tf.nn.softmax(self.teacher(images, training=False) / self.temperature)
            losses = keras.losses.categorical_crossentropy(
                soft, logits / self.temperature, from_logits=True
            )
        return tf.reduce_mean(losses)

    def test_step(self, batch):
        images, labels = batch
        self.update_metrics(labels, self.model(images))


def main(epochs: int = 15, steps: int = 800) -> dict[str, float]:
    cross_entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    teacher = large_network()
    task = KerasTask(teacher, cross_entropy, keras.optimizers.Adam(), data=(x[:1000], y[:1000]))
    Trainer(max_epochs=epochs, seed=0).fit(task)

    accuracy = {}
    for name, student, images in (
        ("with_teacher", Student(teacher), (x[:1200], y[:1200])),  # these labels go unused
        ("alone", Student(), (x_few, y_few)),
    ):
        trainer = Trainer(max_steps=steps, enable_progress_bar=False, seed=0)
        trainer.fit(student, images)
        accuracy[name] = trainer.test(student, (x_held_out, y_held_out))["test_accuracy"]
    return accuracy


if __name__ == "__main__":
    print(main())

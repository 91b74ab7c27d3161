"""Train a Keras model with the Trainer instead of `model.fit`: one line changes.

    python scripts/keras_task.py
    python scripts/keras_task.py --epochs 20 --precision bf16-mixed

It learns the digits of scikit-learn in about a second.
"""

from __future__ import annotations

import argparse

import keras
from sklearn.datasets import load_digits

from lightning_tf import Trainer
from lightning_tf.tasks import KerasTask


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--precision", default="float32")
    parser.add_argument("--output", default=".", help="runs/ is made in this folder")
    options = parser.parse_args()

    # Before the model: several workers must join before TensorFlow computes anything.
    trainer = Trainer(
        max_epochs=options.epochs,
        precision=options.precision,
        default_root_dir=options.output,
        seed=0,
    )

    pixels, labels = load_digits(return_X_y=True)
    x, y = pixels.astype("float32") / 16, labels  # (1797, 64) in [0, 1], (1797,)
    keras.utils.set_random_seed(0)  # fit seeds only what is made after it
    layers = [keras.Input((64,)), keras.layers.Dense(64, "relu"), keras.layers.Dense(10)]
    model = keras.Sequential(layers)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    # Was: model.compile("adam", loss, metrics=["accuracy"]); model.fit(x, y, epochs=10)
    task = KerasTask(model, loss=loss, optimizer="adam", metrics=["accuracy"], data=(x, y))
    trainer.fit(task)

    if not trainer.is_global_zero:  # of several workers, the first one prints
        return
    print(f"accuracy {trainer.callback_metrics['accuracy']:.4f}")
    print(f"written: {trainer.log_dir}")


if __name__ == "__main__":
    main()

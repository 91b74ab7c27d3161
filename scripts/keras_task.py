"""Train a Keras model that is compiled and fitted elsewhere: the same model, one line changed.

    python scripts/keras_task.py
    python scripts/keras_task.py --epochs 20 --precision bf16-mixed

It learns the digits of scikit-learn in a second.
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

    trainer = Trainer(
        max_epochs=options.epochs,
        precision=options.precision,
        default_root_dir=options.output,
        seed=0,
    )
    x, y = load_digits(return_X_y=True)
    keras.utils.set_random_seed(0)  # the model is made here, before fit seeds anything
    layers = [keras.Input((64,)), keras.layers.Dense(64, "relu"), keras.layers.Dense(10)]
    model = keras.Sequential(layers)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    # model.compile("adam", loss, metrics=["accuracy"]); model.fit(x, y, epochs=10)
    data = (x.astype("float32") / 16, y)
    trainer.fit(KerasTask(model, loss=loss, optimizer="adam", metrics=["accuracy"], data=data))
    if not trainer.is_global_zero:
        return
    print(f"accuracy {trainer.callback_metrics['accuracy']:.4f}")
    print(f"written: {trainer.log_dir}")


if __name__ == "__main__":
    main()

"""Character language model: Python's own source text. Beside the frequencies of its characters."""

import argparse
import inspect

import keras
import numpy as np
import tensorflow as tf

from lightning_tf import Task, Trainer

WINDOW = 64
source = inspect.getsource(argparse)


class CharacterModel(Task):
    batch_size = 32

    def __init__(self, characters: str, units: int = 128, learning_rate: float = 5e-3):
        self.characters, self.units, self.learning_rate = characters, units, learning_rate

    def ids(self, text):
        return np.array([self.characters.index(character) for character in text], "int32")

    def configure_model(self):
        kinds = len(self.characters)
        self.model = keras.Sequential(
            [
                keras.Input((None,)),
                keras.layers.Embedding(kinds, 32),
                keras.layers.GRU(self.units, return_sequences=True),
                keras.layers.Dense(kinds),
            ]
        )

    def configure_optimizers(self):
        return keras.optimizers.Adam(self.learning_rate, clipnorm=1.0)

    def training_step(self, batch):
        logits = self.model(batch[:, :-1])
        losses = keras.losses.sparse_categorical_crossentropy(
            batch[:, 1:], logits, from_logits=True
        )
        self.log("bits", tf.reduce_mean(losses) / np.log(2), prog_bar=True)
        return tf.reduce_mean(losses)

    def validation_step(self, batch):
        return self.training_step(batch)

    def on_validation_epoch_end(self):
        if not self.trainer.sanity_checking:
            self.trainer.log_text("sample", self.write("    def ", 100, seed=0))

    def write(self, text, count, seed):
        """Return the text with as many more characters, each drawn by its probability."""
        rng, model = np.random.default_rng(seed), tf.function(self.model)  # a graph, for speed
        for _ in range(count):
            ids = self.ids(text[-WINDOW:].rjust(WINDOW))[None]
            odds = np.exp(model(ids)[0, -1].numpy().astype("float64"))
            text += rng.choice(list(self.characters), p=odds / odds.sum())
        return text


def main(epochs: int = 10) -> dict[str, float]:
    task = CharacterModel("".join(sorted({*source})))
    ids = task.ids(source)
    windows = ids[: len(ids) // (WINDOW + 1) * (WINDOW + 1)].reshape(-1, WINDOW + 1)
    split = int(0.9 * len(windows))
    trainer = Trainer(max_epochs=epochs, seed=0)
    trainer.fit(task, windows[:split], windows[split:])
    print(task.write("    def ", 200, seed=1))

    shares = np.bincount(windows[:split].ravel()) / windows[:split].size
    held_out = windows[split:, 1:].ravel()
    return {
        "bits": trainer.callback_metrics["val_bits"],
        "of_frequencies": float(-np.log2(shares[held_out].clip(1e-6)).mean()),
    }


if __name__ == "__main__":
    print(main())

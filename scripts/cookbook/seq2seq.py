"""Sequence to sequence with attention: digits in, the same digits backwards out."""

import keras
import numpy as np
import tensorflow as tf

from lightning_tf import Task, Trainer

LENGTH, START = 8, 10  # the digits are 0 to 9
layers = keras.layers


def digits_and_reversed(count, seed):
    digits = np.random.default_rng(seed).integers(0, 10, (count, LENGTH)).astype("int32")
    return digits, digits[:, ::-1].copy()


class Reverser(Task):
    batch_size = 64

    def __init__(self, units: int = 64, learning_rate: float = 5e-3):
        self.units, self.learning_rate = units, learning_rate

    def configure_model(self):
        source, written = keras.Input((LENGTH,)), keras.Input((None,))
        embed = layers.Embedding(11, self.units)
        read, state = layers.GRU(self.units, return_sequences=True, return_state=True)(
            embed(source)
        )
        self.encoder = keras.Model(source, [read, state])

        memory, start = keras.Input((LENGTH, self.units)), keras.Input((self.units,))
        x = layers.GRU(self.units, return_sequences=True)(embed(written), initial_state=start)
        x = layers.Concatenate()([x, layers.Attention()([x, memory])])
        x = layers.Dense(self.units, "relu")(x)
        self.decoder = keras.Model([written, memory, start], layers.Dense(10)(x))

    def configure_optimizers(self):
        return keras.optimizers.Adam(self.learning_rate, clipnorm=1.0)

    def training_step(self, batch):
        source, target = batch
        start = tf.fill((tf.shape(target)[0], 1), START)
        written = tf.concat([start, target[:, :-1]], axis=1)  # teacher forcing
        logits = self.decoder([written, *self.encoder(source)])
        losses = keras.losses.sparse_categorical_crossentropy(target, logits, from_logits=True)
        return tf.reduce_mean(losses)

    def validation_step(self, batch):
        source, target = batch
        right = tf.reduce_all(self.predict_step(source) == target, axis=1)
        self.log("exact", tf.reduce_mean(tf.cast(right, tf.float32)), prog_bar=True)
        return self.training_step(batch)

    def predict_step(self, source):
        """Write digit by digit, each the likeliest behind those before it."""
        memory, state = self.encoder(source)
        written = tf.fill((tf.shape(source)[0], 1), START)
        for _ in range(LENGTH):
            logits = self.decoder([written, memory, state])[:, -1]
            best = tf.argmax(logits, axis=-1, output_type=tf.int32)
            written = tf.concat([written, best[:, None]], axis=1)
        return written[:, 1:]


def main(epochs: int = 8, examples: int = 5000) -> dict[str, float]:
    trainer = Trainer(max_epochs=epochs, check_val_every_n_epoch=epochs, seed=0)
    trainer.fit(Reverser(), digits_and_reversed(examples, seed=0), digits_and_reversed(500, seed=1))
    return {"exact": trainer.callback_metrics["val_exact"], "chance": 0.1**LENGTH}


if __name__ == "__main__":
    print(main())

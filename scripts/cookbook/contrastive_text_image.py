"""Contrastive text and image: which caption belongs to which image. Of captions never seen."""

import itertools

import keras
import numpy as np
import tensorflow as tf

from lightning_tf import Task, Trainer

SIZE = 24
COLORS = {"red": (1, 0, 0), "green": (0, 1, 0), "blue": (0, 0, 1), "white": (1, 1, 1)}
SIDES = {"above": (7, 12), "below": (17, 12), "left": (12, 7), "right": (12, 17)}
ALL = list(itertools.product(["small", "large"], COLORS, ["circle", "square"], SIDES))
WORDS = sorted({word for caption in ALL for word in caption})


def pairs(captions, rng):
    """Return a noisy image of each caption, and its words as integers."""
    rows, columns = np.mgrid[:SIZE, :SIZE]
    images = rng.normal(0.2, 0.05, (len(captions), SIZE, SIZE, 3))
    for image, (size, color, shape, side) in zip(images, captions, strict=True):
        y, x = SIDES[side] + rng.integers(-2, 3, 2)
        dy, dx, radius = abs(rows - y), abs(columns - x), {"small": 3, "large": 5}[size]
        inside = dy**2 + dx**2 <= radius**2 if shape == "circle" else np.maximum(dy, dx) < radius
        image[inside] = np.array(COLORS[color]) * rng.uniform(0.7, 1)
    words = [[WORDS.index(word) for word in caption] for caption in captions]
    return images.astype("float32"), np.array(words, "int32")


class TextAndImage(Task):
    batch_size = 64

    def __init__(self, width: int = 32, learning_rate: float = 3e-3):
        self.width, self.learning_rate = width, learning_rate

    def configure_model(self):
        layers = keras.layers
        self.image_encoder = keras.Sequential([keras.Input((SIZE, SIZE, 3))])
        for filters in (16, 32, 32):
            self.image_encoder.add(layers.Conv2D(filters, 3, 2, "same", activation="relu"))
        self.image_encoder.add(layers.Flatten())
        self.image_encoder.add(layers.Dense(self.width))
        self.text_encoder = keras.Sequential(
            [
                keras.Input((4,), dtype="int32"),
                layers.Embedding(len(WORDS), 32),
                layers.Flatten(),
                layers.Dense(64, "relu"),
                layers.Dense(self.width),
            ]
        )
        self.log_scale = keras.Variable(2.3, name="log_scale")

    def configure_optimizers(self):
        return keras.optimizers.Adam(self.learning_rate)

    def similarity(self, images, words):
        images = tf.math.l2_normalize(self.image_encoder(images), axis=-1)
        words = tf.math.l2_normalize(self.text_encoder(words), axis=-1)
        return images @ tf.transpose(words)

    def training_step(self, batch):
        images, words = batch
        logits = tf.exp(self.log_scale) * self.similarity(images, words)
        same = tf.reduce_all(words[:, None] == words, axis=-1)  # a caption may come twice
        same = tf.cast(same, tf.float32)
        target = same / tf.reduce_sum(same, axis=-1, keepdims=True)
        of_images = tf.nn.softmax_cross_entropy_with_logits(target, logits)
        of_words = tf.nn.softmax_cross_entropy_with_logits(target, tf.transpose(logits))
        return tf.reduce_mean(of_images + of_words)

    def validation_step(self, batch):
        """Log how often an image's caption is the nearest; the batch is all held-out captions."""
        best = tf.argmax(self.similarity(*batch), axis=-1, output_type=tf.int32)
        right = tf.reduce_all(tf.gather(batch[1], best) == batch[1], axis=-1)
        self.log("retrieved", tf.reduce_mean(tf.cast(right, tf.float32)), prog_bar=True)


def main(epochs: int = 20) -> dict[str, float]:
    rng = np.random.default_rng(0)
    order = rng.permutation(len(ALL))
    unseen, seen = [ALL[i] for i in order[:16]], [ALL[i] for i in order[16:]]
    train = pairs([seen[i] for i in rng.integers(0, len(seen), 2000)], rng)
    held_out = tf.data.Dataset.from_tensor_slices(pairs(unseen * 10, rng)).batch(16)
    trainer = Trainer(max_epochs=epochs, seed=0)
    trainer.fit(TextAndImage(), train, held_out)
    return {"retrieved": trainer.callback_metrics["val_retrieved"], "by_chance": 1 / 16}


if __name__ == "__main__":
    print(main())

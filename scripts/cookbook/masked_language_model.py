"""Masked language modeling: the words that are missing. Beside the most frequent ones."""

import keras
import numpy as np
import tensorflow as tf

from lightning_tf import Task, Trainer

SOUNDS = {"dog": "bark", "cat": "meow", "cow": "moo", "duck": "quack", "bee": "buzz", "owl": "hoot"}
PLACES = ["garden", "barn", "yard", "field"]
LENGTH = 8


def sentence(rng):
    """Return such as "one small dog barks in the old barn"; numbers agree, and animals sound."""
    animal, place = rng.choice(list(SOUNDS)), rng.choice(PLACES)
    number = rng.choice(["one", "two", "three"])
    noun, verb = (
        (animal, SOUNDS[animal] + "s") if number == "one" else (animal + "s", SOUNDS[animal])
    )
    size, age = rng.choice(["small", "big"]), "old" if place in ("barn", "yard") else "green"
    return [number, size, noun, verb, "in", "the", age, place]


rng = np.random.default_rng(0)
texts = [sentence(rng) for _ in range(3000)]
words = ["[mask]", *sorted({word for text in texts for word in text})]
ids = np.array([[words.index(word) for word in text] for text in texts], "int32")


class MaskedLanguageModel(Task):
    batch_size = 64

    def __init__(self, words: list[str], width: int = 48, heads: int = 4, blocks: int = 2):
        self.words, self.width, self.heads, self.blocks = words, width, heads, blocks

    def configure_model(self):
        layers = keras.layers
        tokens = keras.Input((LENGTH,), dtype="int32")
        places = layers.Embedding(LENGTH, self.width)(tf.range(LENGTH))
        x = layers.Embedding(len(self.words), self.width)(tokens) + places
        for _ in range(self.blocks):
            normal = layers.LayerNormalization()(x)
            x += layers.MultiHeadAttention(self.heads, self.width // self.heads)(normal, normal)
            normal = layers.Dense(2 * self.width, "gelu")(layers.LayerNormalization()(x))
            x += layers.Dense(self.width)(normal)
        self.model = keras.Model(tokens, layers.Dense(len(self.words))(x))

    def configure_optimizers(self):
        return keras.optimizers.AdamW(2e-3)

    def configure_metrics(self):
        return {"accuracy": keras.metrics.SparseCategoricalAccuracy()}

    def training_step(self, tokens):
        hidden = tf.cast(keras.random.uniform(tf.shape(tokens)) < 0.2, tf.float32)
        logits = self.model(tf.where(hidden > 0, 0, tokens))
        self.update_metrics(tokens, logits, sample_weight=hidden)  # of what is hidden alone
        losses = keras.losses.sparse_categorical_crossentropy(tokens, logits, from_logits=True)
        count = tf.reduce_sum(hidden)
        loss = tf.math.divide_no_nan(tf.reduce_sum(losses * hidden), count)
        return {"loss": loss, "weight": count}

    def validation_step(self, tokens):
        return self.training_step(tokens)

    def predict_step(self, tokens):
        return tf.argmax(self.model(tokens), axis=-1)

    def on_validation_epoch_end(self):
        shown = ids[:5].copy()
        shown[np.arange(5), np.arange(5) % 4] = 0
        filled = self.predict_step(shown).numpy()
        rows = [
            [" ".join(self.words[i] for i in sentence) for sentence in pair]
            for pair in zip(shown, filled, strict=True)
        ]
        self.trainer.log_table("filled", ["given", "filled"], rows)


def main(epochs: int = 12) -> dict[str, float]:
    trainer = Trainer(max_epochs=epochs, seed=0)
    trainer.fit(MaskedLanguageModel(words), ids[:2500], ids[2500:])
    frequent = [np.bincount(column).argmax() for column in ids[:2500].T]
    return {
        "accuracy": trainer.callback_metrics["val_accuracy"],
        "of_frequencies": float((ids[2500:] == frequent).mean()),
    }


if __name__ == "__main__":
    print(main())

"""Sequence labeling: dates and prices in texts, letter by letter. Beside each letter by itself."""

import itertools

import keras
import numpy as np
import tensorflow as tf

from lightning_tf import HostMetric, Task, Trainer

LENGTH, TAGS = 52, ("none", "date", "price")
LETTERS = " abcdefghijklmnopqrstuvwxyz0123456789.:-"  # 0 fills up
THINGS = ["nails", "planks of 2.5 m", "pots", "boxes no. 12", "hinges 8-10 cm", "lamps"]


def example(rng):
    """Return a text and a tag for each of its letters."""
    date = "{}-{:02}-{:02}".format(*rng.integers([1990, 1, 1], [2030, 13, 29]))
    date = date if rng.random() < 0.5 else ".".join(reversed(date.split("-")))
    price = f"{rng.integers(1, 400)}.{rng.integers(0, 100):02}"
    form = rng.choice(["{n} {t} on {d} for {p}", "{d}: {p} for {n} {t}"])
    text = form.format(n=rng.integers(1, 99), t=rng.choice(THINGS), d=date, p=price)
    tags = np.zeros(LENGTH, "int32")
    for tag, words in ((1, date), (2, price)):
        tags[text.find(words) :][: len(words)] = tag
    return [LETTERS.index(letter) + 1 for letter in text], tags


def examples(count, seed):
    rng = np.random.default_rng(seed)
    texts, tags = zip(*(example(rng) for _ in range(count)), strict=True)
    return keras.utils.pad_sequences(texts, LENGTH, padding="post"), np.stack(tags)


def spans(tags):
    """Return (tag, start, end) of each stretch of letters."""
    cuts = [0, *(np.flatnonzero(np.diff(tags)) + 1), len(tags)]
    return {(tags[a], a, b) for a, b in itertools.pairwise(cuts) if tags[a]}


class SpanF1(HostMetric):
    """F1 of whole dates and prices."""

    def reset(self):
        self.right = self.total = 0

    def update(self, outputs):
        for tags, predicted in zip(outputs["tags"], outputs["predicted"], strict=True):
            true, found = spans(tags), spans(predicted)
            self.right += len(true & found)
            self.total += len(true) + len(found)

    def compute(self):
        return 2 * self.right / max(self.total, 1)


class Tagger(Task):
    batch_size = 64

    def configure_model(self):
        layers = keras.layers
        self.model = keras.Sequential([layers.Embedding(len(LETTERS) + 1, 16)])
        for _ in range(3):
            self.model.add(layers.Conv1D(64, 7, padding="same", activation="relu"))
        self.model.add(layers.Dense(len(TAGS)))

    def configure_optimizers(self):
        return keras.optimizers.Adam(5e-3)

    def configure_host_metrics(self):
        return {"span_f1": SpanF1()}

    def training_step(self, batch):
        letters, tags = batch
        losses = keras.losses.sparse_categorical_crossentropy(tags, self.model(letters), True)
        here = tf.cast(letters > 0, tf.float32)  # what fills up does not count
        count = tf.reduce_sum(here)
        return {"loss": tf.reduce_sum(losses * here) / count, "weight": count}

    def validation_step(self, batch):
        letters, tags = batch
        predicted = tf.where(letters > 0, tf.argmax(self.model(letters), axis=-1), 0)
        return {**self.training_step(batch), "tags": tags, "predicted": predicted}


def main(epochs: int = 4, count: int = 2000) -> dict[str, float]:
    letters, tags = examples(count, seed=0)
    held_letters, held_tags = examples(400, seed=1)
    trainer = Trainer(max_epochs=epochs, seed=0)
    trainer.fit(Tagger(), (letters, tags), (held_letters, held_tags))
    counts, by_letter = np.zeros((len(LETTERS) + 1, len(TAGS))), SpanF1()
    np.add.at(counts, (letters, tags), 1)
    by_letter.reset()
    by_letter.update({"tags": held_tags, "predicted": counts.argmax(axis=1)[held_letters]})
    return {"span_f1": trainer.callback_metrics["val_span_f1"], "by_letter": by_letter.compute()}


if __name__ == "__main__":
    print(main())

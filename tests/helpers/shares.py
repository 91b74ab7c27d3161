"""Workers that read shares of their own: every record counted; run by `on_workers`."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf
from helpers.boring import quiet

from lightning_tf import DataModule, Task, Trainer
from lightning_tf.exceptions import DataError

SHARDS = np.split(np.arange(37), np.cumsum([9, 4, 1, 11]))  # five, of 9, 4, 1, 11 and 12 records
LENGTHS = ("known", "unknown", "of Python", "of Grain")


def records_of(worker, count):
    return np.concatenate(SHARDS[worker::count])


class Shares(DataModule):
    """Records by number, from shards of different sizes; in batches of 8 of all workers."""

    def __init__(self, length="known"):
        super().__init__(batch_size=8)
        self.length = length

    def batches(self, records, count):
        if self.length == "of Grain":
            import grain

            stream = grain.MapDataset.source(records).to_iter_dataset()
            return stream.batch(self.batch_size // count)
        if self.length == "of Python":
            spec = tf.TensorSpec([], tf.int64)
            numbers = tf.data.Dataset.from_generator(lambda: iter(records), output_signature=spec)
        else:
            numbers = tf.data.Dataset.from_tensor_slices(records)
        numbers = numbers.filter(lambda x: True) if self.length == "unknown" else numbers
        numbers = numbers.repeat() if self.length == "endless" else numbers
        return numbers.batch(self.batch_size // count)

    def train_shard(self, epoch, worker, count):
        return self.batches(np.roll(records_of(worker, count), epoch), count)

    def val_shard(self, worker, count):
        both = records_of(worker, count)
        few = both[: 2 * self.batch_size // count]
        return {"few": self.batches(few, count), "all": self.batches(both, count)}


class Cut(Shares):
    """The whole data, which the Trainer cuts."""

    def train_dataset(self, epoch):
        return self.batches(np.concatenate(SHARDS), 1)


class Unsaid(Shares):
    """A share from the method of whole data: `train_dataset`."""

    def train_dataset(self, epoch):
        return self.batches(records_of(self.workers.index, self.workers.count), 2)

    def val_dataset(self):
        return self.batches(records_of(self.workers.index, self.workers.count), 2)


class UnsaidValidation(Cut):
    def val_dataset(self):
        return self.batches(records_of(self.workers.index, self.workers.count), 2)


class Random(Cut):
    """Augmented at random, in every worker by itself."""

    def train_dataset(self, epoch):
        def drawn(records):
            values = tf.numpy_function(
                lambda n: np.random.default_rng().normal(size=n), [8], tf.float64
            )
            return records, tf.reshape(values, [-1])[: tf.shape(records)[0]]

        return super().train_dataset(epoch).map(drawn)


class All(Shares):
    """Says that it gives shares, and gives everything to every worker."""

    def train_shard(self, epoch, worker, count):
        return super().train_shard(epoch, 0, 1)


class Undivided(Shares):
    """Takes the global batch size for a worker's."""

    def train_shard(self, epoch, worker, count):
        return super().train_shard(epoch, worker, count).unbatch().batch(8)


class Empty(Shares):
    """Gives the last worker nothing."""

    def train_shard(self, epoch, worker, count):
        share = super().train_shard(epoch, worker, count)
        return share.take(0) if worker == count - 1 else share


class Count(Task):
    """A weight for each record, which moves by 1 / (rows of the global batch) where it is read."""

    def __init__(self, data):
        self.data = data

    def configure_model(self):
        self.weights = keras.Variable(np.zeros(len(np.concatenate(SHARDS)), "float32"))

    def configure_optimizers(self):
        return keras.optimizers.SGD(1.0)

    def training_step(self, batch):
        records = batch[0] if isinstance(batch, tuple) else batch
        return -tf.reduce_mean(tf.gather(self.weights, records))

    def validation_step(self, batch):
        return tf.reduce_mean(tf.cast(batch, tf.float32))


def fitted(data, ckpt_path=None, **arguments):
    task = Count(data)
    trainer = Trainer(**quiet(**{"max_epochs": 1, "seed": 0, "accelerator": "cpu", **arguments}))
    trainer.fit(task, ckpt_path=ckpt_path)
    return trainer, task.weights.numpy()


def expected(count, endless_steps=None):
    """Return how the weights move where every worker's n-th batch makes the n-th global batch."""
    weights, size = np.zeros(37, "float32"), 8 // count
    shares = [records_of(worker, count) for worker in range(count)]
    if endless_steps is not None:
        shares = [np.resize(share, endless_steps * size) for share in shares]
    for start in range(0, max(map(len, shares)), size):
        batch = np.concatenate([share[start : start + size] for share in shares])
        np.add.at(weights, batch, 1 / len(batch))
    return weights


def counted(folder):
    """Return what each kind of share moved, and what it should have."""
    Trainer(**quiet(max_steps=1, accelerator="cpu"))
    report = {}
    for length in LENGTHS:
        trainer, weights = fitted(Shares(length))
        values = trainer.validate(trainer.task)
        count = trainer.workers.count
        report[length] = weights, expected(count), trainer.global_step, values
    trainer, weights = fitted(Shares("known"), accumulate_grad_batches=2)
    report["steps by two"] = trainer.global_step, weights.astype(bool).all()
    trainer, weights = fitted(Shares("endless"), max_epochs=None, max_steps=2, limit_val_batches=1)
    report["endless"] = weights, expected(count, endless_steps=2)
    return report


def resumed(folder):
    """Return weights of two epochs in one run, and of a run that was stopped and resumed."""
    Trainer(**quiet(max_steps=1, accelerator="cpu"))
    report = {}
    for length in ("unknown", "of Grain"):
        _, whole = fitted(Shares(length), max_epochs=2)
        trainer, _ = fitted(Shares(length), max_epochs=2, max_steps=5)  # worker 1 is done
        trainer.save_checkpoint(f"{folder}/{length}")
        _, rest = fitted(Shares(length), max_epochs=2, ckpt_path=f"{folder}/{length}")
        report[length] = whole, rest
    return report


def refused(folder):
    """Return the messages of what is refused, and what the cut data moved."""
    Trainer(**quiet(max_steps=1, accelerator="cpu"))
    report = {}
    for kind in (Unsaid, UnsaidValidation, All, Undivided, Empty):
        try:
            fitted(kind())
            report[kind.__name__] = "trained"
        except DataError as error:
            report[kind.__name__] = str(error)
    report["Cut"] = fitted(Cut(), limit_val_batches=0)[1]
    report["Random"] = fitted(Random(), limit_val_batches=0)[1]
    return report

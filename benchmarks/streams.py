"""What it costs to resume inside a stream, and the memory of a stream of 10 million records.

    python benchmarks/streams.py [--runs 1] [--write] [--check] [--quick]

Records of 16 floats in 10 files, in batches of 100 through the Trainer; every figure is of a
process of its own.

- Resume: CPU seconds of a fit that goes on from a checkpoint and ends after one update, at record
  100 (which is what a fit costs anyway), 500,000 and 1,000,000. Of a TFRecord pipeline with a
  shuffle buffer of 10,000 by `skip` and by the iterator's state; of Grain over a memory-mapped
  array by index (`MapDataset`) and by state (`IterDataset`). The weights after it must be those of
  the run that was never stopped.
- Memory: the resident size while 10 million records pass, at 1 million and at the end.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import keras
import measure
import numpy as np
import psutil
import tensorflow as tf

from lightning_tf import Callback, DataModule, Task, Trainer

FILES, BATCH, WIDTH = 10, 100, 16
PLACES = (100, 500_000, 1_000_000)
STREAM, EARLY, STREAM_BATCH = 10_000_000, 1_000_000, 1000
KINDS = ("tf.data, skip", "tf.data, iterator state", "Grain by index", "Grain by state")


class Files(DataModule):
    """The files of one kind."""

    def __init__(self, folder: str, kind: str) -> None:
        super().__init__(BATCH)
        self.folder, self.kind = folder, kind
        self.resume_by = "iterator" if kind == "tf.data, iterator state" else "skip"

    def train_dataset(self, epoch: int) -> Any:
        """Return the batches."""
        if self.kind.startswith("tf.data"):
            files = sorted(str(path) for path in Path(self.folder).glob("*.tfrecord"))
            records = tf.data.TFRecordDataset(files)
            records = records.shuffle(10_000, seed=epoch, reshuffle_each_iteration=False)
            return records.map(lambda record: tf.io.decode_raw(record, tf.float32)).batch(BATCH)

        import grain

        rows = np.load(f"{self.folder}/rows.npy", mmap_mode="r")
        records = grain.MapDataset.source(rows).seed(epoch).shuffle().map(np.array)
        if self.kind == "Grain by index":
            return records.batch(BATCH)
        return records.to_iter_dataset(grain.ReadOptions(2, 64)).batch(BATCH)


class Numbers(DataModule):
    """A stream of 10 million records by Grain, without a known end."""

    def train_dataset(self, epoch: int) -> Any:
        """Return the batches."""
        import grain

        def batch(place: int) -> np.ndarray:
            return np.full((STREAM_BATCH, WIDTH), place, "float32") / STREAM

        places = grain.MapDataset.range(STREAM // STREAM_BATCH)
        return places.to_iter_dataset(grain.ReadOptions(1, 4)).map(batch)


class Mean(Task):
    """One Dense layer."""

    def __init__(self, data: DataModule) -> None:
        self.data = data

    def configure_model(self) -> None:
        """Make the layer."""
        self.model = keras.Sequential([keras.Input((WIDTH,)), keras.layers.Dense(1)])

    def configure_optimizers(self) -> keras.optimizers.Optimizer:
        """Return plain descent."""
        return keras.optimizers.SGD(1e-3)

    def training_step(self, batch: tf.Tensor) -> tf.Tensor:
        """Return the mean square of the outputs."""
        return tf.reduce_mean(self.model(batch) ** 2)


class Sizes(Callback):
    """The resident size whenever a million records have passed."""

    logs_metrics = False
    every_n_steps = EARLY // STREAM_BATCH

    def __init__(self) -> None:
        self.sizes: list[int] = []

    def on_train_window_end(self, trainer: Trainer, task: Task) -> None:
        """Note the size."""
        if trainer.global_step % self.every_n_steps == 0:
            self.sizes.append(psutil.Process().memory_info().rss)


class Saving(Callback):
    """Checkpoints where the run will be resumed, and the weights one update later."""

    logs_metrics = False

    def __init__(self, folder: str, kind: str) -> None:
        self.folder, self.kind = folder, kind

    def next_step(self, trainer: Trainer) -> int | None:
        """Return the next place, or the one behind it."""
        step = trainer.global_step
        places = sorted({p // BATCH + more for p in PLACES for more in (0, 1)})
        return next((place for place in places if place > step), None)

    def on_train_window_end(self, trainer: Trainer, task: Task) -> None:
        """Save, or note the weights."""
        records = trainer.global_step * BATCH
        if records in PLACES:
            trainer.save_checkpoint(f"{self.folder}/{self.kind} {records}")
        elif records - BATCH in PLACES:
            np.save(f"{self.folder}/{self.kind} {records - BATCH}.npy", weights(task))


def weights(task: Task) -> np.ndarray:
    """Return the weights of the layer."""
    return np.concatenate([np.ravel(w) for w in task.model.get_weights()])


def trainer_of(steps: int | None, *callbacks: Callback) -> Trainer:
    """Return a Trainer that writes nothing."""
    return Trainer(
        accelerator="cpu",
        max_epochs=1,
        max_steps=steps,
        seed=0,
        callbacks=list(callbacks),
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )


def write_files(folder: str) -> None:
    """Write the records, a little more than the last place needs."""
    count = (PLACES[-1] + 10_000) // FILES
    parts = [
        np.random.default_rng(number).normal(size=(count, WIDTH)).astype("float32")
        for number in range(FILES)
    ]
    np.save(f"{folder}/rows.npy", np.concatenate(parts))
    for number, rows in enumerate(parts):
        with tf.io.TFRecordWriter(f"{folder}/{number}.tfrecord") as writer:
            for row in rows:
                writer.write(row.tobytes())


def train(folder: str, kind: str) -> None:
    """Train to the last place, writing checkpoints on the way."""
    trainer = trainer_of(PLACES[-1] // BATCH + 1, Saving(folder, kind))
    trainer.fit(Mean(Files(folder, kind)))


def resume(folder: str, kind: str, place: str) -> None:
    """Resume for one update; print CPU and wall seconds."""
    task, trainer = Mean(Files(folder, kind)), trainer_of(int(place) // BATCH + 1)
    began, cpu = time.perf_counter(), time.process_time()
    trainer.fit(task, ckpt_path=f"{folder}/{kind} {place}")
    print(time.process_time() - cpu, time.perf_counter() - began)
    expected = np.load(f"{folder}/{kind} {place}.npy")
    if not np.array_equal(weights(task), expected):
        raise SystemExit(f"{kind} at {place}: the weights are not those of the undisturbed run")


def stream() -> None:
    """Train on 10 million records; print the sizes."""
    sizes = Sizes()
    trainer_of(None, sizes).fit(Mean(Numbers()))
    print(*sizes.sizes)


def in_process(*arguments: str) -> list[float]:
    """Return the numbers that a new process prints last."""
    command = [sys.executable, __file__, *arguments]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return [float(number) for number in (done.stdout.splitlines() or [""])[-1].split()]


def main() -> None:
    processes = {"write_files": write_files, "train": train, "resume": resume, "stream": stream}
    if sys.argv[1:] and sys.argv[1] in processes:
        processes[sys.argv[1]](*sys.argv[2:])
        return
    options = measure.arguments(__doc__.splitlines()[0], runs=1)

    sizes = in_process("stream")
    rows, cost = [], {}
    if not options.quick:
        with tempfile.TemporaryDirectory() as folder:
            in_process("write_files", folder)
            for kind in KINDS:
                in_process("train", folder, kind)
                for place in PLACES:
                    runs = [
                        in_process("resume", folder, kind, str(place))[0]
                        for _ in range(options.runs)
                    ]
                    cost[kind, place] = statistics.median(runs)
                rows.append([kind, *(f"{cost[kind, place]:.1f}" for place in PLACES)])

    header = ["resume at record (CPU s)", *(f"{place:,}" for place in PLACES)]
    text = f"{measure.table(header, rows)}\n\n" if rows else ""
    early, late = sizes[0], sizes[-1]
    resident = ["resident size (MiB)", *(f"{size / 2**20:.0f}" for size in sizes)]
    text += measure.table(["records (millions)", *map(str, range(1, len(sizes) + 1))], [resident])
    targets = [
        measure.Target(
            "size at 10 million to that at 1 million records", late / early, 1.02, is_time=False
        )
    ]
    for kind in KINDS[1:] if rows else ():
        ratio = cost[kind, PLACES[-1]] / cost["tf.data, skip", PLACES[-1]]
        targets.append(measure.Target(f"{kind} to skip, at record 1,000,000", ratio, 0.5))
    measure.report("streams", text, targets, options)


if __name__ == "__main__":
    main()

"""Compare a run that is killed again and again with the run that was never killed.

    python benchmarks/kill_test.py [--task classifier|gan|two_optimizers] [--kills 100] [--write]

A run in a process of its own is killed with SIGKILL at random moments, half of them while a
checkpoint is being written, and resumed in a new process with ``ckpt_path="last"`` until it ends.
Shuffling, dropout, augmentation, AdamW with cosine decay, accumulation of 3 and a checkpoint every
few updates take part. Compared bit by bit: every variable of the last checkpoint and every logged
row, which holds a number for the order of the examples.
"""

from __future__ import annotations

import argparse
import filecmp
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from lightning_tf import Callback, DataModule, Task, Trainer
from lightning_tf.callbacks import ModelCheckpoint
from lightning_tf.checkpoint.io import read_checkpoint
from lightning_tf.tasks import GAN, ImageClassification

EPOCHS, EVERY = 40, 4  # of the whole run; updates between checkpoints
KILLS_OF_A_RUN = 10  # then it may end, and another run begins
LONGEST_WAIT = 0.8  # seconds of training before a kill
STARTED, TIMEOUT = "training starts", 300


def order_of(numbers: tf.Tensor) -> tf.Tensor:
    """Return a number that depends on the order of the examples; exact in float32."""
    positions = tf.range(1, tf.size(numbers) + 1)
    return tf.cast(tf.reduce_sum(tf.cast(numbers, tf.int32) * positions) % 99_991, tf.float32)


class Classifier(ImageClassification):
    """Digits with dropout and augmentation; a row holds the order of its examples."""

    def __init__(self) -> None:
        super().__init__(
            "digits",
            "mlp",
            dropout=0.3,
            augmentation=["crop", "brightness"],
            optimizer="adamw",
            schedule="cosine",
            learning_rate=0.003,
        )

    def training_step(self, batch: Any) -> tf.Tensor:
        """Log the order, told by the images' sums, and return the loss."""
        sums = tf.reduce_sum(tf.cast(batch[0], tf.int32), axis=[1, 2, 3])
        self.log("order", order_of(sums))
        return super().training_step(batch)


class Points(DataModule):
    """Numbers in an order of (seed, epoch); the last batch is smaller."""

    def train_dataset(self, epoch: int) -> tf.data.Dataset:
        """Return 50 batches of 16, the last of 7."""
        order = np.random.RandomState([self.order_seed, epoch]).permutation(791)
        return tf.data.Dataset.from_tensor_slices(order.astype("float32")).batch(16)


class TwoOptimizers(Task):
    """Two networks against each other, each with its own optimizer and dropout."""

    def __init__(self) -> None:
        self.data = Points(batch_size=16)

    def configure_model(self) -> None:
        """Make a generator and a discriminator of numbers."""
        noise, hidden = keras.Input((4,)), keras.layers.Dense(16, "relu")
        self.generator = keras.Sequential([noise, hidden, keras.layers.Dense(1)])
        layers = [keras.layers.Dense(16, "relu"), keras.layers.Dropout(0.3), keras.layers.Dense(1)]
        self.discriminator = keras.Sequential([keras.Input((1,)), *layers])
        self.noise = keras.random.SeedGenerator(7)

    def configure_optimizers(self) -> dict[str, keras.Optimizer]:
        """Return AdamW with cosine decay for one, RMSprop for the other."""
        cosine = keras.optimizers.schedules.CosineDecay(0.01, 17 * EPOCHS)
        return {
            "generator": keras.optimizers.AdamW(cosine),
            "discriminator": keras.optimizers.RMSprop(0.002),
        }

    def training_step(self, batch: tf.Tensor) -> dict[str, tf.Tensor]:
        """Return the two losses of a GAN."""
        self.log("order", order_of(batch))
        real = tf.reshape(batch, [-1, 1]) / 791.0
        noise = keras.random.normal([tf.shape(real)[0], 4], seed=self.noise)
        fake = self.generator(noise, training=True)
        real_logits = self.discriminator(real, training=True)
        fake_logits = self.discriminator(fake, training=True)
        losses = tf.nn.softplus(-real_logits) + tf.nn.softplus(fake_logits)
        return {
            "generator": tf.reduce_mean(tf.nn.softplus(-fake_logits)),
            "discriminator": tf.reduce_mean(losses),
        }


class SmallGAN(GAN):
    """WGAN-GP with dropout, two critic updates in a step, averaged weights and an animation."""

    def __init__(self) -> None:
        super().__init__(
            "digits",
            "wgan-gp",
            networks="mlp",
            width=16,
            latent_dim=8,
            dropout=0.3,
            n_critic=2,
            batch_size=64,
            num_samples=9,
            sample_every_n_epochs=5,
        )

    def training_step(self, batch: Any) -> dict[str, tf.Tensor]:
        """Log the order, told by the images' sums, and return the loss."""
        self.log("order", order_of(tf.reduce_sum(batch[0], axis=[1, 2, 3])))
        return super().training_step(batch)


TASKS = {"classifier": Classifier, "gan": SmallGAN, "two_optimizers": TwoOptimizers}


class Announce(Callback):
    """Prints a line when training starts, for the process that kills."""

    logs_metrics = False

    def on_train_start(self, trainer: Trainer, task: Task) -> None:
        """Print a line."""
        print(STARTED, flush=True)


def run(name: str, folder: str) -> None:
    """Train to the end in this process, from the newest checkpoint where there is one."""
    trainer = Trainer(
        max_epochs=EPOCHS,
        seed=5,
        accumulate_grad_batches=1 if name == "gan" else 3,  # several updates in a step exclude it
        log_every_n_steps=1,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=folder,
        callbacks=[
            ModelCheckpoint(every_n_train_steps=EVERY, save_top_k=1, save_last="link"),
            Announce(),
        ],
    )
    trainer.fit(TASKS[name](), ckpt_path="last")
    trainer.save_checkpoint(os.path.join(folder, "end"))


@dataclass
class Counts:
    """Counts of a test."""

    kills: int = 0
    while_saving: int = 0
    before_any_checkpoint: int = 0
    runs: int = 0
    passed_over: int = 0
    failures: list[str] = field(default_factory=list)
    differences: list[str] = field(default_factory=list)
    longest_wait: float = LONGEST_WAIT


def child(name: str, folder: Path) -> subprocess.Popen[str]:
    """Start a process that trains, and wait until it does."""
    command = [sys.executable, "-W", "ignore", __file__, "run", name, str(folder)]
    errors = (folder / "errors.txt").open("a")
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True)
    for line in process.stdout or ():
        if line.strip() == STARTED:
            break
    return process


def kill(process: subprocess.Popen[str], folder: Path, counts: Counts) -> bool:
    """Kill a run at a random moment and return whether it was still running."""
    saves = list(folder.glob("runs/*/checkpoints"))
    end = time.monotonic() + random.uniform(0.0, counts.longest_wait)
    while time.monotonic() < end and process.poll() is None:
        time.sleep(0.001)
    if random.random() < 0.5:  # wait until a checkpoint is half written
        saves = list(folder.glob("runs/*/checkpoints"))
        end = time.monotonic() + 2.0
        while time.monotonic() < end and not _is_saving(saves) and process.poll() is None:
            pass
        time.sleep(random.uniform(0.0, 0.002))
    process.send_signal(signal.SIGKILL)
    if process.wait(TIMEOUT) != -signal.SIGKILL:
        return False
    counts.kills += 1
    counts.while_saving += _is_saving(saves)
    counts.before_any_checkpoint += not list(folder.glob("runs/*/checkpoints/*.ckpt"))
    return True


def _is_saving(folders: list[Path]) -> bool:
    return any(name.endswith((".part", ".old")) for f in folders for name in os.listdir(f))


def compare(reference: Path, folder: Path, counts: Counts) -> None:
    """Count every difference between two runs that have ended."""
    ends = [read_checkpoint(reference / "end"), read_checkpoint(folder / "end")]
    expected, actual = (end.tensors for end in ends)
    expected_run, actual_run = (end.run for end in ends)
    if set(expected) != set(actual):
        counts.differences.append("names of variables")
    for name in expected:
        if expected[name].tobytes() != actual[name].tobytes():
            counts.differences.append(f"run {counts.runs}: {name}")

    for state in (expected_run, actual_run):
        del state["progress"]["seconds"]
    for part in ("progress", "means", "metrics"):
        if expected_run[part] != actual_run[part]:
            counts.differences.append(f"run {counts.runs}: {part}")

    # A run that was killed before its first checkpoint started again in another folder.
    tables = [Path(state["loggers"][0][1]) / "metrics.csv" for state in (expected_run, actual_run)]
    if not filecmp.cmp(*tables, shallow=False):
        counts.differences.append(f"run {counts.runs}: rows")


def one_run(name: str, folder: Path, kills: int, counts: Counts) -> None:
    """Kill a run `kills` times, then let it end."""
    folder.mkdir()
    for _ in range(kills):
        process = child(name, folder)
        if not kill(process, folder, counts):
            break
    else:
        process = child(name, folder)
    code = process.wait(TIMEOUT)
    errors = (folder / "errors.txt").read_text()
    counts.passed_over += errors.count("passes over a checkpoint")
    counts.runs += 1
    if code:
        counts.failures.append(errors.strip().splitlines()[-1] if errors.strip() else str(code))


def kill_test(name: str, kills: int, longest_wait: float = LONGEST_WAIT) -> Counts:
    """Kill runs `kills` times and compare each with one that was never killed."""
    counts = Counts(longest_wait=longest_wait)
    with tempfile.TemporaryDirectory() as parent:
        reference = Path(parent) / "reference"
        one_run(name, reference, 0, Counts())
        while counts.kills < kills and not counts.failures:
            folder = Path(parent) / f"run_{counts.runs}"
            one_run(name, folder, min(KILLS_OF_A_RUN, kills - counts.kills), counts)
            if not counts.failures:
                compare(reference, folder, counts)
            print(f"{counts.kills} kills, {len(counts.differences)} differences", flush=True)
    return counts


def main() -> None:
    """Kill, resume, compare, print the counts."""
    import measure

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--task", choices=TASKS, default="classifier")
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0, help="of the moments of the kills")
    parser.add_argument(
        "--longest-wait", type=float, default=LONGEST_WAIT, help="seconds of training before a kill"
    )
    parser.add_argument("--write", action="store_true", help="write the counts to RESULTS.md")
    options = parser.parse_args()
    random.seed(options.seed)
    counts = kill_test(options.task, options.kills, options.longest_wait)
    rows = [
        ["kills", counts.kills],
        ["of these while a checkpoint was being written", counts.while_saving],
        ["before any checkpoint", counts.before_any_checkpoint],
        ["runs that ended and were compared", counts.runs],
        ["checkpoints passed over as damaged", counts.passed_over],
        ["runs that could not be resumed", len(counts.failures)],
        ["differences", len(counts.differences)],
    ]
    print(*counts.failures, *counts.differences, sep="\n")
    table = measure.table([options.task, "count"], [[str(cell) for cell in row] for row in rows])
    print(table)
    if options.write:
        name = f"kill_test, {options.task}"
        measure.write(name, f"## {name}\n\n{measure.machine()}.\n\n{table}\n")
    sys.exit(bool(counts.failures or counts.differences))


if __name__ == "__main__":
    if sys.argv[1:2] == ["run"]:
        run(*sys.argv[2:])
    else:
        main()

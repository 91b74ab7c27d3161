"""The gap between two epochs: from the end of an epoch's last step to that of the next one's first.

    python benchmarks/epoch_gap.py [--runs 5] [--write] [--check] [--quick]

A tiny MLP (benchmarks/tiny_network.py) under the Trainer with its default callbacks and logger. The
gap holds the validation of one batch, the epoch's rows, the progress bar (drawn in full, into
memory), the checkpoint's copy, the next epoch's order, data set and iterator, and its first step.
`model.fit` with Keras' defaults, its bar drawn too, validates the same batch and writes no
checkpoint and no row. The gap after the first epoch is left out.
"""

from __future__ import annotations

import itertools
import statistics
import time

import keras
import measure
import tensorflow as tf
from tiny_network import BATCH, TinyNetwork, cross_entropy, network, noise

from lightning_tf import Callback, Task, Trainer

STEPS, EPOCHS = 500, 20
AT_MOST = 1.25  # though fit writes no checkpoint and no row


class GapClock(Callback):
    """The times at which the first and the last step of each epoch end, under the Trainer."""

    logs_metrics = False

    def __init__(self) -> None:
        self.ends: list[float] = []
        self.begins: list[float] = []

    def next_step(self, trainer: Trainer) -> int | None:
        """Ask to be called after the first step of an epoch."""
        return trainer.global_step + 1 if trainer.batch_idx == 0 else None

    def on_train_window_end(self, trainer: Trainer, task: Task) -> None:
        """Note the time; on the CPU a graph call returns when it has run to its end."""
        if trainer.batch_idx == 1:
            self.begins.append(time.perf_counter())
        if trainer.batch_idx == trainer.num_training_batches:
            self.ends.append(time.perf_counter())


class KerasGapClock(keras.callbacks.Callback):
    """The same times under `keras.Model.fit`."""

    def __init__(self, steps: int) -> None:
        super().__init__()
        self.steps = steps
        self.ends: list[float] = []
        self.begins: list[float] = []

    def on_train_batch_end(self, batch: int, logs: object = None) -> None:
        """Note the time."""
        if batch == 0:
            self.begins.append(time.perf_counter())
        if batch == self.steps - 1:
            self.ends.append(time.perf_counter())


def gaps(clock: GapClock | KerasGapClock) -> list[float]:
    """Return the seconds between epochs, without the gap after the first epoch."""
    return [begin - end for end, begin in zip(clock.ends, clock.begins[1:], strict=False)][1:]


def trainer_gaps(epochs: int) -> list[float]:
    clock = GapClock()
    with measure.trainer_folder() as folder:
        trainer = Trainer(max_epochs=epochs, default_root_dir=folder, callbacks=[clock], seed=0)
        trainer.fit(TinyNetwork(STEPS * BATCH))
    return gaps(clock)


def keras_gaps(epochs: int) -> list[float]:
    clock = KerasGapClock(STEPS)
    x, y = noise(STEPS * BATCH)
    data = tf.data.Dataset.from_tensor_slices((x, y)).shuffle(len(x)).batch(BATCH)
    held_out = tf.data.Dataset.from_tensor_slices(noise(BATCH, seed=1)).batch(BATCH)
    model = network()
    model.compile(keras.optimizers.Adam(), cross_entropy(), metrics=["accuracy"])
    with measure.trainer_folder():
        model.fit(data, epochs=epochs, validation_data=held_out, callbacks=[clock])
    return gaps(clock)


def median_gap(runs: list[list[float]]) -> float:
    """Return the median over runs of each run's median gap, in milliseconds."""
    return statistics.median(1e3 * statistics.median(run) for run in runs)


def row(name: str, runs: list[list[float]]) -> list[str]:
    all_gaps = sorted(1e3 * gap for gap in itertools.chain(*runs))
    medians = [1e3 * statistics.median(run) for run in runs]
    percentile_95 = all_gaps[int(0.95 * (len(all_gaps) - 1))]
    figures = (median_gap(runs), min(medians), max(medians), percentile_95)
    return [name, *(f"{figure:.1f}" for figure in figures)]


def main() -> None:
    options = measure.arguments(__doc__.splitlines()[0])
    options.runs, epochs = (2, 8) if options.quick else (options.runs, EPOCHS)
    contenders = {"Trainer.fit": trainer_gaps, "model.fit": keras_gaps}
    runs: dict[str, list[list[float]]] = {name: [] for name in contenders}
    for turn in range(options.runs):
        for name in list(contenders) if turn % 2 else reversed(contenders):
            runs[name].append(contenders[name](epochs))

    header = ["", "median (ms)", "of runs, least", "most", "95 of 100 gaps within"]
    text = (
        f"Tiny MLP, {STEPS} steps of batch {BATCH} and 1 of validation an epoch, {epochs} epochs."
        "\n\n" + measure.table(header, [row(*item) for item in runs.items()])
    )
    # To fit's gap in the same run: on a slow machine both take longer.
    ratio = median_gap(runs["Trainer.fit"]) / median_gap(runs["model.fit"])
    target = measure.Target("gap to model.fit's", ratio, at_most=AT_MOST)
    measure.report("epoch_gap", text, [target], options)


if __name__ == "__main__":
    main()

"""The growth of cost with batch size, values logged, callbacks and size of the data set.

    python benchmarks/growth.py [--runs 3] [--write] [--check] [--quick]

The first three train a tiny MLP (benchmarks/tiny_network.py) under the Trainer with its default
callbacks and logger, a row every 50 updates; a step's time is that of the later epochs. The last
shuffles an epoch of integers and reads it through ArrayData in batches of 1024. It measures the
time of an epoch and the most memory that the process took meanwhile besides the array (on Linux).

The exponent of a growth is that of the power law through its last decade or so: 1 is linear. Random
access to integers that fit no cache costs any program three times as much; so the exponent of an
epoch's time is compared with NumPy's, which permutes as many integers and takes them.
`--write` draws docs/growth.png as well.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import measure
import numpy as np
import psutil
import tensorflow as tf
from tiny_network import BATCH, TinyNetwork

from lightning_tf import Callback, Task, Trainer
from lightning_tf.data import ArrayData

IMAGE = Path(__file__).parent.parent / "docs" / "growth.png"
BATCHES = (8, 32, 128, 512, 2048, 8192)
LOGGED = (1, 2, 5, 10, 20, 50)
CALLBACKS = (1, 2, 5, 10, 20)
EXAMPLES = (10**3, 10**4, 10**5, 10**6, 10**7)
STEPS, EPOCHS, READ = 400, 4, 1024
EXPONENT = 1.15
MEMORY = "memory of an epoch (MiB, at least 0.1)"


class Watcher(Callback):
    """A callback that does nearly nothing at every row and every epoch."""

    every_n_steps = 50

    def __init__(self, number: int) -> None:
        self.number, self.seen = number, 0

    @property
    def state_key(self) -> str:
        """Return a key of this callback alone."""
        return f"Watcher{self.number}"

    def on_train_window_end(self, trainer: Trainer, task: Task) -> None:
        """Count."""
        self.seen += self.is_due(trainer)

    def on_train_epoch_end(self, trainer: Trainer, task: Task) -> None:
        """Count."""
        self.seen += 1


def step_time(batch_size: int = BATCH, logged: int = 1, callbacks: int = 0) -> float:
    """Return the microseconds of a step; the loss is one of the values logged."""
    steps = max(40, min(STEPS, 400_000 // batch_size))
    task = TinyNetwork(steps * batch_size, batch_size=batch_size, logged=logged - 1)
    clock = measure.EpochClock()
    watchers = [Watcher(number) for number in range(callbacks)]
    with measure.trainer_folder() as folder:
        trainer = Trainer(max_epochs=EPOCHS, default_root_dir=folder, callbacks=[clock, *watchers])
        timing = measure.timed(lambda: trainer.fit(task), clock.starts)
    return timing.epoch / steps * 1e6


def peak_bytes() -> int:
    """Return the most memory that this process has held since `forget_peak`."""
    status = Path("/proc/self/status").read_text()
    return 1024 * int(status.split("VmHWM:")[1].split()[0])


def forget_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5")


def numpy_time(examples: int) -> float:
    """Return the seconds in which NumPy permutes integers and takes them in that order."""
    numbers, times = np.arange(examples, dtype=np.int32), []
    for seed in range(3):
        start = time.perf_counter()
        numbers.take(np.random.RandomState(seed).permutation(examples))
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def epoch_cost(examples: int) -> tuple[float, float]:
    """Return the seconds and the MiB besides the array that an epoch of integers takes."""
    data = ArrayData(np.arange(examples, dtype=np.int32), val_fraction=0.0, batch_size=READ)
    data.setup("fit")

    @tf.function
    def read(dataset: tf.data.Dataset) -> tf.Tensor:
        return dataset.reduce(tf.zeros([], tf.int64), lambda n, x: n + tf.size(x, tf.int64))

    read(data.train_dataset(0))
    times = []
    before = psutil.Process().memory_info().rss
    forget_peak()
    for epoch in (1, 2, 3):
        start = time.perf_counter()
        if int(read(data.train_dataset(epoch))) != examples:
            raise RuntimeError(f"an epoch of {examples} integers did not hold them all")
        times.append(time.perf_counter() - start)
    return statistics.median(times), max(0, peak_bytes() - before) / 2**20


def medians(cost: Callable[[int], float], sizes: Sequence[int], runs: int) -> list[float]:
    """Return the median cost of each size over some runs, all sizes in turn."""
    costs = [[cost(size) for size in sizes] for _ in range(runs)]
    return [statistics.median(values) for values in zip(*costs, strict=True)]


def exponent(sizes: Sequence[int], values: Sequence[float]) -> float:
    """Return the exponent of the power law between the last value and one about a decade before."""
    first = max(i for i, size in enumerate(sizes) if size * 4 <= sizes[-1])
    rise = math.log(values[-1] / values[first])
    return rise / math.log(sizes[-1] / sizes[first])


def draw(panels: list[tuple[str, str, Sequence[int], list[float]]]) -> None:
    """Draw a panel for each growth, with a linear one beside it where the work spans decades."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13.5, 7), layout="constrained")
    for place, (work, cost, sizes, values) in enumerate(panels, start=1):
        axes = figure.add_subplot(2, 3, place)
        if sizes[-1] > 100 * sizes[0]:
            axes.loglog(sizes, values, marker="o", label="measured")
            linear = [values[-1] * size / sizes[-1] for size in sizes]
            axes.loglog(sizes, linear, color="0.6", linestyle="--", label="linear")
            axes.set_ylim(min(values) / 2, max(values) * 2)
            axes.legend(frameon=False)
        else:
            axes.plot(sizes, values, marker="o")
            axes.set_ylim(0, 1.15 * max(values))
        axes.set_xlabel(work)
        axes.set_ylabel(cost)
        axes.grid(alpha=0.3, which="both")
    figure.savefig(IMAGE, dpi=90)


def main() -> None:
    options = measure.arguments(__doc__.splitlines()[0], runs=3)
    quick = options.quick
    options.runs = 1 if quick else options.runs
    batches, logged, callbacks, examples = (
        (sizes[0], sizes[-2]) if quick else sizes
        for sizes in (BATCHES, LOGGED, CALLBACKS, EXAMPLES)
    )
    # First and the smallest first: a process keeps freed memory, which hides what follows.
    epochs = [epoch_cost(size) for size in examples]
    numpy_times = [numpy_time(size) for size in examples]
    step_time()  # pays for what a process does once
    panels = [
        ("batch size", "a step (µs)", batches, medians(step_time, batches, options.runs)),
        (
            "values logged in a step",
            "a step (µs)",
            logged,
            medians(lambda n: step_time(logged=n), logged, options.runs),
        ),
        (
            "callbacks that wake every 50 updates",
            "a step (µs)",
            callbacks,
            medians(lambda n: step_time(callbacks=n), callbacks, options.runs),
        ),
        ("integers in an epoch", "an epoch (s)", examples, [seconds for seconds, _ in epochs]),
        ("integers", "NumPy permutes and takes (s)", examples, numpy_times),
        (
            "integers in an epoch",
            MEMORY,
            examples,
            [max(mebibytes, 0.1) for _, mebibytes in epochs],
        ),
    ]
    rows = [
        [work, cost, ", ".join(f"{n}: {value:.3g}" for n, value in zip(sizes, values, strict=True))]
        for work, cost, sizes, values in panels
    ]
    exponents = {cost: exponent(sizes, values) for _, cost, sizes, values in panels[3:]}
    beyond = exponents["an epoch (s)"] - exponents["NumPy permutes and takes (s)"]
    targets = [
        *(
            measure.Target(f"exponent, a step by {work}", exponent(sizes, values), at_most=EXPONENT)
            for work, _, sizes, values in panels[:3]
        ),
        measure.Target("exponent, memory of an epoch", exponents[MEMORY], at_most=EXPONENT),
        measure.Target("exponent, an epoch's time, beyond NumPy's", beyond, at_most=EXPONENT - 1),
    ]
    if options.write:
        draw(panels)
    measure.report("growth", measure.table(["work", "cost", "measured"], rows), targets, options)


if __name__ == "__main__":
    main()

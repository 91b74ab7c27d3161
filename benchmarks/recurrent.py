"""An LSTM that forecasts: TimeSeriesForecast under the Trainer, `keras.Model.fit` and torch.

    python benchmarks/recurrent.py [--runs 5] [--write] [--check] [--quick]

Windows of 60 steps and one feature, two layers of 64 units, one value ahead, batch 64, Adam, mean
squared error. TimeSeriesForecast decides by itself to unroll the network (max_epochs is 1,000, and
a callback stops the run after a few); it scales the windows and keeps its metrics (four errors in
the data's units). The Trainer has its default callbacks, fit verbose=0 and two metrics. torch
(`make bench-peers`) runs nn.LSTM in a plain loop with no callback and no metric, in another
process, in turn with the rest.

An epoch counts from its start to the start of the next; the first, which holds tracing, is left out
and shows in the whole call. "pays after" is the number of updates that make up for the longer
tracing of the unrolled network, without validation.
"""

from __future__ import annotations

from collections.abc import Callable

import keras
import measure
import numpy as np
import tensorflow as tf
from peer import Peer, note, peer

from lightning_tf import Callback, Task, Trainer
from lightning_tf.tasks import TimeSeriesForecast

ROWS, UNITS, DEPTH, BATCH = 60, 64, 2, 64
CHOICE, LOOP, FIT, TORCH = "Trainer.fit, its choice", "Trainer.fit, a loop", "model.fit", "torch"


class StopAfter(Callback):
    """Stops a run after some epochs, whatever its max_epochs."""

    logs_metrics = False

    def __init__(self, epochs: int) -> None:
        self.epochs = epochs

    def on_train_epoch_end(self, trainer: Trainer, task: Task) -> None:
        """Request the stop."""
        if trainer.current_epoch == self.epochs - 1:
            trainer.request_stop("the benchmark has measured enough")


def series(steps: int) -> np.ndarray:
    """Return a random walk that makes `steps` batches of training windows."""
    rows = (steps * BATCH + ROWS) / 0.8 + BATCH
    return np.random.RandomState(0).randn(int(rows)).cumsum().astype("float32")


def trainer_fit(steps: int, epochs: int, unroll: bool | None = None) -> measure.Timing:
    clock = measure.EpochClock()
    options = {"history": ROWS, "units": UNITS, "depth": DEPTH, "batch_size": BATCH}
    task = TimeSeriesForecast(series(steps), "lstm", unroll=unroll, **options)
    with measure.trainer_folder() as folder:

        def run() -> None:
            Trainer(
                max_epochs=1000,
                limit_train_batches=steps,
                limit_val_batches=0,
                default_root_dir=folder,
                callbacks=[clock, StopAfter(epochs)],
            ).fit(task)

        timing = measure.timed(run, clock.starts)
    if unroll is None and not task.forecaster.layers.unroll:
        raise SystemExit("TimeSeriesForecast did not unroll the network; it should have.")
    return timing


def keras_fit(steps: int, epochs: int, *, unroll: bool) -> measure.Timing:
    clock = measure.KerasEpochClock()
    rows = np.lib.stride_tricks.sliding_window_view(series(steps), ROWS + 1)[: steps * BATCH]
    windows, following = rows[:, :-1, np.newaxis].copy(), rows[:, -1:].copy()
    dataset = tf.data.Dataset.from_tensor_slices((windows, following)).batch(BATCH).prefetch(2)

    def run() -> None:
        inner = [n < DEPTH - 1 for n in range(DEPTH)]
        layers = [keras.layers.LSTM(UNITS, return_sequences=n, unroll=unroll) for n in inner]
        model = keras.Sequential([keras.Input((ROWS, 1)), *layers, keras.layers.Dense(1)])
        errors = [keras.metrics.RootMeanSquaredError(), "mae"]
        model.compile(keras.optimizers.Adam(), "mse", metrics=errors)
        model.fit(dataset, epochs=epochs, verbose=0, shuffle=False, callbacks=[clock])

    return measure.timed(run, clock.starts)


def contenders(
    process: Peer | None, steps: int, epochs: int, *, quick: bool
) -> dict[str, Callable[[], measure.Timing]]:
    """Return what runs; with `quick`, only what the targets need."""
    runs: dict[str, Callable[[], measure.Timing]] = {
        CHOICE: lambda: trainer_fit(steps, epochs),
        FIT: lambda: keras_fit(steps, epochs, unroll=False),
    }
    if process is not None:
        sizes = {"rows": ROWS, "units": UNITS, "depth": DEPTH, "batch": BATCH}
        runs[TORCH] = process.contender("recurrent", "loop", steps=steps, epochs=epochs, **sizes)
    if not quick:
        runs[LOOP] = lambda: trainer_fit(steps, epochs, unroll=False)
        runs[f"{FIT}, unroll=True"] = lambda: keras_fit(steps, epochs, unroll=True)
    return runs


def pays_after(medians: dict[str, measure.Timing], steps: int, epochs: int) -> str:
    """Say after how many updates the unrolled network has made up for its tracing."""
    choice, loop = medians[CHOICE], medians[LOOP]
    # Set-up, tracing and the first epoch: all that is not a later epoch.
    tracing = (choice.whole - choice.epoch * epochs) - (loop.whole - loop.epoch * epochs)
    saved = (loop.epoch - choice.epoch) / steps
    if saved <= 0:
        return "Unrolling does not pay here."
    after = tracing / saved
    return f"Unrolling takes {tracing:.1f} s and pays after {after:,.0f} updates."


def main() -> None:
    options = measure.arguments(__doc__.splitlines()[0])
    steps, epochs = 60, 4
    if options.quick:
        options.runs, steps, epochs = 1, 30, 3
    with peer() as process:
        runs = contenders(process, steps, epochs, quick=options.quick)
        medians, rounds = measure.alternate(runs, options.runs, warm_up=not options.quick)
        versions = note(process)
    rows = [
        [
            name,
            f"{timing.epoch / steps * 1e3:.1f}",
            f"{measure.speed(rounds[name], rounds[FIT]):.2f}",
            measure.spread(rounds[name]),
            f"{timing.whole:.1f}",
        ]
        for name, timing in medians.items()
    ]
    header = ["", "ms a step", "speed to model.fit", "spread", f"whole call, {epochs} epochs (s)"]
    text = f"LSTM, {ROWS} steps, {DEPTH} layers of {UNITS}, batch {BATCH}. {versions}"
    if LOOP in medians:
        text += f" {pays_after(medians, steps, epochs)}"
    speed = measure.speed(rounds[CHOICE], rounds[FIT])
    targets = [measure.Target("speed to model.fit", speed, at_least=1.3)]
    if TORCH in rounds:
        speed = measure.speed(rounds[CHOICE], rounds[TORCH])
        targets.append(measure.Target("speed to torch's LSTM", speed, at_least=1.0))
    measure.report("recurrent", f"{text}\n\n{measure.table(header, rows)}", targets, options)


if __name__ == "__main__":
    main()

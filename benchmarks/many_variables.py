"""The cost of Adam over many small variables: a 40-layer MLP, with and without the update.

    python benchmarks/many_variables.py [--runs 5] [--write] [--check] [--quick]

40 hidden layers of 32 units on 32 features, 10 classes, batch 32: 82 variables. In turn: a bare
loop of forward and backward passes alone, the same with Keras' own Adam, and Trainer.fit with its
default callbacks. The time of an update is that of a step minus that of the first loop's step: a
difference, which scatters more than either. --quick takes the fastest runs, not the medians.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

import keras
import measure
import tensorflow as tf
from tiny_mlp import Classifier, dataset
from tiny_network import CLASSES, FEATURES, cross_entropy

from lightning_tf import Trainer

LAYERS, WIDTH = 40, 32
STEPS, QUICK_STEPS, WINDOW, EPOCHS = 2000, 1000, 100, 3


def network() -> keras.Model:
    """Return the MLP."""
    hidden = [keras.layers.Dense(WIDTH, activation="relu") for _ in range(LAYERS)]
    logits = keras.layers.Dense(CLASSES)
    return keras.Sequential([keras.Input((FEATURES,)), *hidden, logits])


class DeepClassifier(Classifier):
    """The MLP as a Task."""

    def configure_model(self) -> None:
        """Make the layers."""
        self.model = network()


def bare_loop(epoch_steps: int, *, updates: bool) -> measure.Timing:
    """Time windows of one tf.function, with Keras' update or without any."""
    starts: list[float] = []

    def run() -> None:
        model, loss_function = network(), cross_entropy()
        optimizer = keras.optimizers.Adam()
        optimizer.build(model.trainable_variables)
        variables = [variable.value for variable in model.trainable_variables]

        @tf.function
        def steps(iterator: tf.data.Iterator) -> tf.Tensor:
            total = tf.zeros([])
            for _ in tf.range(WINDOW):
                x, y = next(iterator)
                with tf.GradientTape() as tape:
                    loss = loss_function(y, model(x, training=True))
                gradients = tape.gradient(loss, variables)
                if updates:
                    optimizer.apply(gradients, model.trainable_variables)
                else:  # an element of each, so that all are computed
                    loss += 1e-12 * tf.add_n([tf.reshape(g, [-1])[0] for g in gradients])
                total += loss
            return total

        data = dataset(epoch_steps)
        for _ in range(EPOCHS):
            starts.append(time.perf_counter())
            iterator = iter(data)
            for _ in range(epoch_steps // WINDOW):
                float(steps(iterator))
        starts.append(time.perf_counter())

    return measure.timed(run, starts)


def trainer_fit(epoch_steps: int) -> measure.Timing:
    """Time the Trainer with its default callbacks."""
    clock = measure.EpochClock()
    with measure.trainer_folder() as folder:
        trainer = Trainer(max_epochs=EPOCHS, default_root_dir=folder, callbacks=[clock])
        return measure.timed(lambda: trainer.fit(DeepClassifier(epoch_steps)), clock.starts)


def main() -> None:
    options = measure.arguments(__doc__.splitlines()[0])
    steps = STEPS
    if options.quick:
        steps, options.runs = QUICK_STEPS, min(options.runs, 3)
    contenders: dict[str, Callable[[], measure.Timing]] = {
        "forward and backward": lambda: bare_loop(steps, updates=False),
        "with Keras' Adam": lambda: bare_loop(steps, updates=True),
        "Trainer.fit": lambda: trainer_fit(steps),
    }
    timings, rounds = measure.alternate(contenders, options.runs, warm_up=not options.quick)
    if options.quick:
        fastest = partial(min, key=lambda timing: timing.epoch)
        timings = {name: fastest(runs) for name, runs in rounds.items()}
    microseconds = {name: timing.epoch / steps * 1e6 for name, timing in timings.items()}
    passes, theirs, ours = microseconds.values()
    rows = [
        [name, f"{us:.0f}", f"{(us - passes) / passes:.2f}", measure.spread(rounds[name])]
        for name, us in microseconds.items()
    ]
    header = ["", "us a step", "update to forward and backward", "spread"]
    which = " The fastest run of each." if options.quick else ""
    text = f"{LAYERS} layers of {WIDTH} units, batch 32.{which}\n\n{measure.table(header, rows)}"
    targets = [
        measure.Target("update to forward and backward", (ours - passes) / passes, 1.0),
        measure.Target("update to Keras' update", (ours - passes) / (theirs - passes), 0.7),
    ]
    measure.report("many_variables", text, targets, options)


if __name__ == "__main__":
    main()

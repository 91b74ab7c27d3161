"""The tiny MLP on two logical CPUs: Trainer.fit and `keras.Model.fit` under MirroredStrategy.

    python benchmarks/mirrored.py [--runs 5] [--write] [--check] [--quick]

The network of tiny_mlp.py, the global batch split between two logical devices of one CPU by the
strategy that the Trainer uses. Keras' steps_per_execution above 1 fails there, so fit pays its
overhead at every step. The Trainer has its default callbacks, fit has verbose=0. The replicas share
the machine's cores: this measures the cost of replicas, not their gain.
"""

from __future__ import annotations

import measure
from tiny_mlp import BATCH, STEPS, keras_fit, trainer_fit

from lightning_tf import Trainer

DEVICES = {"accelerator": "cpu", "devices": 2}


def main() -> None:
    options = measure.arguments(__doc__.splitlines()[0])
    steps, epochs = STEPS // 2, 4
    if options.quick:
        options.runs, steps, epochs = min(options.runs, 2), 300, 3
    # Before TensorFlow runs anything, which fixes how many logical devices there are.
    strategy = Trainer(max_steps=1, logger=False, **DEVICES).placement.strategy
    runs = {
        "Trainer.fit": lambda: trainer_fit(steps, epochs, **DEVICES),
        "model.fit": lambda: keras_fit(steps, epochs, strategy),
    }
    medians, rounds = measure.alternate(runs, options.runs)
    ours, theirs = rounds.values()
    rows = [
        [
            name,
            f"{timing.epoch / steps * 1e6:.0f}",
            f"{measure.speed(rounds[name], theirs):.2f}",
            measure.spread(rounds[name]),
            f"{timing.whole:.2f}",
        ]
        for name, timing in medians.items()
    ]
    header = ["", "us a step", "speed to model.fit", "spread", f"whole call, {epochs} epochs (s)"]
    text = f"Tiny MLP, batch {BATCH} on 2 logical CPUs, {steps} steps an epoch.\n\n"
    target = measure.Target("speed to model.fit", measure.speed(ours, theirs), at_least=2.5)
    measure.report("mirrored", text + measure.table(header, rows), [target], options)


if __name__ == "__main__":
    main()

"""The overhead of a step: Trainer.fit, its peers and a bare loop of windows.

    python benchmarks/fit_overhead.py [--runs 5] [--write] [--check] [--quick]

The tiny MLP of tiny_mlp.py, whose steps are mostly overhead, trained by

- Trainer.fit with its default callbacks and logger: progress bar (drawn in full, into memory),
  model summary, a row every 50 updates, a checkpoint after every epoch;
- model.fit with Keras' defaults and verbose=0; and with the fastest of three values of
  steps_per_execution, tried beforehand;
- Lightning with its default callbacks and a CSVLogger, with its progress bar and without
  (`make bench-peers`; in another process, in turn with the rest);
- a bare loop: one tf.function of as many steps as the Trainer's windows hold, whose loss and
  accuracy are read after every call. No callback, no checkpoint.

A step's time is that of an epoch, from its start to the start of the next, divided by its steps.
The first epoch, which holds tracing, is left out; the whole call shows it as well.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import measure
from peer import Peer, note, peer
from tiny_mlp import BATCH, STEPS, bare_loop, keras_fit, most_common_window, trainer_fit

AT_ONCE = (20, 100, 500)
OURS, FIT, BARE, LIGHTNING = "Trainer.fit", "model.fit", "bare loop", "Lightning"
Run = Callable[..., measure.Timing]


def fastest_steps_per_execution(steps: int) -> int:
    """Return the fastest of some values of steps_per_execution."""
    seconds = {count: keras_fit(steps, 2, at_once=count).epoch for count in AT_ONCE}
    return min(seconds, key=lambda count: seconds[count])


def contenders(process: Peer | None, slow_steps: int, *, quick: bool) -> dict[str, tuple[Run, int]]:
    """Return what runs and the steps of its epochs: fewer for what takes long."""
    window = most_common_window(STEPS)
    runs: dict[str, tuple[Run, int]] = {
        OURS: (trainer_fit, STEPS),
        BARE: (partial(bare_loop, window=window), STEPS),
        FIT: (keras_fit, slow_steps),
    }
    if process is not None:
        lightning = partial(process.run, "tiny_mlp", "fit")
        runs[LIGHTNING] = (partial(lightning, bar=True), slow_steps)
    if not quick:
        at_once = fastest_steps_per_execution(STEPS)
        tuned = partial(keras_fit, at_once=at_once)
        runs[f"model.fit, steps_per_execution={at_once}"] = (tuned, STEPS)
        if process is not None:
            runs[f"{LIGHTNING} without its bar"] = (partial(lightning, bar=False), slow_steps)
    return runs


def main() -> None:
    options = measure.arguments(__doc__.splitlines()[0])
    slow_steps, epochs = (STEPS, 4)
    if options.quick:
        options.runs, slow_steps, epochs = min(options.runs, 2), 300, 3
    with peer() as process:
        competing = contenders(process, slow_steps, quick=options.quick)
        runs = {
            name: partial(run, steps=steps, epochs=epochs)
            for name, (run, steps) in competing.items()
        }
        _, rounds = measure.alternate(runs, options.runs)
        versions = note(process)
    each = {name: measure.per_step(rounds[name], steps) for name, (_, steps) in competing.items()}
    rows = [
        [
            name,
            f"{measure.median_timing(timings).epoch * 1e6:.0f}",
            f"{measure.speed(timings, each[FIT]):.2f}",
            f"{measure.speed(timings, each[BARE]):.2f}",
            measure.spread(timings),
            f"{measure.median_timing(rounds[name]).whole:.2f}",
        ]
        for name, timings in each.items()
    ]
    header = ["", "us a step", "speed to model.fit", "speed to the bare loop", "spread"]
    text = (
        f"Tiny MLP, batch {BATCH}, {STEPS} steps an epoch ({slow_steps} of model.fit and "
        f"Lightning), {epochs} epochs. {versions}\n\n"
        + measure.table([*header, "whole call (s)"], rows)
    )
    ours = each[OURS]
    targets = [
        measure.Target("step to the bare loop's", measure.speed(each[BARE], ours), at_most=1.1),
        measure.Target("speed to model.fit", measure.speed(ours, each[FIT]), at_least=5),
    ]
    if LIGHTNING in each:
        speed = measure.speed(ours, each[LIGHTNING])
        targets.append(measure.Target("speed to Lightning", speed, at_least=6))
    measure.report("fit_overhead", text, targets, options)


if __name__ == "__main__":
    main()

"""MobileNetV2 and ResNet50 of keras.applications, fine-tuned whole: the Trainer against fit.

    python benchmarks/pretrained.py [--runs 5] [--write] [--check] [--quick]

Random images of 160 x 160 pixels in batches of 16 (MobileNetV2) and 8 (ResNet50), random weights
(which cost what trained ones do), a linear head, Adam; float32, and ResNet50 in mixed_bfloat16 too
(MobileNetV2's depthwise convolutions are no faster there). Three contenders: KerasTask under
the Trainer with its default callbacks, which computes Keras' BatchNormalization layers fused; the
same with ``fused_batch_norm=False``, which separates the layer's gain from the loop's; and
`keras.Model.fit` with verbose=0.

An epoch counts from its start to the start of the next; the first, which holds tracing, is left
out and shows in the whole call.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import keras
import measure
import numpy as np
import tensorflow as tf

from lightning_tf import Trainer
from lightning_tf.tasks import KerasTask

SIDE, CLASSES, AT_LEAST = 160, 5, 1.3
BATCHES = {"MobileNetV2": 16, "ResNet50": 8}
CASES = (("MobileNetV2", "float32"), ("ResNet50", "float32"), ("ResNet50", "mixed_bfloat16"))

Contenders = dict[str, Callable[[], measure.Timing]]


def dataset(batch: int, steps: int) -> tf.data.Dataset:
    """Return the pipeline of all contenders: images in [-1, 1], held in memory."""
    random = np.random.RandomState(0)
    x = random.uniform(-1, 1, (batch * steps, SIDE, SIDE, 3)).astype("float32")
    y = random.randint(0, CLASSES, batch * steps).astype("int32")
    return tf.data.Dataset.from_tensor_slices((x, y)).batch(batch).prefetch(tf.data.AUTOTUNE)


def network(name: str, precision: str) -> keras.Model:
    """Return the compiled model of all contenders."""
    keras.config.set_dtype_policy(precision)
    application = getattr(keras.applications, name)
    backbone = application(
        include_top=False, weights=None, input_shape=(SIDE, SIDE, 3), pooling="avg"
    )
    keras.config.set_dtype_policy("float32")
    model = keras.Model(backbone.input, keras.layers.Dense(CLASSES)(backbone.output))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(1e-4), loss, metrics=["accuracy"])
    return model


def trainer_fit(
    name: str, precision: str, batches: tf.data.Dataset, epochs: int, fused: bool
) -> measure.Timing:
    clock = measure.EpochClock()
    with measure.trainer_folder() as folder:

        def run() -> None:
            task = KerasTask(network(name, precision), data=batches, fused_batch_norm=fused)
            Trainer(
                max_epochs=epochs, precision=precision, default_root_dir=folder, callbacks=[clock]
            ).fit(task)

        return measure.timed(run, clock.starts)


def keras_fit(name: str, precision: str, batches: tf.data.Dataset, epochs: int) -> measure.Timing:
    clock = measure.KerasEpochClock()

    def run() -> None:
        model = network(name, precision)
        model.fit(batches, epochs=epochs, verbose=0, shuffle=False, callbacks=[clock])

    return measure.timed(run, clock.starts)


def contenders(name: str, precision: str, steps: int, epochs: int) -> Contenders:
    """Return the contenders of one network in one precision."""
    batches = dataset(BATCHES[name], steps)
    fit = partial(trainer_fit, name, precision, batches, epochs)
    return {
        f"{name}, {precision}, Trainer, fused": partial(fit, fused=True),
        f"{name}, {precision}, Trainer, Keras' layer": partial(fit, fused=False),
        f"{name}, {precision}, model.fit": partial(keras_fit, name, precision, batches, epochs),
    }


def main() -> None:
    options = measure.arguments(__doc__.splitlines()[0])
    cases, steps, epochs = (CASES[:1], 4, 2) if options.quick else (CASES, 8, 3)
    rows, targets = [], []
    for name, precision in cases:
        competing = contenders(name, precision, steps, epochs)
        if options.quick:  # making and tracing a network is most of a run: two runs suffice
            del competing[f"{name}, {precision}, Trainer, Keras' layer"]
            options.runs = 1
            medians = {label: contender() for label, contender in competing.items()}
            rounds = {label: [timing] for label, timing in medians.items()}
        else:
            medians, rounds = measure.alternate(competing, options.runs)
        ours, *_, theirs = medians.values()
        rows += [
            [
                label,
                f"{timing.epoch / steps * 1e3:.0f}",
                f"{theirs.epoch / timing.epoch:.2f}",
                measure.spread(rounds[label]),
                f"{timing.whole:.1f}",
            ]
            for label, timing in medians.items()
        ]
        ratio, what = theirs.epoch / ours.epoch, f"{name}, {precision}, speed to model.fit"
        targets.append(measure.Target(what, ratio, at_least=AT_LEAST))
    header = ["", "ms a step", "speed to model.fit", "spread of times"]
    header.append(f"whole call, {epochs} epochs (s)")
    text = f"{SIDE} pixels, {steps} steps an epoch, Adam.\n\n{measure.table(header, rows)}"
    measure.report("pretrained", text, targets, options)


if __name__ == "__main__":
    main()

"""The speed of training a head on cached features of a frozen backbone.

    python benchmarks/feature_cache.py [--runs 3] [--write] [--check]

TransferLearning on 320 images of 160 x 160 pixels, MobileNetV2 with random weights (which cost
what trained ones do), batches of 32, validation on 32, float32. `whole fit` is 10 epochs with the
making of the model, tracing and the pass that fills the cache.
"""

from __future__ import annotations

import measure
import numpy as np

from lightning_tf import Trainer
from lightning_tf.tasks import TransferLearning

IMAGES, SIDE, EPOCHS = 320, 160, 10


def one_run(cached: bool) -> measure.Timing:
    """Train the head for some epochs and return the timing."""
    images = np.random.default_rng(0).integers(0, 256, (IMAGES, SIDE, SIDE, 3)).astype("uint8")
    task = TransferLearning(
        (images, np.arange(IMAGES) % 2), weights=None, cache_features=cached, batch_size=32
    )
    clock = measure.EpochClock()
    with measure.trainer_folder() as folder:
        trainer = Trainer(
            max_epochs=EPOCHS,
            default_root_dir=folder,
            seed=0,
            callbacks=[clock],
            logger=False,
            enable_checkpointing=False,
        )
        return measure.timed(lambda: trainer.fit(task), clock.starts)


def main() -> None:
    options = measure.arguments(__doc__.splitlines()[0], runs=3)
    contenders = {"images": lambda: one_run(False), "cached features": lambda: one_run(True)}
    medians, rounds = measure.alternate(contenders, options.runs)
    plain, cached = medians["images"], medians["cached features"]
    rows = [
        [name, f"{time.epoch * 1e3:.0f}", f"{time.whole:.1f}", measure.spread(rounds[name])]
        for name, time in medians.items()
    ]
    header = ["trained on", "ms per epoch", "whole fit (s)", "epochs, least to most"]
    epochs, whole = plain.epoch / cached.epoch, plain.whole / cached.whole
    summary = (
        f"An epoch is {epochs:.0f} times as fast, the whole fit of {EPOCHS} epochs {whole:.1f}."
    )
    text = f"{measure.table(header, rows)}\n\n{summary}"
    target = measure.Target("epoch, images to cached features", epochs, at_least=20.0)
    measure.report("feature_cache", text, [target], options)


if __name__ == "__main__":
    main()

"""Fits that must end alike on one device and on several workers; run by `on_workers`."""

from __future__ import annotations

import keras
import numpy as np
from boring import BoringTask, NumberData, NumberTask, Rows, fitted, quiet
from parity import outcome
from test_loss_scale import BAD, Overflows
from test_replicas import FewData, KerasNormalised, Minimizing, Normalised, TwoOptimizers

from lightning_tf import Trainer
from lightning_tf.data.array_data import ArrayData

CLIPPED = {"gradient_clip_val": 0.01, "accumulate_grad_batches": 3}


def indexed(batch_size=7):
    """Data that every worker reads its own part of, by index."""
    few = FewData()
    held_out = (few.x[:9], few.y[:9])
    return ArrayData(few.x, few.y, val=held_out, test=held_out, batch_size=batch_size)


QUICK = {
    "by index": (lambda: BoringTask(indexed()), {"max_epochs": 2}),
    "normalised": (lambda: Normalised(FewData(7)), CLIPPED),
    "two optimizers": (lambda: TwoOptimizers(FewData(4)), {"gradient_clip_val": 0.1}),
    "unknown length": (lambda: BoringTask(FewData(known_length=False)), {}),
    "one example a batch": (lambda: BoringTask(indexed(1)), {"limit_train_batches": 9}),
}
MORE = {
    **QUICK,
    **{f"batches of {n}": (lambda n=n: BoringTask(FewData(n)), {}) for n in (1, 2, 3, 4, 8, 16)},
    "keras normalised": (lambda: KerasNormalised(FewData(7)), {}),
    "minimizing": (lambda: Minimizing(FewData()), CLIPPED),
    "by value": (
        lambda: Normalised(FewData()),
        {"gradient_clip_val": 0.01, "gradient_clip_algorithm": "value"},
    ),
    "every batch watched": (lambda: BoringTask(indexed()), {"logger": Rows(), "max_steps": 5}),
    "validation inside the epoch": (lambda: BoringTask(FewData()), {"val_check_interval": 3}),
}


def outcomes(folder, kind, devices):
    """What every case ends with."""
    cases = {"quick": QUICK, "more": MORE}[kind]
    Trainer(**quiet(max_steps=1, accelerator="cpu", devices=devices))  # joins the others
    return {name: outcome(make, devices, **given) for name, (make, given) in cases.items()}


def overflows(folder):
    """mixed_float16 with an infinite gradient on the one worker, then on the other."""
    found = []
    Trainer(**quiet(max_steps=1, accelerator="cpu"))
    for bad in ([BAD, 1.0, 1.0, 1.0], [1.0, 1.0, 1.0, BAD]):
        logger = Rows()
        data = NumberData([1, 1, 1, 1, *bad, 2, 2, 2, 2], 4)
        task = Overflows(data, keras.optimizers.SGD(1.0))
        trainer = fitted(
            task, max_epochs=1, log_every_n_steps=1, logger=logger, precision="16-mixed"
        )
        scale = trainer.training.optimizers[""].loss_scale
        skipped = logger.column("train/skipped_updates")
        found.append((float(scale.numpy()), float(task.weight.numpy()), skipped))
    return found


def evaluation(folder):
    """7 numbers in batches of 4: their mean, and predictions of them in order, strings too."""

    class Named(NumberTask):
        def predict_step(self, batch):
            import tensorflow as tf

            return {"twice": batch * 2.0, "name": tf.strings.as_string(tf.cast(batch, tf.int32))}

    trainer = Trainer(**quiet(max_steps=1))
    task = Named(NumberData([0.0], 4, held_out=[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0]))
    loss = trainer.validate(task)["val_loss"]
    batches = trainer.predict(task, collect=True)
    return (
        loss,
        [len(batch["twice"]) for batch in batches],
        np.concatenate([batch["twice"] for batch in batches]).tolist(),
        np.concatenate([batch["name"] for batch in batches]).tolist(),
    )

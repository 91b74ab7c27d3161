"""fashion_mnist: clothes by a network of dense layers, what it takes for what, and its mistakes."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from lightning_tf.callbacks import LambdaCallback
from lightning_tf.gallery.quiet_trainer import quiet_trainer
from lightning_tf.tasks import ImageClassification

EPOCHS, EPOCHS_IN_FULL = 5, 20
MOST_DRAWN = 10


def run(folder: Path, *, full: bool, data_dir: str | None) -> Mapping[str, float]:
    """Train on 54,000 images, test on 10,000, and draw curves, confusions and mistakes.

    Args:
        folder: For fashion_mnist.png.
        full: 20 epochs instead of 5.
        data_dir: Where the four idx files are; None looks where Debian's package puts them.
    """
    task = ImageClassification("fashion_mnist", "mlp", batch_size=128, data_dir=data_dir)
    curves: list[Mapping[str, float]] = []
    keep = LambdaCallback(
        on_train_epoch_end=lambda trainer, task: curves.append(dict(trainer.callback_metrics))
    )
    trainer = quiet_trainer(EPOCHS_IN_FULL if full else EPOCHS, callbacks=[keep])
    trainer.fit(task)
    metrics = trainer.test(task)
    return {"test accuracy": metrics["test_accuracy"]}

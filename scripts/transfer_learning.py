"""Train a new head on a pretrained network, then fine-tune both.

    python scripts/transfer_learning.py path/to/folder --weights path/to/mobilenet_v2_no_top.h5
    python scripts/transfer_learning.py path/to/folder --epochs 5 --fine-tune-epochs 5

The folder has one folder of images for each class; tfds:cats_vs_dogs and tfds:tf_flowers work too.
Keras downloads ImageNet's weights; --weights random trains everything from the start. Without
--fine-tune-epochs, the head trains on features that are computed once.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from lightning_tf import Trainer
from lightning_tf.callbacks import BackboneFinetuning
from lightning_tf.tasks import TransferLearning


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data")
    parser.add_argument("--backbone", default="MobileNetV2")
    parser.add_argument("--weights", default="imagenet", help="imagenet, random, or a file")
    parser.add_argument("--image-size", type=int, default=160)
    parser.add_argument("--epochs", type=int, default=30, help="of the head alone")
    parser.add_argument("--fine-tune-epochs", type=int, default=0)
    parser.add_argument("--layers", type=int, default=30, help="top layers to fine-tune; 0 for all")
    parser.add_argument("--label-smoothing", type=float, default=0.0)
    parser.add_argument("--augmentation", nargs="*", default=[], help="such as flip contrast")
    parser.add_argument("--output", default=".", help="runs/ is made here")
    options = parser.parse_args()

    from_scratch = options.weights == "random"
    frozen = not (from_scratch or options.fine_tune_epochs)
    task = TransferLearning(
        options.data,
        backbone=options.backbone,
        weights=None if from_scratch else options.weights,
        train="head" if frozen else "all",
        cache_features=frozen and not options.augmentation,
        image_size=options.image_size,
        augmentation=options.augmentation,
        label_smoothing=options.label_smoothing,
    )
    finetuning = BackboneFinetuning(
        "backbone", unfreeze_at_epoch=options.epochs, layers=options.layers or None
    )
    trainer = Trainer(
        max_epochs=options.epochs + options.fine_tune_epochs,
        callbacks=[] if frozen or from_scratch else [finetuning],
        default_root_dir=options.output,
        seed=0,
    )

    trainer.fit(task)
    metrics = trainer.callback_metrics | trainer.test(task)

    if trainer.is_global_zero:  # of several workers, the first one prints and writes
        print(metrics)
        task.export(Path(trainer.log_dir or options.output) / "exported")


if __name__ == "__main__":
    main()

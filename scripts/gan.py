"""Train a GAN that makes handwritten digits, or any small images, out of random numbers.

    python scripts/gan.py
    python scripts/gan.py --data mnist5k --networks dcgan --loss wgan-gp --epochs 60

The first line takes less than a minute on 2 cores; mnist5k needs pip install
'lightning-tf[datasets]'. A classifier is trained on the same data first: its features measure how
near the samples are to real images (FID, KID), and its predictions count how many of the classes
appear among them.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import pandas

from lightning_tf import Trainer
from lightning_tf.tasks import GAN, ImageClassification

QUALITY = ["fid", "kid", "fid_floor", "kid_floor", "classes_covered"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="digits")
    parser.add_argument("--data-dir", help="where the files of a named data set are")
    parser.add_argument("--loss", default="minimax", help="minimax, lsgan, hinge or wgan-gp")
    parser.add_argument("--networks", default="mlp", help="mlp or dcgan")
    parser.add_argument("--conditional", action="store_true", help="learn each class by itself")
    parser.add_argument("--width", type=int, help="filters or units of the narrowest layers")
    parser.add_argument("--dropout", type=float, help="of the discriminator")
    parser.add_argument("--epochs", type=int, default=150)
    parser.add_argument("--quality-every", type=int, default=10, help="epochs")
    parser.add_argument("--classifier-epochs", type=int, default=8)
    parser.add_argument("--output", default=".", help="runs/ is made in this folder")
    options = parser.parse_args()

    classifier = ImageClassification(options.data, data_dir=options.data_dir, batch_size=64)
    classifier_trainer = Trainer(
        max_epochs=options.classifier_epochs, logger=False, enable_checkpointing=False, seed=0
    )
    classifier_trainer.fit(classifier)
    accuracy = classifier_trainer.test(classifier)["test_accuracy"]
    print(f"classifier: {accuracy:.4f} test accuracy")

    task = GAN(
        options.data,
        loss=options.loss,
        conditional=options.conditional,
        networks=options.networks,
        width=options.width,
        dropout=options.dropout,
        learning_rate=5e-4,
        batch_size=64,
        data_dir=options.data_dir,
        quality=classifier,
        quality_every_n_epochs=options.quality_every,
    )
    trainer = Trainer(max_epochs=options.epochs, default_root_dir=options.output, seed=0)

    trainer.fit(task)

    if not trainer.is_global_zero:  # of several workers, the first one prints
        return
    folder = Path(trainer.log_dir or options.output)
    rows = pandas.read_csv(folder / "metrics.csv").rename(columns=lambda n: n.split("/")[-1])
    print(rows[["epoch", *QUALITY]].dropna().to_string(index=False, float_format="%.3f"))
    newest_samples = sorted(folder.glob("images/samples_*.png"))[-1]
    print(f"written: {newest_samples}\nwritten: {folder / 'samples.gif'}")


if __name__ == "__main__":
    main()

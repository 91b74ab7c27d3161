"""Learn to make handwritten digits, or any small images, out of random numbers.

    python scripts/gan.py
    python scripts/gan.py --data mnist5k --networks dcgan --loss wgan-gp --epochs 60

The first line takes less than a minute on 2 cores. A classifier of the same data is trained before,
to measure how near the samples are to real ones (FID, KID) and how many of the classes they show.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import pandas

from lightning_tf import Trainer
from lightning_tf.tasks import GAN, ImageClassification
from lightning_tf.tasks.gan.sample_grid import image_grid

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
    options = vars(parser.parse_args())

    data = {"data": options["data"], "data_dir": options["data_dir"], "batch_size": 64}
    classifier = ImageClassification(**data)
    nothing = {"logger": False, "enable_checkpointing": False}
    judge = Trainer(max_epochs=options["classifier_epochs"], seed=0, **nothing)
    judge.fit(classifier)
    print(f"classifier: {judge.test(classifier)['test_accuracy']:.4f} test accuracy")
    given = {n: options[n] for n in ("loss", "networks", "conditional", "width", "dropout")}
    quality = {"quality": classifier, "quality_every_n_epochs": options["quality_every"]}
    task = GAN(**data, **given, **quality, learning_rate=5e-4)
    trainer = Trainer(max_epochs=options["epochs"], default_root_dir=options["output"], seed=0)
    trainer.fit(task)
    if not trainer.is_global_zero:  # another of several workers
        return
    folder = Path(trainer.log_dir or options["output"])
    rows = pandas.read_csv(folder / "metrics.csv").rename(columns=lambda n: n.split("/")[-1])
    print(rows[["epoch", *QUALITY]].dropna().to_string(index=False, float_format="%.3f"))
    image_grid(task.to_display_range(task.sample(64))).save(folder / "samples.png")
    print(f"written: {folder / 'samples.png'}\nwritten: {folder / 'samples.gif'}")


if __name__ == "__main__":
    main()

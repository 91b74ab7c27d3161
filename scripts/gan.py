"""Learn to make handwritten digits, or any small pictures, out of random numbers.

    python scripts/gan.py
    python scripts/gan.py --data mnist5k --networks dcgan --loss wgan-gp --epochs 60

The first line takes less than a minute on 2 cores: it makes digits of 8 x 8 pixels. A classifier of
the same data is trained before, to measure how near the samples are to real ones (FID, KID) and how
many of the classes they show; --classifier-epochs 0 leaves that out. A grid of samples is written
after every epoch, a film of them at the end.
"""

from __future__ import annotations

import argparse
import logging
import time
from pathlib import Path
from typing import Any

from lightning_tf import Callback, Trainer
from lightning_tf.tasks import GAN, ImageClassification
from lightning_tf.tasks.sample_grid import picture_grid

COLUMNS = ("fid", "kid", "classes_covered", "generator_loss", "real_score", "fake_score")


class Table(Callback):
    """Prints a row where the quality was measured."""

    logs_metrics = False
    runs_after_task = True

    def on_train_start(self, trainer: Trainer, task: Any) -> None:
        """Print the names."""
        print(f"{'epoch':>5}" + "".join(f"{name:>17}" for name in COLUMNS))

    def on_train_epoch_end(self, trainer: Trainer, task: Any) -> None:
        """Print what is known by now."""
        if (trainer.current_epoch + 1) % task.quality.every_n_epochs == 0:
            metrics = trainer.callback_metrics
            values = "".join(f"{metrics[name]:17.3f}" for name in COLUMNS)
            print(f"{trainer.current_epoch + 1:5}{values}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="digits")
    parser.add_argument("--data-dir", help="where the files of a named data set are")
    parser.add_argument("--image-size", type=int, help="resize encoded pictures to this side")
    parser.add_argument("--loss", default="minimax", help="minimax, lsgan, hinge or wgan-gp")
    parser.add_argument("--networks", default="mlp", help="mlp or dcgan")
    parser.add_argument("--conditional", action="store_true", help="learn each class by itself")
    parser.add_argument("--n-critic", type=int, help="updates of the discriminator in a step")
    parser.add_argument("--latent-dim", type=int, default=64)
    parser.add_argument("--width", type=int, help="filters or units of the narrowest layers")
    parser.add_argument("--dropout", type=float, help="of the discriminator")
    parser.add_argument("--learning-rate", type=float, default=5e-4)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--epochs", type=int, default=150)
    parser.add_argument("--quality-every", type=int, default=10, help="epochs")
    parser.add_argument("--classifier-epochs", type=int, default=8)
    parser.add_argument("--output", default=".", help="runs/ is made in this folder")
    parser.add_argument("--export", help="write a SavedModel of the generator to this folder")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()

    data = {
        "data": options.data,
        "data_dir": options.data_dir,
        "image_size": options.image_size,
        "batch_size": options.batch_size,
    }
    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    classifier = None
    if options.classifier_epochs:
        logging.getLogger("lightning_tf").setLevel(logging.WARNING)
        classifier = ImageClassification(**data)
        trainer = Trainer(
            max_epochs=options.classifier_epochs,
            seed=options.seed,
            enable_model_summary=False,
            **quiet,
        )
        trainer.fit(classifier)
        print(f"classifier: {trainer.test(classifier)['test_accuracy']:.4f} test accuracy")
    task = GAN(
        **data,
        loss=options.loss,
        conditional=options.conditional,
        latent_dim=options.latent_dim,
        networks=options.networks,
        n_critic=options.n_critic,
        width=options.width,
        dropout=options.dropout,
        learning_rate=options.learning_rate,
        quality=classifier,
        quality_every_n_epochs=options.quality_every,
    )
    began = time.perf_counter()
    trainer = Trainer(
        max_epochs=options.epochs,
        seed=options.seed,
        default_root_dir=options.output,
        enable_progress_bar=not classifier,
        callbacks=[Table()] if classifier else [],
    )
    trainer.fit(task)
    print(f"trained for {time.perf_counter() - began:.0f} s")
    metrics = trainer.callback_metrics
    if classifier:
        print(f"real against real: fid {metrics['fid_floor']:.3f}, kid {metrics['kid_floor']:.3f}")
    folder = Path(trainer.log_dir or options.output)
    picture_grid(task.shown(task.sample(64))).save(folder / "samples.png")
    if options.export:
        task.export(options.export)
    print(f"written: {folder / 'samples.png'}\nwritten: {folder / 'samples.gif'}")


if __name__ == "__main__":
    main()

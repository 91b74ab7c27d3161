"""gan_digits: handwritten digits of the same noise as training goes on, and a latent walk.

Each digit can be asked for: Mirza, M. and Osindero, S. (2014). Conditional Generative Adversarial
Nets. https://arxiv.org/abs/1411.1784
"""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightning_tf import Callback, Trainer
from lightning_tf.callbacks import CSVLogger
from lightning_tf.gallery.common.quiet_trainer import quiet_trainer
from lightning_tf.tasks import GAN, ImageClassification

CLASSIFIER_EPOCHS, EPOCHS = 12, 200
DRAWN = (1, 5, 20, 60, 200)  # epochs
CLASSES = 10
WALKS = (0, 2, 3, 5, 8)  # classes whose noise changes in equal steps
FILM_SAMPLES, FILM_EVERY = 20, 6  # images, epochs
MEASURED, SURE = 1000, 0.9  # samples, and the probability that counts as recognized


class SampleRecorder(Callback):
    """Keeps images of the same noise after some epochs.

    Args:
        count: Images.
        epochs: After how many epochs.

    Attributes:
        by_epoch: Images in [0, 1], shape (count, height, width, channels), by the number of epochs.
    """

    logs_metrics = False

    def __init__(self, count: int, epochs: Sequence[int]) -> None:
        self.count, self.epochs = count, epochs
        self.by_epoch: dict[int, NDArray[np.floating]] = {}

    def on_train_epoch_end(self, trainer: Trainer, task: Any) -> None:
        """Keep them."""
        epochs = trainer.current_epoch + 1
        if epochs in self.epochs:
            self.by_epoch[epochs] = task.to_display_range(task.sample(self.count))


def run(folder: Path, *, full: bool, data_dir: str | None) -> Mapping[str, float]:
    """Train a classifier and a GAN on digits, and ask the one what it thinks of the other.

    Args:
        folder: For gan_digits.png, gan_digits.gif and runs/.
        full: Nothing takes longer.
        data_dir: Not needed: scikit-learn has the images.
    """
    classifier = ImageClassification("digits", batch_size=64)
    quiet_trainer(CLASSIFIER_EPOCHS).fit(classifier)

    task = GAN(
        "digits",
        conditional=True,
        networks="mlp",
        learning_rate=5e-4,
        batch_size=64,
        quality=classifier,
        quality_every_n_epochs=EPOCHS,
        num_samples=FILM_SAMPLES,
        sample_every_n_epochs=FILM_EVERY,
    )
    recorder = SampleRecorder(CLASSES, DRAWN)
    shutil.rmtree(folder / "runs", ignore_errors=True)  # of an earlier time
    logger = CSVLogger(folder / "runs")
    trainer = quiet_trainer(EPOCHS, callbacks=[recorder], logger=logger)
    trainer.fit(task)

    # Every run of a GAN that has a logger writes its film.
    shutil.copy(folder / "runs" / "version_0" / "samples.gif", folder / "gan_digits.gif")
    walks = task.to_display_range(task.interpolate(len(WALKS), CLASSES, labels=WALKS, seed=1))
    _figure(recorder.by_epoch, walks).savefig(folder / "gan_digits.png", dpi=100)

    asked = [number % CLASSES for number in range(MEASURED)]
    data: Any = classifier.data
    test = data.test_dataset().unbatch().batch(MEASURED)
    (images, classes), *_ = test.as_numpy_iterator()
    measured = ("fid", "fid_floor", "classes_covered")
    return {
        "share of samples recognized": recognized(classifier, task.sample(MEASURED, asked), asked),
        "share of real test digits recognized": recognized(classifier, images, classes),
        **{name: float(trainer.callback_metrics[name]) for name in measured},
    }


def recognized(classifier: ImageClassification, images: NDArray[Any], classes: Any) -> float:
    """Return the share of images that are taken for their class, with more than `SURE`."""
    table = classifier.predict(images).frame
    return float(((table["class"] == classes) & (table["probability"] > SURE)).mean())


def _figure(by_epoch: Mapping[int, NDArray[Any]], walks: NDArray[Any]) -> Any:
    from matplotlib.figure import Figure

    first = [(f"epoch {epochs}", images) for epochs, images in by_epoch.items()]
    second = [(f"a {label}", images) for label, images in zip(WALKS, walks, strict=True)]
    parts = {
        "Ten fixed noises, asked for 0 to 9, as training goes on": first,
        "From one noise to another, in equal steps along the sphere": second,
    }
    figure = Figure(figsize=(7, 7.6))
    halves: Any = figure.subfigures(2, 1)
    for part, (title, rows) in zip(halves, parts.items(), strict=True):
        part.suptitle(title, fontsize=11)
        part.subplots_adjust(left=0.12, right=0.99, bottom=0.01, top=0.9, wspace=0.06, hspace=0.06)
        lines: Any = part.subplots(len(rows), CLASSES)
        for panels, (name, images) in zip(lines, rows, strict=True):
            panels[0].set_ylabel(name, fontsize=9, rotation=0, ha="right", va="center")
            for axes, image in zip(panels, images, strict=True):
                axes.imshow(image[..., 0], "gray", vmin=0, vmax=1, interpolation="nearest")
                axes.set(xticks=[], yticks=[])
    return figure

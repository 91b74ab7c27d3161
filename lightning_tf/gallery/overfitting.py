"""overfitting: a small CNN learns photos by heart, and is brought to generalize."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from lightning_tf import seed_everything
from lightning_tf.data import ImageFolder
from lightning_tf.gallery.common.quiet_trainer import quiet_trainer
from lightning_tf.gallery.common.scenes_folder import scenes_folder
from lightning_tf.tasks import ImageClassification

CLASSES, BATCH, SEED = 6, 32, 0
SIDE, FULL_SIDE = 64, 96  # pixels
FILTERS = (16, 32, 64, 128, 192)
EDGE = 0.08  # of the side: what the view of the middle leaves out at each end
PLAIN, CURED = "without", "with augmentation and dropout"
EPOCHS, FULL_EPOCHS = {PLAIN: 6, CURED: 16}, {PLAIN: 12, CURED: 24}
STEPS = 85  # at most, in an epoch: 2,700 photos, a fifth of Kaggle's
MEASURED = 10  # batches of training photos that the curve of training is measured on


class SeenAndUnseen(ImageFolder):
    """Photos whose validation also measures some that the network was trained on.

    Both are measured without augmentation and dropout, so that their difference is what was
    learned by heart. The accuracy during training is lower, the more so the more images change.
    """

    def val_dataset(self) -> Any:
        """Return both sets by name."""
        training: Any = self.train_dataset(0)
        return {"seen": training.take(MEASURED), "unseen": super().val_dataset()}


@dataclass(frozen=True)
class Outcome:
    """What became of a network; each accuracy without augmentation and dropout.

    Attributes:
        curves: A DataFrame of accuracies: epoch, val/seen_accuracy, val/unseen_accuracy.
        train: Accuracy of all training photos.
        test: Accuracy of the test photos.
    """

    curves: Any
    train: float
    test: float


def run(folder: Path, *, full: bool, data_dir: str | None) -> Mapping[str, float]:
    """Train the same network twice and draw the curves of both, ``overfitting.png``.

    Args:
        folder: For the image, and for runs/.
        full: Larger photos and more epochs.
        data_dir: Where the photos are, see `scenes_folder`.
    """
    root, splits = scenes_folder(data_dir)
    side = FULL_SIDE if full else SIDE
    data = SeenAndUnseen(root, splits=splits, image_size=side, batch_size=BATCH, in_memory=True)
    tasks = {PLAIN: plain_task(data, side), CURED: cured_task(data, side)}

    epochs = FULL_EPOCHS if full else EPOCHS
    outcomes = {name: train(task, epochs[name], folder) for name, task in tasks.items()}
    draw(outcomes).savefig(folder / "overfitting.png", dpi=100)

    figures = {"test accuracy": outcomes[CURED].test}
    for name, outcome in outcomes.items():
        figures |= {
            f"training accuracy {name}": outcome.train,
            f"test accuracy {name}": outcome.test,
            f"gap {name}": outcome.train - outcome.test,
        }
    return figures


def plain_task(data: ImageFolder, side: int) -> ImageClassification:
    """Return the network with nothing against overfitting."""
    seed_everything(SEED)
    return ImageClassification(data, network(side), learning_rate=1e-3)


def cured_task(data: ImageFolder, side: int) -> ImageClassification:
    """Return the network with augmentation, dropout, weight decay and a mean over four views."""
    seed_everything(SEED)
    narrower = (-0.35, 0.0)  # of the height and of the width, each by itself
    zoom = keras.layers.RandomZoom(narrower, narrower, fill_mode="reflect", dtype="float32")
    return ImageClassification(
        data,
        in_four_views(network(side, dropout=0.3), side),
        augmentation=[
            "flip",
            zoom,
            ("crop", {"padding": side // 8}),
            ("brightness", {"factor": 0.2}),
            ("contrast", {"factor": (0.4, 0.4)}),
            ("mixup", {"alpha": 0.3}),
        ],
        optimizer="adamw",
        learning_rate=3e-3,
        warmup_steps=0.05,
        weight_decay=0.1,
    )


def network(side: int, dropout: float = 0.0) -> keras.Model:
    """Make five convolutions with normalization, a mean over positions, and a dense layer.

    Args:
        side: Of the images, in pixels.
        dropout: Rate before the dense layer.
    """
    layers = keras.layers
    images = layers.Input((side, side, 3))
    x = layers.Conv2D(FILTERS[0], 5, strides=2, padding="same", use_bias=False)(images)
    for filters in FILTERS[1:]:
        # By Keras' default the statistics would lag some epochs behind the weights.
        x = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))
        x = layers.Conv2D(filters, 3, padding="same", use_bias=False)(x)
        if filters != FILTERS[-1]:
            x = layers.MaxPooling2D()(x)  # (batch, side / 16, side / 16, 128) after the last

    x = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))
    x = layers.Dropout(dropout)(layers.GlobalAveragePooling2D()(x))
    return keras.Model(images, layers.Dense(CLASSES)(x))


def in_four_views(classifier: keras.Model, side: int) -> keras.Model:
    """Return a model that outside training averages logits over an image's views."""
    images = keras.layers.Input((side, side, 3))
    return keras.Model(images, FourViews(classifier)(images))


class FourViews(keras.layers.Layer):  # type: ignore[misc]
    """Averages a classifier's logits over an image, its middle, and both mirrored.

    In training it classifies the image as it is: there augmentation makes the views.

    Source: Krizhevsky, Sutskever and Hinton, "ImageNet Classification with Deep Convolutional
    Neural Networks", 2012, section 4.1, https://doi.org/10.1145/3065386 (ten views).

    Args:
        classifier: From images (batch, side, side, 3) to logits.
    """

    def __init__(self, classifier: keras.Model) -> None:
        super().__init__()
        self.classifier = classifier

    def call(self, images: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Return logits of shape (batch, CLASSES)."""
        if training:
            return self.classifier(images, training=True)

        side = images.shape[1]
        edge = round(EDGE * side)
        middle = tf.image.resize(images[:, edge:-edge, edge:-edge], (side, side))
        views = tf.concat([images, middle], axis=0)
        views = tf.concat([views, views[:, :, ::-1]], axis=0)  # (4 * batch, side, side, 3)
        logits = tf.reshape(self.classifier(views), (4, -1, CLASSES))
        return tf.reduce_mean(logits, axis=0)


def train(task: ImageClassification, epochs: int, folder: Path) -> Outcome:
    """Fit a task, then measure it once."""
    trainer = quiet_trainer(
        epochs,
        limit_train_batches=STEPS,
        default_root_dir=folder,
        logger=True,
        enable_progress_bar=True,
    )
    trainer.fit(task)
    curves = read_curves(Path(trainer.log_dir or folder))

    data: Any = task.data
    train_accuracy = trainer.test(task, data.train_dataset(0))["test_accuracy"]
    return Outcome(curves, train_accuracy, trainer.test(task)["test_accuracy"])


def read_curves(log_dir: Path) -> Any:
    """Return the rows that a run logged after its epochs."""
    import pandas

    rows = pandas.read_csv(log_dir / "metrics.csv")
    return rows[["epoch", "val/seen_accuracy", "val/unseen_accuracy"]].dropna()


def draw(outcomes: Mapping[str, Outcome]) -> Any:
    """Draw both curves of each network, and between them what was learned by heart."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(8, 4), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    for axes, (name, outcome) in zip(panels, outcomes.items(), strict=True):
        epochs = outcome.curves["epoch"] + 1
        seen, unseen = outcome.curves["val/seen_accuracy"], outcome.curves["val/unseen_accuracy"]
        axes.plot(epochs, seen, "--", color="tab:orange", label="photos it was trained on")
        axes.plot(epochs, unseen, "-", color="tab:blue", label="validation photos")
        axes.fill_between(epochs, unseen, seen, where=seen > unseen, color="tab:orange", alpha=0.2)

        axes.set_title(
            f"{name}\ntraining {outcome.train:.3f}, test {outcome.test:.3f}", fontsize=11
        )
        axes.set_xlabel("epochs")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.3)
    panels[0].set_ylabel("accuracy, without augmentation and dropout")
    panels[0].legend(loc="lower right")
    return figure

"""transfer_scenes: what ImageNet taught, with a new head for six scenes."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np

from lightning_tf import seed_everything
from lightning_tf.callbacks import BackboneFinetuning
from lightning_tf.data import ImageFolder
from lightning_tf.gallery.common.mobilenet_weights import mobilenet_weights
from lightning_tf.gallery.common.quiet_trainer import quiet_trainer
from lightning_tf.gallery.common.scenes_folder import scenes_folder
from lightning_tf.tasks import TransferLearning

UPPER, SEED = 40, 0  # layers that are fine-tuned
STEPS = 94  # at most, in an epoch: 3,000 photos
BACKBONE = "MobileNetV2"
WRONG = (3, 4)  # rows and columns of photos
Recipe = tuple[TransferLearning, int, list[Any]]  # with its epochs and callbacks


def run(folder: Path, *, full: bool, data_dir: str | None) -> Mapping[str, float]:
    """Train a head on MobileNetV2; draw ``transfer_scenes.png``.

    Args:
        folder: For the image, and for runs/.
        full: Fine-tune the upper layers of the backbone as well.
        data_dir: Where the photos are, see `scenes_folder`; and the backbone's weights as
            keras.applications names their file, which are downloaded otherwise.
    """
    root, splits = scenes_folder(data_dir)
    options = {"weights": mobilenet_weights(data_dir), "label_smoothing": 0.1}
    make = fine_tuned if full else new_head
    task, epochs, callbacks = make(root, splits, options)
    trainer = quiet_trainer(
        epochs,
        callbacks=callbacks,
        limit_train_batches=STEPS,
        default_root_dir=folder,
        logger=True,
        enable_progress_bar=True,
    )
    trainer.fit(task)

    table = task.predict(root / splits["test"]).frame
    table["path"] = [root / splits["test"] / file for file in table["file"]]
    table["scene"] = [path.parent.name for path in table["path"]]
    draw(table).savefig(folder / "transfer_scenes.png", dpi=100)
    return {
        "test accuracy": float((table["label"] == table["scene"]).mean()),
        "validation accuracy": float(trainer.callback_metrics["val_accuracy"]),
    }


def new_head(root: Path, splits: Mapping[str, str], options: Any) -> Recipe:
    """Return a head alone, trained on features that are computed once."""
    data = ImageFolder(root, splits=splits, image_size=160)
    return TransferLearning(data, BACKBONE, cache_features=True, dropout=0.4, **options), 20, []


def fine_tuned(root: Path, splits: Mapping[str, str], options: Any) -> Recipe:
    """Return a head that trains for an epoch, then with it the upper layers for five more."""
    seed_everything(SEED)
    narrower = (-0.35, 0.0)  # of the height and of the width, each by itself
    zoom = keras.layers.RandomZoom(narrower, narrower, fill_mode="reflect", dtype="float32")
    task = TransferLearning(
        ImageFolder(root, splits=splits, image_size=160),
        BACKBONE,
        train="all",
        augmentation=["flip", zoom],
        learning_rate=3e-3,
        **options,
    )
    upper = BackboneFinetuning(
        "backbone", unfreeze_at_epoch=1, layers=UPPER, learning_rate_factor=0.05
    )
    return task, 6, [upper]


def draw(table: Any) -> Any:
    """Draw which scene is taken for which, and the photos of the surest mistakes.

    Args:
        table: A DataFrame of path, scene, label and probability.
    """
    from matplotlib.figure import Figure
    from PIL import Image

    figure: Any = Figure(figsize=(8, 4), layout="constrained")
    left, right = figure.subfigures(1, 2)
    confusion(left.subplots(), table)

    mistakes = table[table["label"] != table["scene"]].sort_values("probability", ascending=False)
    right.suptitle("the surest mistakes: predicted, not the scene", fontsize=10)
    panels = list(right.subplots(*WRONG).flat)
    for axes in panels:
        axes.set_axis_off()
    for axes, row in zip(panels, mistakes.itertuples(), strict=False):
        axes.imshow(Image.open(row.path))
        axes.set_title(f"{row.label},\nnot {row.scene}", fontsize=8)
    return figure


def confusion(axes: Any, table: Any) -> None:
    """Draw how many photos of each scene got each label."""
    scenes = sorted(table["scene"].unique())
    counts = table.groupby(["scene", "label"]).size().unstack(fill_value=0)
    counts = counts.reindex(index=scenes, columns=scenes, fill_value=0).to_numpy()

    axes.imshow(counts, cmap="Blues")
    for (row, column), count in np.ndenumerate(counts):
        color = "white" if count > counts.max() / 2 else "black"
        axes.text(column, row, str(count), ha="center", va="center", color=color, fontsize=9)
    right = counts.trace()
    axes.set_title(f"{right} of {counts.sum()} test photos right", fontsize=10)
    axes.set_xticks(range(len(scenes)), scenes, rotation=45, ha="right", fontsize=9)
    axes.set_yticks(range(len(scenes)), scenes, fontsize=9)
    axes.set(xlabel="predicted", ylabel="scene")

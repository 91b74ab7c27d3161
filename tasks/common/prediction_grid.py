"""PredictionGrid: a grid of images with their predicted classes."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightning_tf.data.data_module import DataModule
from lightning_tf.data.images.titled_images import titled_images
from lightning_tf.data.indexed_data import IndexedData
from lightning_tf.data.named_sets import first_set
from lightning_tf.tasks.common.stage_report import StageReport, spread_evenly
from lightning_tf.trainer import Trainer

PIECE = 5  # images that are computed at once


class PredictionGrid(StageReport):
    """Logs a grid of images when training ends and after every test.

    Each image carries the predicted class, its probability and, where the two differ, the true
    class in red. The images are spread evenly over the validation or test data where these can
    be read by index, otherwise they are the first ones. They cost one forward pass, outside the
    compiled steps. Loggers get a figure of the name ``val/predictions`` or ``test/predictions``.

    A task with `heat_maps`, from images and classes to where the class was seen, gets a second
    figure, ``val/heat_maps`` or ``test/heat_maps``, with these laid over the images.

    Works with every task that has `class_names`, `value_range` (lowest and highest value of a
    pixel) and a `predict_step` from images to probabilities.

    Args:
        count: How many images.
    """

    def __init__(self, count: int = 25) -> None:
        self.count = count

    def report(self, trainer: Trainer, task: Any, stage: str) -> None:
        """Log the grid, and the heat maps where the task has some."""
        examples = take_examples(task.data, stage, self.count)
        if examples is None:
            return

        images, labels = examples
        probabilities = np.asarray(in_pieces(task.predict_step, images))  # (count, classes)
        scaled = scale_pixels(images, task.value_range)
        figure = self.draw(scaled, labels, probabilities, task.class_names)
        trainer.log_figure(f"{stage}/predictions", figure)

        grad_cam = getattr(task, "grad_cam", None)
        best = probabilities.argmax(axis=-1)
        maps = None if grad_cam is None else in_pieces(grad_cam, images, best)
        if maps is not None:
            figure = self.draw(scaled, labels, probabilities, task.class_names, maps)
            trainer.log_figure(f"{stage}/heat_maps", figure)

    def draw(self, *of_images: Any) -> Any:
        """Draw what `prediction_figure` takes."""
        return prediction_figure(*of_images)


def in_pieces(function: Callable[..., Any], *arrays: NDArray[Any]) -> NDArray[Any] | None:
    """Return what a function gives for a few examples at a time; None where it gives None.

    Outside of a graph Keras keeps what every layer gives until the last one is through: of 25
    images of 160 pixels, MobileNetV2 took 900 MiB, more than its training.

    Args:
        function: From arrays of examples to one array of them.
        *arrays: First dimension the examples.

    Example:
        >>> in_pieces(lambda x: x * 2, np.arange(7)).tolist()
        [0, 2, 4, 6, 8, 10, 12]
    """
    starts = range(0, len(arrays[0]), PIECE)
    parts = [function(*(array[start : start + PIECE] for array in arrays)) for start in starts]
    return None if parts[0] is None else np.concatenate([np.asarray(part) for part in parts])


def take_examples(
    data: DataModule, stage: str, count: int
) -> tuple[NDArray[Any], NDArray[np.integer]] | None:
    """Return at most `count` images and labels of a stage, or None where it has none.

    Args:
        data: Batches of (images, labels), of which an example may have several.
        stage: train, val or test.
        count: How many at most.
    """
    split = (data.splits or {}).get(stage) if isinstance(data, IndexedData) else None
    if split is not None:  # only the chosen examples are read
        chosen = split.indices[spread_evenly(len(split.indices), count)]
        dataset = split.source.batches(chosen, len(chosen))
    else:
        dataset = first_set(data.dataset_for(stage))
        if dataset is None:
            return None

    images: list[NDArray[Any]] = []
    labels: list[NDArray[Any]] = []
    for batch in dataset.as_numpy_iterator():
        images.append(batch[0])
        # Several labels of an example stay a row.
        several = batch[1].ndim == 2 and batch[1].shape[1] > 1
        labels.append(batch[1] if several else batch[1].reshape(-1))
        if sum(map(len, labels)) >= count:
            break
    if not images:
        return None
    return np.concatenate(images)[:count], np.concatenate(labels)[:count]


def prediction_figure(
    images: NDArray[np.floating],
    labels: NDArray[np.integer],
    probabilities: NDArray[np.floating],
    class_names: list[str],
    heat_maps: NDArray[np.floating] | None = None,
) -> Any:
    """Draw images in a grid, each under its predicted class.

    Args:
        images: Float in [0, 1], shape (n, height, width, 1 or 3).
        labels: True classes, shape (n,).
        probabilities: Shape (n, classes).
        class_names: A name for each class.
        heat_maps: In [0, 1], shape (n, height, width) of any size, laid over the images.

    """
    predicted = probabilities.argmax(axis=-1)
    right = predicted == labels
    titles = [
        f"{class_names[guess]} {row[guess]:.0%}" + ("" if ok else f"\ntrue: {class_names[true]}")
        for true, guess, row, ok in zip(labels, predicted, probabilities, right, strict=True)
    ]
    return titled_images(images, titles, right, heat_maps)


def scale_pixels(images: NDArray[Any], value_range: tuple[float, float]) -> NDArray[np.floating]:
    """Return images in [0, 1].

    Args:
        images: Of any dtype.
        value_range: Their values of black and white.
    """
    low, high = value_range
    scaled: NDArray[np.float32] = np.clip((images.astype(np.float32) - low) / (high - low), 0, 1)
    return scaled

"""DetectionSpec: what a detector is built to, of its data and of the anchors fitted to them."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightning_tf.checks import is_integer
from lightning_tf.data.data_module import DataModule
from lightning_tf.data.first_training_batch import first_training_batch
from lightning_tf.data.pipeline.bounded_batches import bounded_batches
from lightning_tf.exceptions import ConfigurationError, DataError
from lightning_tf.tasks.object_detection.anchors import Sizes


@dataclass(frozen=True)
class DetectionSpec:
    """Images, classes and anchors of a detector, as plain data.

    Attributes:
        input_shape: Height, width and channels of the input images.
        class_names: A name for each label.
        levels: Of the feature maps that the anchors stand on.
        anchors: For each level a list of (width, height) in pixels.
        resize: How images come into the input: ``letterbox`` or ``stretch``.
    """

    input_shape: list[int]
    class_names: list[str]
    levels: list[int]
    anchors: Sizes
    resize: str = "letterbox"

    def check_data(self, data: DataModule) -> None:
        """Refuse data of other classes or of another size.

        Raises:
            ConfigurationError: They differ; names both.
        """
        names, shape = getattr(data, "class_names", None), getattr(data, "input_shape", None)
        # Images to predict have no names.
        if names and list(names) != list(self.class_names):
            raise ConfigurationError(
                f"the data have the classes {list(names)}, the network has learnt "
                f"{list(self.class_names)}; give data_options={{'class_names': ...}} in its order."
            )
        if shape is not None and list(shape) != list(self.input_shape):
            raise ConfigurationError(
                f"the data have images of shape {tuple(shape)}, the network takes "
                f"{tuple(self.input_shape)}; give that image_size=."
            )


def checked_image_size(image_size: Any) -> tuple[int, int]:
    """Return height and width of a side or of a pair.

    Raises:
        ConfigurationError: It is neither.
    """
    pair = (image_size, image_size) if is_integer(image_size) else image_size
    is_pair = isinstance(pair, (tuple, list)) and len(pair) == 2
    if not is_pair or not all(is_integer(side, least=1) for side in pair):
        raise ConfigurationError(
            f"image_size={image_size!r}: give a side, or a pair (height, width), in pixels."
        )
    return int(pair[0]), int(pair[1])


def data_shape(data: DataModule) -> tuple[list[int], list[str]]:
    """Return the input images' shape and the class names of data that are set up.

    Raises:
        DataError: There are no training data, or a batch is not what it must be.
    """
    shape = getattr(data, "input_shape", None)
    if shape is None:
        shape = _first_batch(data)[0].shape[1:]
    names = getattr(data, "class_names", None)
    if names is None:
        raise DataError(
            f"{type(data).__name__} has no class_names; set a list of names, one for each label."
        )
    return [int(side) for side in shape], [str(name) for name in names]


def training_objects(data: DataModule) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """Return boxes of all training objects, in pixels of the input image, (boxes, 4), and labels.

    A module that knows them without reading images has a method `training_objects`; others are read
    once.
    """
    known = getattr(data, "training_objects", None)
    if known is not None:
        boxes, labels = known()
        return np.asarray(boxes, np.float32).reshape(-1, 4), np.asarray(labels, np.int32)

    _first_batch(data)  # says what is wrong with it
    all_boxes, classes = [], []
    dataset: Any = data.dataset_for("train")
    for _, objects in bounded_batches(dataset, "the training objects are those"):
        real = objects["labels"] >= 0
        if "ignored" in objects:
            real &= ~objects["ignored"]
        all_boxes.append(objects["boxes"][real])
        classes.append(objects["labels"][real])
    return np.concatenate(all_boxes).astype(np.float32), np.concatenate(classes).astype(np.int32)


def _first_batch(data: DataModule) -> Any:
    owner, batch = type(data).__name__, first_training_batch(data)
    is_pair = isinstance(batch, tuple) and len(batch) == 2 and isinstance(batch[1], dict)
    if not is_pair or not {"boxes", "labels"} <= set(batch[1]):
        raise DataError(
            f"A training batch of {owner} must be (images, objects), objects a dict with boxes "
            "(batch, objects, 4) and labels (batch, objects), -1 for padding."
        )
    return batch

"""Checks of every batch, in the pipeline: beside the step, which waits for none of them."""

import re
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from lightning_tf.data.data_module import DataModule
from lightning_tf.data.indexed_data import IndexedData
from lightning_tf.exceptions import DataError

MARK = "lightning_tf:"
SHOWN = 5


def check_labels(stage: str, num_classes: int, *batch: Any) -> Any:
    """Return a batch ``(inputs, labels, ...)`` whose labels are places in the classes.

    To be mapped over a dataset; another label is an error when its batch is read.

    Args:
        stage: train, val or test, for the message.
        num_classes: Labels are 0 to ``num_classes - 1``.
        *batch: The batch.
    """
    if len(batch) < 2 or not isinstance(batch[1], tf.Tensor) or not batch[1].dtype.is_integer:
        return batch if len(batch) != 1 else batch[0]
    labels = batch[1]
    is_wrong = (labels < 0) | (labels >= tf.cast(num_classes, labels.dtype))
    text = f"the {stage} labels must be 0 to {num_classes - 1}, but a batch has"
    return batch[0], require(~is_wrong, text, labels), *batch[2:]


def watch_labels(data: DataModule, num_classes: Callable[[], int]) -> None:
    """Let a module of the user's own check its labels in the pipeline.

    Modules of this package check theirs themselves; one that has a check keeps it.

    Args:
        data: Whose batches are ``(inputs, labels)``.
        num_classes: Returns how many classes there are; called where it is needed alone.
    """
    is_own = isinstance(data, IndexedData) or type(data).__module__.startswith("lightning_tf.")
    if not is_own and data.batch_check is None:
        count = num_classes()

        def check(stage: str, *batch: Any) -> Any:
            return check_labels(stage, count, *batch)

        data.batch_check = check


def whole_labels(inputs: Any, labels: tf.Tensor, *rest: Any) -> Any:
    """Return a batch whose float labels, whole numbers or one-hot, are integers."""
    if not labels.dtype.is_floating:
        return inputs, labels, *rest
    if labels.shape.rank == 2 and labels.shape[1] != 1:
        text = (
            "labels of several columns must be one-hot; soft labels have no one class, and several "
            "labels of an image are objective='multi_label':"
        )
        is_one = tf.reduce_sum(labels, axis=1, keepdims=True) == 1
        labels = require(tf.equal(labels, tf.round(labels)) & is_one, text, labels)
        return inputs, tf.argmax(labels, axis=1, output_type=tf.int32), *rest
    text = (
        "labels must be whole numbers (of images, objective='regression' learns others), but a "
        "batch has"
    )
    whole = require(tf.equal(labels, tf.round(labels)), text, labels)
    return inputs, tf.cast(tf.reshape(whole, [-1]), tf.int32), *rest


def check_targets(stage: str, is_binary: bool, inputs: Any, targets: tf.Tensor, *rest: Any) -> Any:
    """Return a batch whose targets are 0 and 1, or finite numbers.

    Args:
        stage: train, val or test, for the message.
        is_binary: Whether they must be 0 or 1.
        inputs: Of the batch.
        targets: Of the batch, (batch, ...).
        *rest: What else the batch has.
    """
    if is_binary:
        is_right = (targets == tf.zeros_like(targets)) | (targets == tf.ones_like(targets))
        text = f"the {stage} labels must be 0 or 1 each, but a batch has"
        return inputs, require(is_right, text, targets), *rest
    if not targets.dtype.is_floating:
        return inputs, targets, *rest
    text = f"the {stage} targets must be finite numbers, but a batch has"
    return inputs, require(tf.math.is_finite(targets), text, targets), *rest


def check_finite(stage: str, images: tf.Tensor) -> tf.Tensor:
    """Return images without NaN and infinity; others are an error when their batch is read."""
    if not images.dtype.is_floating:
        return images
    text = f"the {stage} images hold NaN or infinity; drop or fill such pixels: a batch has"
    return require(tf.math.is_finite(images), text, images)


def require(is_right: tf.Tensor, text: str, values: tf.Tensor) -> tf.Tensor:
    """Return values once all of them are right; else an error that `data_error` understands.

    Args:
        is_right: Booleans of the shape of the values.
        text: What is wrong; the first wrong values follow.
        values: The values.
    """
    first = tf.boolean_mask(values, ~is_right)[:SHOWN]
    check = tf.debugging.Assert(tf.reduce_all(is_right), [f"{MARK} {text}", first], SHOWN)
    # Without the dependency a graph would leave the check out.
    with tf.control_dependencies([check] if check is not None else []):
        return tf.identity(values)


def data_error(error: BaseException) -> DataError | None:
    """Return TensorFlow's error of a batch that these checks refuse as one of data; None of others.

    Example:
        >>> data_error(ValueError("something else")) is None
        True
    """
    if not isinstance(error, tf.errors.OpError):
        return None
    found = re.search(rf"\[{MARK} (.*?)\] \[(.*?)\]", str(error.message), re.DOTALL)
    if found is None:
        return None
    said = found[1].replace("\\'", "'")  # TensorFlow escapes quotation marks
    text = f"{said} {' '.join(found[2].split())}"
    return DataError(f"{text[0].upper()}{text[1:]}.")

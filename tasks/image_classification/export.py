"""export_classifier: a trained image classifier as a SavedModel."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import tensorflow as tf

if TYPE_CHECKING:
    from lightning_tf.tasks.image_classification.image_classification import ImageClassification


def export_classifier(task: ImageClassification, path: str | os.PathLike[str]) -> None:
    """Write a SavedModel that needs nothing but TensorFlow.

    Its signature ``serving_default`` takes ``images``, decoded, float32 of shape (batch, any
    height, any width, channels) in the range of the training data ([0, 255] for uint8), and gives
    ``label`` (strings, (batch,)), ``probability`` (of that label, (batch,)) and ``probabilities``
    (batch, classes). ``encoded`` takes JPEG, PNG, BMP or GIF files as strings, (batch,), and gives
    the same. Both resize to the size of training, bilinear and antialiased. ``class_names`` tells
    the order of the classes.

    Args:
        task: Whose model is built.
        path: The folder.

    Example:
        >>> export_classifier(task, "exported")
        >>> loaded = tf.saved_model.load("exported")
        >>> loaded.signatures["encoded"](tf.constant([open("cat.jpg", "rb").read()]))["label"]
        <tf.Tensor: shape=(1,), dtype=string, numpy=array([b'cats'], dtype=object)>
    """
    module = _Export(task)
    signatures = {
        "serving_default": module.images,
        "encoded": module.encoded,
        "class_names": module.names,
    }
    tf.saved_model.save(module, os.fspath(path), signatures=signatures)


class _Export(tf.Module):  # type: ignore[misc]
    def __init__(self, task: ImageClassification) -> None:
        super().__init__()
        height, width, channels = task.image_spec().input_shape
        # Held, so that the SavedModel finds every variable that the functions use.
        self.variables_of_model = [v.value for v in task.model.variables]
        self._task, self._size, self._channels = (task,), (height, width), channels
        self.class_names = tf.constant(task.class_names)

        shape = tf.TensorSpec([None, None, None, channels], tf.float32, name="images")
        self.images = tf.function(self._classify, input_signature=[shape])
        self.encoded = tf.function(
            self._decode, input_signature=[tf.TensorSpec([None], tf.string, name="encoded")]
        )
        self.names = tf.function(lambda: {"class_names": self.class_names}, input_signature=[])

    def _classify(self, images: Any) -> dict[str, Any]:
        resized = tf.image.resize(images, self._size, antialias=True)
        probabilities = self._task[0].predict_step(resized)  # (batch, classes)
        return {
            "label": tf.gather(self.class_names, tf.argmax(probabilities, axis=-1)),
            "probability": tf.reduce_max(probabilities, axis=-1),
            "probabilities": probabilities,
        }

    def _decode(self, encoded: Any) -> dict[str, Any]:
        low, high = self._task[0].value_range

        def one(content: Any) -> Any:
            image = tf.io.decode_image(content, self._channels, expand_animations=False)
            image = tf.ensure_shape(image, [None, None, self._channels])
            return tf.image.resize(image, self._size, antialias=True)

        # Files have sizes of their own: each is decoded and resized before they are stacked.
        shape = tf.TensorSpec([*self._size, self._channels], tf.float32)
        images = tf.map_fn(one, encoded, fn_output_signature=shape)
        return self._classify(low + images * ((high - low) / 255.0))

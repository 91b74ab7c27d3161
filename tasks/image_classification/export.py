"""export_classifier: a trained image classifier as a SavedModel."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from lightning_tf.data.images.decode_upright import decode_upright

if TYPE_CHECKING:
    from lightning_tf.tasks.image_classification.image_classification import ImageClassification


def export_classifier(task: ImageClassification, path: str | os.PathLike[str]) -> None:
    """Write a SavedModel that needs nothing but TensorFlow.

    Its signature ``serving_default`` takes ``images``, decoded, float32 of shape (batch, any
    height, any width, channels) in the range of the training data ([0, 255] for uint8), and gives
    ``label`` (strings, (batch,)), ``probability`` (of that label, (batch,)) and ``probabilities``
    (batch, classes); of several labels an image ``probabilities`` (batch, labels) alone, of numbers
    ``values`` (batch, numbers). ``encoded`` takes JPEG, PNG, BMP, GIF or WebP files as strings,
    (batch,), decoded, cut and resized as the training files are, and gives the same. Both resize to
    the size of training, as the task's ``resize`` says. ``class_names`` tells the order of the
    classes.

    Args:
        task: Whose model is built.
        path: The folder.

    Example:
        >>> export_classifier(task, "exported")
        >>> loaded = tf.saved_model.load("exported")
        >>> loaded.signatures["encoded"](tf.constant([open("cat.jpg", "rb").read()]))["label"]
        <tf.Tensor: shape=(1,), dtype=string, numpy=array([b'cats'], dtype=object)>
    """
    *size, channels = task.image_spec().input_shape
    low, high = task.value_range
    class_names = tf.constant(task.class_names)
    decoding = task.decoding  # as the training files were decoded; of arrays the defaults

    def classify(images: Any) -> dict[str, Any]:
        resized = decoding.resize_to(images, size)
        return task.objective.exported(task, task.predict_step(resized))

    def decode_one(content: Any) -> Any:
        image = decode_upright(
            content, channels, decoding.background, decoding.value_range, decoding.least_size
        )
        return tf.cast(decoding.resize(image), tf.float32)

    def decode(encoded: Any) -> dict[str, Any]:
        # Files have sizes of their own: each is decoded and resized before they are stacked.
        shape = tf.TensorSpec([*size, channels], tf.float32)
        images = tf.map_fn(decode_one, encoded, fn_output_signature=shape)
        return classify(low + images * ((high - low) / 255.0))

    module = tf.Module()
    # Held, so that the SavedModel finds every variable and constant that the functions use.
    variables = [*task.model.variables, *task.objective.variables(task)]
    module.variables_of_model = [v.value for v in variables]
    module.class_names = class_names
    shape = tf.TensorSpec([None, None, None, channels], tf.float32, name="images")
    module.images = tf.function(classify, input_signature=[shape])
    files = tf.TensorSpec([None], tf.string, name="encoded")
    module.encoded = tf.function(decode, input_signature=[files])
    module.names = tf.function(lambda: {"class_names": class_names}, input_signature=[])

    signatures = {
        "serving_default": module.images,
        "encoded": module.encoded,
        "class_names": module.names,
    }
    tf.saved_model.save(module, os.fspath(path), signatures=signatures)

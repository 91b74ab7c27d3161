"""export_style: a network that has learned a style, as a SavedModel."""

import os
from typing import Any

import tensorflow as tf

from lightning_tf.data.images.decode_upright import decode_upright
from lightning_tf.tasks.style_transfer.style_method import StyleMethod


def export_style(method: StyleMethod, path: str | os.PathLike[str]) -> None:
    """Write a SavedModel that needs TensorFlow alone.

    Its signature ``serving_default`` takes ``images``, float32 in [0, 255], shape (batch, any
    height, any width, 3), and gives ``stylized`` of the same; ``encoded`` takes one JPEG, PNG,
    BMP, GIF or WebP file as a string and gives ``png``, one file.

    Args:
        method: One that is built, and whose `predict` takes images of any size.
        path: The folder.

    Example:
        >>> export_style(task.method, "exported")
        >>> loaded = tf.saved_model.load("exported")
        >>> loaded.signatures["encoded"](tf.io.read_file("china.jpg"))["png"]
        <tf.Tensor: shape=(), dtype=string, numpy=b'...'>
    """

    def stylize(images: Any) -> dict[str, Any]:
        return {"stylized": method.predict(images / 255.0) * 255.0}

    def decode(encoded: Any) -> dict[str, Any]:
        image = tf.cast(decode_upright(encoded), tf.float32)
        stylized = stylize(image[tf.newaxis])["stylized"][0]  # (height, width, 3)
        return {"png": tf.io.encode_png(tf.saturate_cast(tf.round(stylized), tf.uint8))}

    module = tf.Module()
    # Held, so that the SavedModel finds every variable that the functions use.
    module.variables_of_model = [v.value for v in method.model.variables]
    shape = tf.TensorSpec([None, None, None, 3], tf.float32, name="images")
    module.images = tf.function(stylize, input_signature=[shape])
    one = tf.TensorSpec([], tf.string, name="encoded")
    module.encoded = tf.function(decode, input_signature=[one])

    signatures = {"serving_default": module.images, "encoded": module.encoded}
    tf.saved_model.save(module, os.fspath(path), signatures=signatures)

"""A trained detector as files: a model with its decoding, and a SavedModel of whole images."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import keras
import tensorflow as tf

from lightning_tf.data.boxes.letterbox import letterbox_image
from lightning_tf.data.images.decode_upright import decode_upright
from lightning_tf.exceptions import ConfigurationError
from lightning_tf.keras_internals import flat_layers
from lightning_tf.tasks.object_detection.detections import Detections

if TYPE_CHECKING:
    from lightning_tf.tasks.object_detection.object_detection import ObjectDetection

COLORS = 3


def check_format(format: str) -> None:
    """Refuse the format that cannot hold a detector.

    Raises:
        ConfigurationError: It is ``keras``: such a file names functions of this package, the
            preprocessing and the decoding, and holds none of them.
    """
    if format == "keras":
        raise ConfigurationError(
            "export(format='keras'): a .keras file cannot hold the preprocessing and the decoding "
            "of a detector; give saved_model, onnx or litert, or safetensors for the weights."
        )


@contextmanager
def computing_in_float32(model: keras.Model) -> Iterator[None]:
    """Have the layers of a model compute in float32 meanwhile.

    TensorFlow Lite has no convolution of half precision among its own operations, and ONNX files
    are to run where there is no bfloat16.
    """
    layers = flat_layers(model)
    policies = [layer.dtype_policy for layer in layers]
    try:
        for layer in layers:
            layer.dtype_policy = "float32"
        yield
    finally:
        for layer, policy in zip(layers, policies, strict=True):
            layer.dtype_policy = policy


def detecting_model(task: ObjectDetection) -> keras.Model:
    """Return a model from input images to detections: the network, decoding and suppression.

    It takes ``images``, float32 of shape (batch, height, width, channels) in [0, 255], brought to
    the size of training as the data do, and gives ``boxes`` (batch, K, 4), ``scores`` (batch, K),
    ``labels`` (batch, K) and ``count`` (batch,) as `predict_step` does, but for the boxes: they are
    in pixels of the input. Of an image that was letterboxed with a frame x0, y0, scale x, scale y
    (`letterbox_frame`), they go back to the original by ``(x - x0) / scale_x`` and
    ``(y - y0) / scale_y``, clipped to its sides; rows from ``count`` on are padding.

    Args:
        task: Whose model is built.

    Example:
        >>> model = detecting_model(task)
        >>> boxes = model(images)["boxes"]
        >>> originals = boxes_to_original(boxes, letterbox_frame(sizes, task.image_size))
    """
    layer = _DetectionLayer(task.detections, task.score_threshold)
    images = task.model.input
    return keras.Model(images, layer(task.model.output), name="object_detection")


def export_detector(task: ObjectDetection, path: str | os.PathLike[str]) -> None:
    """Write a SavedModel that needs nothing but TensorFlow.

    Its signature ``serving_default`` takes ``images``, decoded, uint8 of shape (batch, any height,
    any width, 3); ``encoded`` takes ``files``, the contents of JPEG, PNG, BMP or GIF files of any
    sizes, strings of shape (batch,), which it turns upright as EXIF says. Both bring each image to
    the size of training as the data do and give ``boxes`` float32 (batch, K, 4), x0, y0, x1, y1 in
    pixels of the upright image that was given, ``scores`` (batch, K), descending, ``labels`` int32
    (batch, K), -1 for padding, ``names`` of the labels (batch, K), empty for padding, and ``count``
    int32 (batch,). ``class_names`` gives the names in the order of the labels.

    Args:
        task: Whose model is built.
        path: The folder.

    Raises:
        ConfigurationError: The network takes other images than those of three channels.

    Example:
        >>> export_detector(task, "exported")
        >>> loaded = tf.saved_model.load("exported")
        >>> found = loaded.signatures["encoded"](tf.constant([open("street.jpg", "rb").read()]))
        >>> found["names"][0, : int(found["count"][0])]
        <tf.Tensor: shape=(2,), dtype=string, numpy=array([b'car', b'dog'], dtype=object)>
    """
    if task.model.input_shape[-1] != COLORS:
        raise ConfigurationError(
            f"export(format='saved_model'): the network takes {task.model.input_shape[-1]} "
            f"channels, files and images have {COLORS}; export format='onnx' or 'litert'."
        )
    serving = _Serving(task)
    module = tf.Module()
    # Held, so that the SavedModel finds every variable and constant that the functions use.
    module.variables_of_model = [v.value for v in task.model.variables]
    module.class_names = serving.class_names
    images = tf.TensorSpec([None, None, None, COLORS], tf.uint8, name="images")
    files = tf.TensorSpec([None], tf.string, name="files")

    # Without autograph, which would read sources that may have changed since they were imported.
    def traced(function: Any, *specs: tf.TensorSpec) -> Any:
        return tf.function(function, input_signature=specs, autograph=False)

    module.images = traced(serving.detect_in_images, images)
    module.encoded = traced(serving.detect_in_files, files)
    module.names = traced(lambda: {"class_names": serving.class_names})

    signatures = {
        "serving_default": module.images,
        "encoded": module.encoded,
        "class_names": module.names,
    }
    tf.saved_model.save(module, os.fspath(path), signatures=signatures)


class _DetectionLayer(keras.layers.Layer):  # type: ignore[misc]
    """From a detector's raw outputs to detections in pixels of the input."""

    def __init__(self, detections: Detections, threshold: float) -> None:
        super().__init__(dtype="float32", name="detections")
        self.detections, self.threshold = detections, threshold

    def call(self, raw: dict[str, Any]) -> dict[str, tf.Tensor]:
        return self.detections(raw, self.threshold)


class _Serving:
    """The functions of the SavedModel."""

    def __init__(self, task: ObjectDetection) -> None:
        self.task = task
        self.class_names = tf.constant(task.class_names)
        self.image_size, self.resize = task.detections.image_size, task.learn_spec().resize
        # What `map_fn` gives for each image: pixels, frame and size.
        self.prepared = (
            tf.TensorSpec([*self.image_size, COLORS], tf.uint8),
            tf.TensorSpec([4], tf.float32),
            tf.TensorSpec([2], tf.int32),
        )

    def detect_in_images(self, images: Any) -> dict[str, Any]:
        return self._detect(tf.map_fn(self._prepare, images, fn_output_signature=self.prepared))

    def detect_in_files(self, files: Any) -> dict[str, Any]:
        # Files have sizes of their own: each is decoded and resized before they are stacked.
        def prepare(content: Any) -> tuple[Any, Any, Any]:
            return self._prepare(decode_upright(content))

        return self._detect(tf.map_fn(prepare, files, fn_output_signature=self.prepared))

    def _prepare(self, image: Any) -> tuple[Any, Any, Any]:
        pixels, frame = letterbox_image(image, self.image_size, self.resize)
        return pixels, frame, tf.shape(image)[:2]

    def _detect(self, prepared: tuple[Any, Any, Any]) -> dict[str, Any]:
        pixels, frame, size = prepared  # (batch, height, width, 3), (batch, 4), (batch, 2)
        found = self.task.predict_step((pixels, {"frame": frame, "size": size}))
        names = tf.gather(self.class_names, tf.maximum(found["labels"], 0))  # (batch, K)
        return {**found, "names": tf.where(found["labels"] < 0, "", names)}

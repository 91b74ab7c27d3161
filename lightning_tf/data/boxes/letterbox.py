"""How images of any size come into one size, and how boxes go there and back."""

from typing import Any, Literal

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

Resize = Literal["letterbox", "stretch"]
RESIZES = ("letterbox", "stretch")
FILL = 114
"""The gray beside a letterboxed image, as YOLO has it."""


def letterbox_frame(
    size: Any, image_size: tuple[int, int], resize: str = "letterbox"
) -> NDArray[np.float32]:
    """Return where images lie in the input, as ``x0, y0, scale_x, scale_y``.

    A point of the input is ``original * scale + offset``. The two scales differ by what rounding to
    whole pixels takes, and under ``stretch`` by more.

    Args:
        size: Height and width of the upright originals, integers of shape (..., 2).
        image_size: Height and width of the input.
        resize: ``letterbox`` keeps the aspect ratio and centers the image; ``stretch`` fills the
            input.

    Returns:
        float32 of shape (..., 4).

    Example:
        >>> letterbox_frame((100, 200), (64, 64)).tolist()
        [0.0, 16.0, 0.3199999928474426, 0.3199999928474426]
    """
    sizes = np.asarray(size, np.int64)
    inner, offset = letterbox_places(sizes, image_size, resize)
    scale = inner / sizes
    # (..., y and x) becomes x and y.
    return np.concatenate([offset[..., ::-1], scale[..., ::-1]], axis=-1).astype(np.float32)


def letterbox_places(
    sizes: NDArray[np.int64], image_size: tuple[int, int], resize: str = "letterbox"
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the size of images inside the input, and their offset there, in whole pixels.

    Args:
        sizes: Height and width of the upright originals, shape (..., 2).
        image_size: Height and width of the input.
        resize: ``letterbox`` or ``stretch``.

    Returns:
        Two arrays of shape (..., 2): height and width, y and x.
    """
    # In integers: the same place here, in a graph and in an exported model.
    height, width = sizes[..., 0], sizes[..., 1]
    inner = _inner_size(height, width, image_size, resize, np.where, np.maximum)
    placed = np.stack(np.broadcast_arrays(*inner), axis=-1).astype(np.int64)  # (..., 2)
    return placed, (np.asarray(image_size, np.int64) - placed) // 2


def letterbox_image(
    image: tf.Tensor, image_size: tuple[int, int], resize: str = "letterbox"
) -> tuple[tf.Tensor, tf.Tensor]:
    """Resize one upright image to the input, in a graph too.

    Args:
        image: uint8 of shape (height, width, 3), 0 to 255.
        image_size: Height and width of the input.
        resize: ``letterbox`` or ``stretch``.

    Returns:
        uint8 of shape (height, width, 3); and its frame, float32 of shape (4,), as
        `letterbox_frame` gives it.

    Example:
        >>> pixels, frame = letterbox_image(np.zeros((100, 200, 3), np.uint8), (64, 64))
        >>> pixels.shape, frame.numpy().round(2)
        (TensorShape([64, 64, 3]), array([ 0.  , 16.  ,  0.32,  0.32], dtype=float32))
    """
    size = tf.cast(tf.shape(image)[:2], tf.int64)
    inner = tf.stack(
        _inner_size(size[0], size[1], image_size, resize, tf.where, tf.maximum)
    )  # (2,): height, width
    offset = (tf.constant(image_size, tf.int64) - inner) // 2

    # Antialiased as pillow does it, else fine patterns of large photos become noise.
    resized = tf.image.resize(image, tf.cast(inner, tf.int32), antialias=True)
    pixels = tf.saturate_cast(tf.round(resized), tf.uint8)
    after = tf.constant(image_size, tf.int64) - inner - offset
    margins = tf.concat([tf.stack([offset, after], axis=1), [[0, 0]]], axis=0)  # (3, 2)
    padded = tf.pad(pixels, margins, constant_values=FILL)

    scale = tf.cast(inner / size, tf.float32)
    frame = tf.concat([tf.cast(offset[::-1], tf.float32), scale[::-1]], axis=0)
    return tf.ensure_shape(padded, (*image_size, 3)), frame


def boxes_to_input(boxes: Any, frame: Any) -> Any:
    """Return boxes of the original in pixels of the input.

    Args:
        boxes: xyxy, shape (..., boxes, 4), an array or a tensor.
        frame: Shape (..., 4).

    Example:
        >>> frame = letterbox_frame((100, 200), (64, 64))
        >>> boxes_to_input(np.float32([[0, 0, 200, 100]]), frame).round(3).tolist()
        [[0.0, 16.0, 64.0, 48.0]]
    """
    offset, scale = _offset_and_scale(frame)
    return boxes * scale + offset


def boxes_to_original(boxes: Any, frame: Any) -> Any:
    """Return boxes of the input in pixels of the upright original: the inverse.

    Args:
        boxes: xyxy, shape (..., boxes, 4), an array or a tensor.
        frame: Shape (..., 4).

    Example:
        >>> frame = letterbox_frame((100, 200), (64, 64))
        >>> boxes_to_original(np.float32([[0, 16, 64, 48]]), frame).round().tolist()
        [[0.0, 0.0, 200.0, 100.0]]
    """
    offset, scale = _offset_and_scale(frame)
    return (boxes - offset) / scale


def _inner_size(
    height: Any, width: Any, image_size: tuple[int, int], resize: str, where: Any, maximum: Any
) -> tuple[Any, Any]:
    to_height, to_width = (side + 0 * height for side in image_size)
    if resize == "stretch":
        return to_height, to_width
    is_wide = to_height * width > to_width * height  # the width is what limits
    inner_height = where(is_wide, (height * to_width + width // 2) // width, to_height)
    inner_width = where(is_wide, to_width, (width * to_height + height // 2) // height)
    return maximum(inner_height, 1 + 0 * height), maximum(inner_width, 1 + 0 * width)


def _offset_and_scale(frame: Any) -> tuple[Any, Any]:
    concat = tf.concat if tf.is_tensor(frame) else np.concatenate
    return (
        concat([frame[..., :2], frame[..., :2]], -1)[..., None, :],
        concat([frame[..., 2:], frame[..., 2:]], -1)[..., None, :],
    )

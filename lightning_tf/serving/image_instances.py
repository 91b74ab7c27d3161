"""ImageInstances: encoded images, looked at before they are decoded, and arrays of pixels."""

import base64
import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightning_tf.data.images.image_header import UNREADABLE, encode_png
from lightning_tf.serving.array_instances import number_array
from lightning_tf.serving.instances import Instances, Named, json_type
from lightning_tf.serving.request_error import TOO_LARGE, WRONG_DATA, WRONG_TYPE, RequestError

# Those that browsers and cameras write; no parser of another format ever sees a request.
FORMATS = ("JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF")
KINDS = "JPEG, PNG, GIF, BMP, WebP or TIFF"
B64 = "b64"  # as TensorFlow Serving names it


class ImageInstances(Instances):
    """Images: files, ``{"b64": ...}``, and nested lists (height, width, channels)."""

    wanted = f'{{"b64": a {KINDS} file in base64}}, or pixels as lists (height, width, channels)'
    files = KINDS

    def schema(self) -> dict[str, Any]:
        """Return JSON Schema of an instance."""
        content = {"type": "string", "contentEncoding": "base64", "description": KINDS}
        encoded = {"type": "object", "properties": {B64: content}, "required": [B64]}
        return {"anyOf": [encoded, {"type": "array", "items": {}, "description": self._pixels()}]}

    def example(self) -> Any:
        """Return a black image of the network's size; None where nobody knows that."""
        spec: Any = getattr(self.task, "spec", None)
        if spec is None:
            return None
        content = encode_png(np.zeros((*spec.input_shape[:2], 3), np.uint8), compress_level=9)
        return {B64: base64.b64encode(content).decode()}

    def details(self) -> dict[str, Any]:
        """Return size and values of the network's images."""
        spec: Any = getattr(self.task, "spec", None)
        if spec is None:
            return {}
        (height, width, channels), (low, high) = spec.input_shape, self._range()
        size = {"height": height, "width": width, "channels": channels}
        return {"network_image": size, "pixel_range": [float(low), float(high)]}

    def checked(self, value: Any) -> Any:
        """Return an encoded image as bytes, or pixels as an array."""
        if isinstance(value, list):
            return self._array(value)
        if not isinstance(value, dict) or list(value) != [B64] or not isinstance(value[B64], str):
            raise RequestError(WRONG_DATA, f"it is a {json_type(value)}; give {self.wanted}.")
        try:
            content = base64.b64decode(value[B64], validate=True)
        except ValueError:
            raise RequestError(WRONG_DATA, "b64 is no base64.") from None
        return self.of_file("", content)

    def of_file(self, name: str, content: bytes) -> Any:
        """Return the content of an image whose header is one."""
        image_pixels(content)
        return content

    def check_all(self, given: Sequence[Named]) -> None:
        """Refuse images that have too many pixels together."""
        pixels = 0
        for item in given:
            is_file = isinstance(item.value, bytes)
            pixels += image_pixels(item.value) if is_file else item.value.size
            if pixels > self.limits.max_pixels:
                raise RequestError(
                    TOO_LARGE,
                    f"{item.name}: up to it there are {pixels} pixels, more than "
                    f"{self.limits.max_pixels}; send smaller images, or start the server with a "
                    "larger --max_pixels.",
                )

    def _array(self, value: list[Any]) -> NDArray[Any]:
        array = number_array(value)
        if array.ndim not in (2, 3) or 0 in array.shape:
            raise RequestError(WRONG_DATA, f"its shape is {array.shape}; give {self._pixels()}.")
        whole = (array == np.round(array)).all() and 0 <= array.min() <= array.max() <= 255
        return array.astype(np.uint8) if whole and self._range() == (0, 255) else array

    def _pixels(self) -> str:
        low, high = self._range()
        return f"lists (height, width, channels) of numbers in [{low:g}, {high:g}]"

    def _range(self) -> tuple[float, float]:
        low, high = getattr(getattr(self.task, "spec", None), "value_range", (0, 255))
        return low, high


def image_pixels(content: bytes) -> int:
    """Return how many pixels a file's header tells, without decoding it.

    Raises:
        RequestError: It is no image of `FORMATS`, or so large that pillow refuses it.

    Example:
        >>> image_pixels(encode_png(np.zeros((4, 6, 3), np.uint8)))
        24
    """
    import PIL.Image

    try:
        with PIL.Image.open(io.BytesIO(content), formats=FORMATS) as image:
            width, height = image.size
    except (PIL.Image.DecompressionBombError, PIL.Image.DecompressionBombWarning):
        raise RequestError(TOO_LARGE, "its header tells more pixels than any limit.") from None
    except UNREADABLE:
        raise RequestError(WRONG_TYPE, f"it is no image; send {KINDS}.") from None
    if not width or not height:
        raise RequestError(WRONG_TYPE, "it is an image without pixels.")
    return width * height

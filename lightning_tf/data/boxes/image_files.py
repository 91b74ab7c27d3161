"""ImageFiles: the images that annotations belong to: their headers and contents."""

import os
from collections.abc import Sequence
from pathlib import Path

from lightning_tf.data.boxes.detection_images import DetectionImages
from lightning_tf.data.boxes.image_annotation import ImageAnnotation
from lightning_tf.data.images.find_broken_images import find_broken_images
from lightning_tf.data.images.image_header import ImageHeader, encode_png
from lightning_tf.data.images.read_pixels import read_pixels
from lightning_tf.data.sources.skip_or_raise import skip_or_raise
from lightning_tf.distribute.workers import Workers
from lightning_tf.exceptions import DataError

Content = str | bytes


class ImageFiles:
    """What is read of image files before a pipeline decodes them; each header is read once.

    Example:
        >>> ImageFiles().header(Path("none.jpg")) is None
        True
    """

    def __init__(self) -> None:
        """Begin with no file."""
        self._headers: dict[str, ImageHeader | DataError] = {}

    def header(self, path: Path) -> ImageHeader | None:
        """Return the header of a file; None where it cannot be read."""
        key = str(path)
        if key not in self._headers:
            try:
                self._headers[key] = ImageHeader.read(path)
            except DataError as error:
                self._headers[key] = error
        header = self._headers[key]
        return header if isinstance(header, ImageHeader) else None

    def header_of(self, item: ImageAnnotation) -> ImageHeader:
        """Return the header of an image that can be decoded, in a file or in memory."""
        if item.pixels is not None:
            return ImageHeader((item.pixels.shape[0], item.pixels.shape[1]), 1, True)
        header = self._headers[str(item.path)]
        if isinstance(header, DataError):
            raise header
        return header

    def contents(self, items: Sequence[ImageAnnotation]) -> dict[int, Content]:
        """Return what is to be decoded of each image, by its place; broken ones are left out."""
        contents: dict[int, Content] = {}
        for place, item in enumerate(items):
            if item.pixels is not None:
                contents[place] = encode_png(item.pixels, compress_level=0)
                continue

            path = Path(item.path or "")
            header = self.header(path)
            if header is None:
                continue
            try:
                # What TensorFlow would decode otherwise is decoded here, once, and turned.
                contents[place] = str(path) if header.is_plain else encode_png(read_pixels(path))
            except DataError as error:
                self._headers[str(path)] = error
        return contents

    def decodable(
        self, workers: Workers, items: Sequence[ImageAnnotation], action: str
    ) -> dict[int, Content]:
        """Return what is to be decoded of each image that can be, by its place.

        Args:
            workers: All of them call this; each decodes a shard.
            items: The images.
            action: ``error`` refuses images that cannot be decoded, ``skip`` leaves them out.

        Raises:
            DataError: An image is broken, and `action` is ``error``; names the first.
        """
        contents = workers.unless_one_fails(lambda: self.contents(items))
        unread = [item for place, item in enumerate(items) if place not in contents]
        if unread:
            reason = str(self._headers[str(unread[0].path)]).rstrip(".")
            problem = f"{len(unread)} of {len(items)} images cannot be decoded, the first: {reason}"
            skip_or_raise("broken", action, problem)

        files = {place: item for place, item in contents.items() if isinstance(item, str)}
        if files:
            paths = list(files.values())
            images = DetectionImages(paths, [1] * len(paths), {}, (8, 8))
            root = Path(os.path.commonpath([os.path.dirname(path) for path in paths]))
            places = list(files)
            for broken in find_broken_images(workers, root, paths, images, action):
                del contents[places[broken]]
        return contents

    def orientation(self, item: ImageAnnotation, content: Content) -> int:
        """Return the orientation in which a content is decoded: 1 where it is upright already."""
        return self.header_of(item).orientation if isinstance(content, str) else 1

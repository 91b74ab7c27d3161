"""UnannotatedImages: images to find objects in."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lightning_tf.data.boxes.annotated_images import AnnotatedImages, Annotations
from lightning_tf.data.boxes.image_annotation import ImageAnnotation
from lightning_tf.data.boxes.listed_images import ENDINGS
from lightning_tf.data.images.image import Image
from lightning_tf.data.images.read_pixels import read_pixels
from lightning_tf.exceptions import DataError


class UnannotatedImages(AnnotatedImages):
    """Images without boxes, to predict: batches have frame, size and index beside the images.

    Args:
        images: A folder, a file, its content, an array, or a list or an iterator of these, of any
            sizes, such as a video's frames; what an iterator gives is kept in memory.
        **options: Those of `AnnotatedImages`.

    Raises:
        DataError: There is no image; raised by `setup`.

    Example:
        >>> data = UnannotatedImages([np.zeros((20, 30, 3), "uint8")], image_size=32)
        >>> sorted(next(iter(data.predict_dataset()))[1])
        ['frame', 'index', 'size']
    """

    def __init__(self, images: Any, **options: Any) -> None:
        """Check and keep the arguments."""
        super().__init__(**options)
        self._images = images

    def read(self) -> Annotations:
        """Return one annotation without objects for each image."""
        return {"predict": [self._item(place, x) for place, x in enumerate(self._sources())]}

    def _sources(self) -> Sequence[Any]:
        import PIL.Image

        images = self._images
        if isinstance(images, (str, os.PathLike)):
            path = Path(images).expanduser()
            if not path.is_dir():
                return [path]
            return [x for x in sorted(path.rglob("*")) if x.suffix.lower() in ENDINGS]
        is_one = isinstance(images, (bytes, PIL.Image.Image))
        if is_one or len(getattr(images, "shape", ())) in (2, 3):
            return [images]
        if not isinstance(images, Iterable):
            raise DataError(
                f"The images are a {type(images).__name__}; give a folder, a file, an array, or a "
                "list or an iterator of files and arrays."
            )
        # Kept, because an iterator gives its images once and setup may be called again.
        kept = self._images = list(images)
        return kept

    def _item(self, place: int, source: Any) -> ImageAnnotation:
        if isinstance(source, (str, os.PathLike)):
            path = Path(source).expanduser()
            if not path.is_file():
                raise DataError(f"{path} is no file; give an image.")
            return ImageAnnotation(path, (0, 0), np.zeros((0, 4)), ())
        is_content = isinstance(source, bytes)
        pixels = (
            read_pixels(source) if is_content else Image.read(source, name=f"image {place}").pixels
        )
        size = pixels.shape[0], pixels.shape[1]
        return ImageAnnotation(
            None, size, np.zeros((0, 4)), (), pixels=pixels, name=f"image {place}"
        )

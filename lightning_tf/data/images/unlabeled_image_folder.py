"""UnlabeledImageFolder: a folder of images without classes."""

import logging
import os
from pathlib import Path
from typing import Literal

import numpy as np

from lightning_tf.checks import checked_choice
from lightning_tf.data.images.checks import checked_image_size
from lightning_tf.data.images.image_decoding import RESIZE_METHODS, ImageDecoding, ResizeMethod
from lightning_tf.data.images.image_header import image_endings
from lightning_tf.data.images.read_pixels import checked_background
from lightning_tf.data.images.scan_images import scan_images
from lightning_tf.data.indexed_data import IndexedData, Split
from lightning_tf.data.sources.listed_files import LeftOut, listed_files, shown_path
from lightning_tf.data.sources.skip_or_raise import ACTIONS
from lightning_tf.exceptions import DataError
from lightning_tf.storage.remote_data import local_data

_log = logging.getLogger(__name__)


class UnlabeledImageFolder(IndexedData):
    """Every image in a folder and the folders below it, cut to one size.

    A batch is uint8 of shape (batch, height, width, 3), 0 to 255: the largest centered window of
    the wanted proportions, resized. All are decoded once in `setup` and kept, height x width x 3
    bytes each, so that a broken one is named before training starts. Of several workers each
    decodes its shard and gives it to the others.

    Attributes:
        input_shape: Height, width and 3.
        value_range: (0.0, 255.0).
        broken_files: Images that were skipped, after `setup`.

    Args:
        root: The folder. Names that begin with a dot are left out.
        image_size: Height and width, or one number for both.
        background: The color below what is transparent: a name, or red, green and blue.
        resize: How images of another size are resized: ``antialias``, ``bilinear`` or ``draft``,
            see `ImageDecoding`.
        labeled: Whether batches are pairs with the label 0, as a GAN takes them.
        broken: What to do with images that cannot be decoded: ``error`` names the first, ``skip``
            leaves them out and warns once.
        val_fraction: Share of the images to hold out for validation, 0.1 by default.
        batch_size: Images in a global batch.
        seed: Decides the order of training images; None follows the Trainer's seed.
        split_seed: Decides which images are held out.

    Raises:
        ConfigurationError: An argument is out of range or unknown.
        DataError: No folder, no images, or a broken one; raised by `setup`.

    Example:
        >>> data = UnlabeledImageFolder("photos", image_size=128, batch_size=4)
    """

    loads_together = True
    value_range = (0.0, 255.0)

    def __init__(
        self,
        root: str | os.PathLike[str],
        *,
        image_size: int | tuple[int, int] = 256,
        background: str | tuple[int, int, int] = "white",
        resize: ResizeMethod = "antialias",
        labeled: bool = False,
        broken: Literal["error", "skip"] = "error",
        val_fraction: float | None = None,
        batch_size: int = 4,
        seed: int | None = None,
        split_seed: int = 0,
    ) -> None:
        super().__init__(batch_size, seed, split_seed, val_fraction)
        self.input_shape = (*checked_image_size(image_size), 3)
        self.decoding = ImageDecoding(
            self.input_shape[:2],
            crop_to_aspect_ratio=True,
            background=checked_background(background),
            resize_method=checked_choice("resize", resize, RESIZE_METHODS),
        )
        self._labeled = labeled
        self.broken_files: list[str] = []
        self._root = Path(local_data(root)).expanduser()
        self._broken = checked_choice("broken", broken, ACTIONS)

    def load(self) -> dict[str, Split]:
        """Find the files, decode them and hold some out."""
        paths = self.workers.unless_one_fails(self._list_files)

        scanned = scan_images(self.workers, self._root, paths, self.decoding, self._broken)
        self.broken_files = [paths[index] for index in scanned.broken]
        whole = np.setdiff1d(np.arange(len(paths)), scanned.broken)
        if not len(whole):
            raise DataError(f"No image in {self._root} can be decoded; give whole files.")

        # Small enough to keep: all of one size, and read in every epoch.
        self.decoding = scanned.decoding
        labels = np.zeros(len(whole), np.int32) if self._labeled else None
        source = scanned.encoded(labels, whole).decode_all(self.workers)
        return self.hold_out(source, {"train": np.arange(len(whole), dtype=np.int64)})

    def _list_files(self) -> list[str]:
        if not self._root.is_dir():
            raise DataError(f"{self._root} is no folder; give one with images in it.")

        left_out = LeftOut()
        files = listed_files(self._root, image_endings(), left_out)
        if not files:
            raise DataError(
                f"{self._root} holds no images, nor do the folders in it; put some "
                "(.jpg .png .webp ...) into it."
            )
        told = f" Left out: {left_out}." if left_out else ""
        _log.info("%s: %d images.%s", shown_path(self._root), len(files), told)
        return files

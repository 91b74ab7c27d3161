"""FileImages: base of sources whose images are files of any size."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from lightning_tf.checks import checked_choice
from lightning_tf.data.images.checks import check_channels, checked_image_size, checked_range
from lightning_tf.data.images.image_decoding import RESIZE_METHODS, ImageDecoding, ResizeMethod
from lightning_tf.data.images.keep_in_memory import (
    AUTO,
    InMemory,
    check_in_memory,
    keep_in_memory,
)
from lightning_tf.data.images.read_pixels import checked_background
from lightning_tf.data.images.scan_images import scan_images
from lightning_tf.data.indexed_data import IndexedData, Split
from lightning_tf.data.sources.listed_files import shown_path
from lightning_tf.data.sources.skip_or_raise import ACTIONS
from lightning_tf.exceptions import DataError


class FileImages(IndexedData):
    """Image files, decoded and resized in the pipeline.

    A subclass lists files and labels in `load` and returns `splits_of` them. That decodes every
    image once, so that a broken one is named before training starts, and costs about one epoch's
    decoding: 0.8 s for 1,100 photos of 160 x 220 pixels on 2 cores. Of several workers each decodes
    its part, and all tell the others what is broken.

    Attributes:
        input_shape: Height, width and channels.
        decoding: How files become pixels; after `setup` with the value range of those of more than
            eight bits.
        value_range: (0.0, 255.0).
        broken_files: Images that were skipped, after `setup`.

    Args:
        image_size: Height and width that images are resized to, or one number for both.
        channels: 1 for gray, 3 for color.
        background: The color below what is transparent: a name, or red, green and blue.
        value_range: The values of images of more than eight bits (PNG and TIFF of 16 bits, float
            TIFF) that become 0 and 255; None takes it from the training images, see
            `stored_range`.
        crop_to_aspect_ratio: Cut a centered window instead of stretching.
        resize: How images of another size are resized: ``antialias``, ``bilinear`` or ``draft``,
            see `ImageDecoding`.
        broken: What to do with images that cannot be decoded: ``error`` names the first, ``skip``
            leaves them out, counts them in `broken_files` and warns once.
        in_memory: Decode and resize all images once in `setup` and keep them: faster epochs for
            height x width x channels bytes an image, and the same numbers. ``auto`` does so for
            fit where they take a quarter of the free memory or less, and says which in the log.
        val_fraction: Share of the training images to hold out where the data have no such split.
        test_fraction: The same for testing, 0 by default.
        batch_size: Images in a global batch.
        seed: Decides the order of training images; None follows the Trainer's seed.
        split_seed: Decides which images are held out.

    Raises:
        ConfigurationError: An argument is out of range or unknown.
    """

    loads_together = True
    _is_trained_on = False
    value_range = (0.0, 255.0)

    def __init__(
        self,
        *,
        image_size: int | tuple[int, int] = 224,
        channels: int = 3,
        background: str | tuple[int, int, int] = "white",
        value_range: tuple[float, float] | None = None,
        crop_to_aspect_ratio: bool = False,
        resize: ResizeMethod = "antialias",
        broken: Literal["error", "skip"] = "error",
        in_memory: InMemory = AUTO,
        val_fraction: float | None = None,
        test_fraction: float | None = None,
        batch_size: int = 32,
        seed: int | None = None,
        split_seed: int = 0,
    ) -> None:
        """Check and keep the arguments."""
        super().__init__(batch_size, seed, split_seed, val_fraction, test_fraction)
        check_channels(channels)
        height, width = checked_image_size(image_size)
        self.input_shape = (height, width, channels)
        self.broken_files: list[str] = []
        self._broken = checked_choice("broken", broken, ACTIONS)
        check_in_memory(in_memory)
        self._in_memory: InMemory = in_memory
        self.decoding = ImageDecoding(
            (height, width),
            channels,
            crop_to_aspect_ratio,
            checked_background(background),
            None if value_range is None else checked_range(value_range),
            checked_choice("resize", resize, RESIZE_METHODS),
        )

    def setup(self, stage: str) -> None:
        """Load the data unless that is done; what is read once is not worth keeping unasked."""
        self._is_trained_on = stage == "fit"
        super().setup(stage)

    def _keeps(self, root: Path, count: int) -> bool:
        if self._in_memory == AUTO and (self.is_read_once or not self._is_trained_on):
            return False
        shown = shown_path(root)
        return keep_in_memory(self._in_memory, shown, count, self.input_shape, self.workers)

    def splits_of(
        self,
        root: Path,
        files: Mapping[str, tuple[list[str], NDArray[Any]]],
        class_names: Sequence[str] | None,
    ) -> dict[str, Split]:
        """Return the splits of files that can be decoded, those that lack held out of training.

        Args:
            root: The folder that the files are in.
            files: Paths and labels of each split, ``train`` among them.
            class_names: Of the labels where they are classes: every split then has the classes in
                the same proportion. None where they are no classes.

        Raises:
            DataError: An image is broken, or none to train on is left.
        """
        paths = [path for listed, _ in files.values() for path in listed]
        labels = np.concatenate([split_labels for _, split_labels in files.values()])
        owners = np.repeat(list(files), [len(listed) for listed, _ in files.values()])

        # Broken ones are found before the split: what is held out is drawn from whole images.
        scanned = scan_images(
            self.workers, root, paths, self.decoding, self._broken, owners == "train"
        )
        self.decoding = scanned.decoding
        self.broken_files = [paths[index] for index in scanned.broken]
        whole = np.setdiff1d(np.arange(len(paths)), scanned.broken)
        labels, owners = labels[whole], owners[whole]

        # By place in `labels`, in the order of the files within each split.
        rows = {split: np.flatnonzero(owners == split) for split in files}
        if not len(rows["train"]):
            raise DataError(f"No training image in {root} can be decoded; give whole files.")

        # Decoded into memory only now: a broken image or a class of one would have ended it.
        images: Any = scanned.encoded(labels, whole)
        classes = None if class_names is None else labels
        splits = self.hold_out(images, rows, classes, class_names)
        self.target_values = labels if class_names is None else None
        if not self._keeps(root, len(whole)):
            return splits
        source = images.decode_all(self.workers)
        return {name: Split(source, split.indices) for name, split in splits.items()}

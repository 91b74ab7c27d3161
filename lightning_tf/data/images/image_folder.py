"""ImageFolder: a folder with one folder of images for each class."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lightning_tf.data.images.file_images import FileImages
from lightning_tf.data.images.image_header import image_endings
from lightning_tf.data.indexed_data import Split
from lightning_tf.data.labels import checked_class_names
from lightning_tf.data.sources.class_folders import LabeledFiles, class_files
from lightning_tf.storage.remote_data import local_data


class ImageFolder(FileImages):
    """Images of any size in class folders, decoded and resized in the pipeline.

    The folder holds either ``<class>/image.jpg`` or ``train/<class>/image.jpg`` with ``test``
    and ``val`` (or ``validation``, ``dev``, ...; see `split_folders`) beside it; images may lie
    deeper in a class's folder. Every format that pillow decodes is read. Classes are sorted by
    name. Batches are ``(images, labels)``: uint8 of shape (batch, height, width, channels), 0 to
    255, and int32 of shape (batch,). One line of the log says what is read and what is left out.

    Attributes:
        num_classes: Number of class folders, after `setup`.
        class_names: Their names, after `setup`.

    Args:
        root: The folder.
        classes: Take only these class folders, labeled in this order.
        splits: The folder of each split, where the names do not tell, such as
            ``{"train": "part1", "test": "part2"}``; ``{"train": "."}`` for the folder itself.
        **options: Those of `FileImages`: image_size, channels, background, value_range,
            crop_to_aspect_ratio, resize, broken, in_memory, val_fraction, test_fraction,
            batch_size, seed, split_seed.

    Raises:
        ConfigurationError: An argument is out of range or unknown.
        DataError: No folder, no images, fewer than two classes, a test class that training does
            not have, or a broken image; raised by `setup`.

    Example:
        >>> data = ImageFolder("photos", image_size=160, broken="skip")  # photos/cat, photos/dog
    """

    num_classes: int
    class_names: list[str]

    def __init__(
        self,
        root: str | os.PathLike[str],
        *,
        classes: list[str] | None = None,
        splits: Mapping[str, str] | None = None,
        **options: Any,
    ) -> None:
        """Check and keep the arguments."""
        super().__init__(**options)
        self._root = Path(local_data(root)).expanduser()
        self._classes, self._splits = classes, splits

    def load(self) -> dict[str, Split]:
        """List the files, check them and split them."""
        files = self.workers.unless_one_fails(self._list_files)
        return self.splits_of(self._root, files, self.class_names)

    def _list_files(self) -> dict[str, LabeledFiles]:
        """List the files of each split and their labels; learn the classes."""
        names, files = class_files(
            self._root, "images", image_endings(), self._classes, self._splits
        )
        self.class_names = checked_class_names(names, len(names))
        self.num_classes = len(names)
        return files

"""Photos of animals in a folder of the user's: raccoons with a box around each, cats and dogs."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightning_tf.data import VocFolder
from lightning_tf.exceptions import ConfigurationError

FOLDERS = ("raccoon", "raccoon_dataset", "raccoon_dataset-master", ".")
OTHERS = {
    "cat": ("cats_dogs/train/cats", "PetImages/Cat"),
    "dog": ("cats_dogs/train/dogs", "PetImages/Dog"),
}
EACH = 100  # photos of each animal to train on
Photo = tuple[str, NDArray[np.uint8], NDArray[np.floating]]  # stem, pixels, boxes in pixels


def raccoon_photos(data_dir: str | None, **options: Any) -> VocFolder:
    """Find D. Tran's photos of raccoons: 200, with boxes as Pascal VOC writes them.

    A part of them, or another size, does as well. A fifth is held out for validation; text files
    beside the folder, ``raccoon_train.txt`` and ``raccoon_test.txt``, may name the rest and those
    of a test.

    Args:
        data_dir: Holds ``raccoon`` or ``raccoon_dataset`` with ``images`` and ``annotations``; None
            is the working directory.
        **options: Of `VocFolder`.

    Raises:
        ConfigurationError: They are not there.

    Example:
        >>> data = raccoon_photos("data", image_size=224)
        >>> data.setup("test")
    """
    for folder in FOLDERS:
        root = Path(data_dir or ".").expanduser() / folder
        if any((root / "annotations").glob("raccoon-*.xml")):
            return VocFolder(root, val_fraction=0.2, **options)

    raise ConfigurationError(
        f"data_dir={data_dir!r} holds no photos of raccoons. Get them with their boxes (git clone "
        "https://github.com/datitran/raccoon_dataset), and name the folder that then holds "
        "raccoon_dataset: --data_dir FOLDER."
    )


def unseen_photos(raccoons: VocFolder) -> list[Photo]:
    """Return the photos that nobody has learned from, in the size of the input.

    Args:
        raccoons: Set up; without a test split those of validation are taken.
    """
    stage = "test" if "test" in (raccoons.splits or {}) else "val"
    dataset: Any = raccoons.dataset_for(stage)
    return [
        (Path(raccoons.annotations[index].path or "").stem, image, boxes[labels >= 0])
        for images, objects in dataset.as_numpy_iterator()
        for image, index, boxes, labels in zip(
            images, objects["index"], objects["boxes"], objects["labels"], strict=True
        )
    ]


def animals_table(root: Path, raccoons: VocFolder) -> Any:
    """Return a table of up to 100 photos of each animal, with the columns of `ImageTable`.

    Args:
        root: Holds Kaggle's ``PetImages``, with ``Cat`` and ``Dog``.
        raccoons: Set up; its training photos are taken.

    Raises:
        ConfigurationError: There are no cats or no dogs.
    """
    import pandas as pd

    chosen = (raccoons.splits or {})["train"].indices[:EACH]
    files = {"raccoon": [str(raccoons.annotations[index].path) for index in chosen]}
    for animal, folders in OTHERS.items():
        listed = [sorted((root / folder).glob("*.jpg")) for folder in folders]
        files[animal] = [str(path) for path in max(listed, key=len)[:EACH]]
        if not files[animal]:
            raise ConfigurationError(
                f"data_dir={str(root)!r} holds no photos of a {animal}. Get Kaggle's \"Dogs vs. "
                'Cats" (kaggle.com/datasets/shaunthesheep/microsoft-catsvsdogs-dataset), unpack '
                "it there: it becomes the folder PetImages."
            )
    rows = [(file, animal) for animal, paths in files.items() for file in paths]
    return pd.DataFrame(rows, columns=["filename", "label"])

"""scenes_folder: where Intel's photos of six scenes lie, in a folder of the user's."""

from pathlib import Path

from lightning_tf.exceptions import ConfigurationError

FOLDERS = ("scenes", "intel-image-classification", "archive", ".")
SPLITS = (
    ("train", "test"),
    ("seg_train/seg_train", "seg_test/seg_test"),
    ("seg_train", "seg_test"),
)
SCENE = "glacier"  # one of the six classes, which tells these photos from others


def scenes_folder(data_dir: str | None) -> tuple[Path, dict[str, str]]:
    """Find the photos of buildings, forest, glacier, mountain, sea and street.

    Kaggle's are 14,034 for training and 3,000 for testing, of 150x150. Some of them, or another
    size, do as well.

    Args:
        data_dir: Holds ``scenes`` with ``train`` and ``test``, or what Kaggle's archive unpacks to,
            ``seg_train/seg_train`` and ``seg_test/seg_test``; None is the working directory.

    Returns:
        The folder and what its splits are called: `root` and `splits` of `ImageFolder`.

    Raises:
        ConfigurationError: They are not there.

    Example:
        >>> root, splits = scenes_folder("data")
        >>> ImageFolder(root, splits=splits, image_size=64).setup("fit")
    """
    for folder in FOLDERS:
        root = Path(data_dir or ".").expanduser() / folder
        for train, test in SPLITS:
            if (root / train / SCENE).is_dir() and (root / test / SCENE).is_dir():
                return root, {"train": train, "test": test}

    raise ConfigurationError(
        f"data_dir={data_dir!r} holds no photos of scenes. Get Kaggle's \"Intel Image "
        'Classification" (kaggle.com/datasets/puneet6060/intel-image-classification), unpack it, '
        "and name the folder that then holds seg_train and seg_test: --data_dir FOLDER."
    )

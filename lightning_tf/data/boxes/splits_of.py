"""One source or a dict of them by split, which share no image."""

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

from lightning_tf.exceptions import ConfigurationError, DataError, nearest

SPLITS = ("train", "val", "test", "predict")


def splits_of(data: Any) -> dict[str, Any]:
    """Return sources by split; one alone is that of training.

    Args:
        data: A source, or a dict with keys of `SPLITS`.

    Raises:
        ConfigurationError: A key is no split.

    Example:
        >>> splits_of("boxes.csv"), splits_of({"test": "boxes.csv"})
        ({'train': 'boxes.csv'}, {'test': 'boxes.csv'})
    """
    if not isinstance(data, Mapping):
        return {"train": data}
    for name in data:
        if name not in SPLITS:
            raise ConfigurationError(
                f"data has {name!r}, which is no split.{nearest(name, SPLITS)}"
            )
    return dict(data)


def check_owners(splits: Mapping[str, Sequence[Hashable]]) -> None:
    """Refuse an image that two splits have: it would be measured on what was learned by heart.

    Args:
        splits: The images of each split, by path or name; None is one in memory.

    Raises:
        DataError: Names the first.

    Example:
        >>> check_owners({"train": ["a.jpg", None], "val": ["b.jpg", None]})
    """
    owners: dict[Hashable, str] = {}
    for split, images in splits.items():
        for image in images:
            if image is not None and owners.setdefault(image, split) != split:
                raise DataError(
                    f"{image} is in the {owners[image]} and the {split} split; leave it in one."
                )

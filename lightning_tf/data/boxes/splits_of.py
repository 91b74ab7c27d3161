"""splits_of: one source, or a dict of them by split."""

from collections.abc import Mapping
from typing import Any

from lightning_tf.exceptions import ConfigurationError, nearest

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

"""warn_of_differences: rows of validation and test held against those of training."""

import logging
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightning_tf.data.pipeline.order import Indices
from lightning_tf.data.tables.feature_columns import OTHER, FeatureColumns

SHOWN = 3
BLOCK = 8192  # rows

_log = logging.getLogger(__name__)


def warn_of_differences(
    columns: FeatureColumns,
    arrays: Mapping[str, Any],
    table: Any,
    splits: Mapping[str, Indices],
) -> None:
    """Warn of held-out rows in other units, and of categories that training rows lack.

    Args:
        columns: Learned from the training rows.
        arrays: What `FeatureColumns.arrays` gave of all rows.
        table: The rows themselves.
        splits: The rows of ``train``, ``val`` and ``test``.
    """
    train = splits["train"]
    lows, highs = _ranges(arrays["numbers"], train)
    for split, rows in splits.items():
        if split == "train" or not len(rows):
            continue
        middles = np.median(arrays["numbers"][rows], axis=0)
        for name, low, high, middle in zip(columns.numbers, lows, highs, middles, strict=True):
            width = high - low
            if width > 0 and not low - width <= middle <= high + width:
                _log.warning(
                    "%s of the %s rows lies around %g, of the training rows between %g and %g: are "
                    "these the same units?", name, split, middle, low, high,
                )  # fmt: skip
        for place, name in enumerate(columns.categories):
            unknown = rows[arrays["categories"][rows, place] == OTHER]
            _warn_of_unknown(name, table[name].iloc[unknown], f"{len(rows)} {split} rows")


def _ranges(numbers: NDArray[np.floating], rows: Indices) -> tuple[Any, Any]:
    """Return the lowest and the highest of each column's numbers in some rows."""
    # In blocks that a cache holds: all at once would be a second copy of the table.
    ends = []
    for start in range(0, len(rows), BLOCK):
        block = numbers[rows[start : start + BLOCK]]
        ends.append((block.min(axis=0), block.max(axis=0)))
    lows, highs = zip(*ends, strict=True)
    return np.min(lows, axis=0), np.max(highs, axis=0)


def warn_of_unknown_categories(
    columns: FeatureColumns, arrays: Mapping[str, Any], table: Any
) -> None:
    """Warn of categories in rows to predict that training rows lack.

    Args:
        columns: Learned from the training rows.
        arrays: What `FeatureColumns.arrays` gave of the rows.
        table: The rows themselves.
    """
    for place, name in enumerate(columns.categories):
        unknown = arrays["categories"][:, place] == OTHER
        _warn_of_unknown(name, table[name][unknown], f"{len(table)} rows")


def _warn_of_unknown(name: str, cells: Any, of_rows: str) -> None:
    if not len(cells):
        return
    shown = list(dict.fromkeys(map(str, cells)))
    _log.warning(
        "%s of %d of %s is in no training row (%s%s): it counts as 'other'.",
        name,
        len(cells),
        of_rows,
        ", ".join(map(repr, shown[:SHOWN])),
        ", ..." * (len(shown) > SHOWN),
    )

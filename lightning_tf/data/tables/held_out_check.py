"""warn_of_differences: rows of validation and test held against those of training."""

import logging
from collections.abc import Mapping
from typing import Any

import numpy as np

from lightning_tf.data.pipeline.order import Indices
from lightning_tf.data.tables.feature_columns import OTHER, FeatureColumns

SHOWN = 3

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
    for split, rows in splits.items():
        if split == "train" or not len(rows):
            continue
        for place, name in enumerate(columns.numbers):
            values = arrays["numbers"][:, place]
            low, high = values[train].min(), values[train].max()
            middle, width = np.median(values[rows]), high - low
            if width > 0 and not low - width <= middle <= high + width:
                _log.warning(
                    "%s of the %s rows lies around %g, of the training rows between %g and %g: are "
                    "these the same units?", name, split, middle, low, high,
                )  # fmt: skip
        for place, name in enumerate(columns.categories):
            unknown = rows[arrays["categories"][rows, place] == OTHER]
            _warn_of_unknown(name, table[name].iloc[unknown], f"{len(rows)} {split} rows")


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

"""pair_table: arrays (x, y) as a table."""

from typing import Any

import numpy as np

from lightning_tf.exceptions import DataError


def pair_table(split: str, pair: Any, classes: bool) -> tuple[Any, list[str]]:
    """Return a DataFrame of features and targets, and the names of the targets.

    Columns of a DataFrame keep their names and dtypes, those of an array are ``x_0``, ``x_1``, ...
    and ``y`` (``y_0``, ``y_1``, ... of several).

    Args:
        split: Of the data, for messages.
        pair: Features of shape (rows,) or (rows, features) and targets of shape (rows,) or (rows,
            targets): arrays, lists, DataFrames or Series.
        classes: Whether the target is a class: one column.

    Raises:
        DataError: There are not two parts, their rows are not as many, or their indexes differ in
            order.

    Example:
        >>> pair_table("train", (np.zeros((2, 1)), [5, 6]), classes=False)[0].columns.tolist()
        ['x_0', 'y']
    """
    import pandas as pd

    if len(pair) != 2:
        raise DataError(f"{split} has {len(pair)} parts; give a pair (x, y).")
    x, y = (_columns(part, name) for part, name in zip(pair, ("x", "y"), strict=True))

    if x is None or y is None or len(x) != len(y) or (classes and y.shape[1] != 1):
        shapes = [np.shape(part) for part in pair]
        raise DataError(
            f"{split} has x of shape {shapes[0]} and y of shape {shapes[1]}; give (rows, features) "
            f"and {'(rows,)' if classes else '(rows,) or (rows, targets)'}."
        )
    named = all(isinstance(part, (pd.DataFrame, pd.Series)) for part in pair)
    if named and not x.index.equals(y.index):
        raise DataError(
            f"{split} has x and y whose indexes differ, so that their rows may not belong "
            "together; bring y into x's order, or pass arrays (.to_numpy()) if it is right."
        )

    clash = [name for name in y.columns if name in x.columns]
    if clash:
        raise DataError(f"{split} has the column {clash[0]!r} in x and in y; leave it out of x.")
    x, y = x.reset_index(drop=True), y.reset_index(drop=True)
    return pd.concat([x, y], axis=1), list(y.columns)


def _columns(part: Any, name: str) -> Any:
    """Return a part as a DataFrame whose columns have names of text; None for another shape."""
    import pandas as pd

    if isinstance(part, pd.DataFrame):
        return part.rename(columns=str)
    if isinstance(part, pd.Series):
        return part.rename(name if part.name is None else str(part.name)).to_frame()

    array = np.asarray(part)
    array = array[:, np.newaxis] if array.ndim == 1 else array
    if array.ndim != 2:
        return None
    one = name == "y" and array.shape[1] == 1
    names = [name] if one else [f"{name}_{number}" for number in range(array.shape[1])]
    return pd.DataFrame(array, columns=names)

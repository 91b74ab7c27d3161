"""feature_data: the `data=` argument of a task on tables, resolved."""

from collections.abc import Callable
from typing import Any

from lightning_tf.data.data_module import DataModule
from lightning_tf.data.sources.options import refuse_unknown, source_options, use_as_is
from lightning_tf.data.sources.order_options import take_order_options, with_order
from lightning_tf.data.sources.table_file import check_is_table
from lightning_tf.data.tables.feature_table import FeatureTable
from lightning_tf.data.tables.playground import PLAYGROUNDS, playground
from lightning_tf.exceptions import ConfigurationError
from lightning_tf.storage.remote_data import local_data


def _diabetes() -> Any:
    from sklearn.datasets import load_diabetes

    return load_diabetes(return_X_y=True, scaled=False)


def _make_regression() -> Any:
    from sklearn.datasets import make_regression

    return make_regression(10_000, 5, noise=12.3, bias=100.0, random_state=121)


def _wine() -> Any:
    from sklearn.datasets import load_wine

    return load_wine(return_X_y=True)


def _breast_cancer() -> Any:
    from sklearn.datasets import load_breast_cancer

    return load_breast_cancer(return_X_y=True)


NUMBERS: dict[str, Callable[[], Any]] = {"diabetes": _diabetes, "make_regression": _make_regression}
"""Named tables with a number to learn."""
CLASSES: dict[str, Callable[[], Any]] = {"wine": _wine, "breast_cancer": _breast_cancer}
"""Named tables with a class to learn, beside the playgrounds."""


def feature_data(data: Any, *, classes: bool, **options: Any) -> FeatureTable:
    """Make a `FeatureTable` from what a user writes.

    Args:
        data: A name: ``diabetes`` (Efron et al. 2004) or ``make_regression`` for numbers, ``wine``,
            ``breast_cancer`` (UCI) or one of `PLAYGROUNDS` for classes; a CSV, TSV or Parquet file;
            a DataFrame; arrays by column; a pair ``(x, y)``; or a `FeatureTable`, which is
            returned as it is.
        classes: Whether the target is a class.
        **options: Those of `FeatureTable`; `sampling`, `shuffle` and `drop_remainder` as of
            `image_data`; and for a playground ``examples`` and ``noise``. None leaves one at its
            default.

    Raises:
        ConfigurationError: An unknown name, or an option that has no meaning for the data.

    Example:
        >>> feature_data("xor", classes=True, examples=100).batch_size
        32
    """
    options = {key: local_data(value) for key, value in options.items() if value is not None}
    data = local_data(data)
    if isinstance(data, FeatureTable):
        return use_as_is(data, options if data.classes == classes else ["classes", *options])
    if isinstance(data, DataModule):
        raise ConfigurationError(
            f"data is a {type(data).__name__}; give a FeatureTable, a table or arrays."
        )

    order = take_order_options(options)
    known = source_options(FeatureTable) - {"classes"}
    named = [*CLASSES, *PLAYGROUNDS] if classes else list(NUMBERS)
    if isinstance(data, str) and data in named:
        # Named sets have their columns and splits; only playgrounds are drawn.
        drawing = {"examples", "noise"} if data in PLAYGROUNDS else set()
        known -= {"val", "test", "target"}
        refuse_unknown(FeatureTable, data, options, known | drawing)

        draw = {key: options.pop(key) for key in drawing if key in options}
        pair = playground(data, **draw) if drawing else {**NUMBERS, **CLASSES}[data]()
        return _ordered(FeatureTable(pair, classes=classes, **options), order)

    check_is_table(data, named)
    refuse_unknown(FeatureTable, data, options, known)
    return _ordered(FeatureTable(data, classes=classes, **options), order)


def _ordered(table: FeatureTable, order: dict[str, Any]) -> FeatureTable:
    with_order(table, order)
    return table

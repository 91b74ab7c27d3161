"""rows_like: rows to evaluate or predict, read as a task has learned to read its table."""

from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from lightning_tf.data.data_module import DataModule
from lightning_tf.data.sources.stage_data import StageData
from lightning_tf.data.sources.table_file import check_columns, is_records
from lightning_tf.data.tables.class_codes import class_codes, class_texts
from lightning_tf.data.tables.feature_columns import checked_numbers
from lightning_tf.data.tables.held_out_check import warn_of_unknown_categories
from lightning_tf.data.tables.pair_table import pair_table


def rows_like(task: Any, data: Any, stage: str, batch_size: int) -> DataModule:
    """Return the rows of a table as one stage's data, in their order.

    Args:
        task: A TabularTask that is built.
        data: A table as `predict_table` takes it, or a pair (features, target).
        stage: ``val``, ``test`` or ``predict``, which needs no targets.
        batch_size: Rows in a batch.

    Raises:
        DataError: A column, a value or a class is missing.
    """
    if isinstance(data, tuple) and not is_records(data):
        table, names = pair_table(stage, data, bool(task.class_names))
        table = table.rename(columns=dict(zip(names, task.targets, strict=True)))
    else:
        table = task.read_rows(data)

    arrays = task.columns.arrays(table)
    warn_of_unknown_categories(task.columns, arrays, table)
    inputs = {kind: array for kind, array in arrays.items() if array.shape[1]}
    rows: Any = inputs if stage == "predict" else (inputs, _targets(task, table, stage))
    return StageData({}, {stage: tf.data.Dataset.from_tensor_slices(rows).batch(batch_size)})


def _targets(task: Any, table: Any, stage: str) -> NDArray[Any]:
    check_columns(table, f"The {stage} table", {"target": task.targets})
    if task.class_names:
        column = table[task.targets[0]]
        return class_codes(column, class_texts(column, task.class_names), task.class_names)
    columns = [checked_numbers(table, n, task.columns.number_format) for n in task.targets]
    values = np.stack(columns, axis=1)  # (rows, targets)
    return values if task.spec.precise_targets else values.astype(np.float32)

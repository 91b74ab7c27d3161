"""What was read of a table, in one line."""

from collections.abc import Mapping, Sequence

from lightning_tf.data.pipeline.order import Indices
from lightning_tf.data.tables.column_roles import ColumnRoles
from lightning_tf.data.tables.feature_columns import FeatureColumns

SHOWN = 10


def table_summary(
    where: str,
    columns: FeatureColumns,
    roles: ColumnRoles,
    splits: Mapping[str, Indices],
    targets: Sequence[str],
) -> str:
    """Return counts of rows and what each column is taken for.

    Args:
        where: What the table is called.
        columns: Learned from the training rows.
        roles: With what was guessed.
        splits: The rows of each split.
        targets: The columns to learn.

    Example:
        >>> roles = ColumnRoles(["rooms"], ["town"])
        >>> columns = FeatureColumns(["rooms"], {"town": ["Rom", "Ulm"]})
        >>> table_summary("houses.csv", columns, roles, {"train": [0, 1]}, ["price"])
        'houses.csv: 2 rows (train 2); numbers rooms; categories town (2); target price.'
    """
    counts = ", ".join(f"{name} {len(rows)}" for name, rows in splits.items() if len(rows))
    kinds = {
        "numbers": columns.columns,
        "dates": columns.dates,
        "categories": [f"{name} ({len(known)})" for name, known in columns.categories.items()],
        "target": targets,
    }
    parts = [f"{kind} {_some(names)}" for kind, names in kinds.items() if names]
    if columns.precise:
        parts.append("numbers in float64, as float32 would make some equal")
    return f"{where}: {sum(map(len, splits.values()))} rows ({counts}); " + (
        "; ".join([*parts, *roles.notes]) + "."
    )


def _some(names: Sequence[str]) -> str:
    more = [f"{len(names) - SHOWN} more"] * (len(names) > SHOWN)
    return ", ".join([*names[:SHOWN], *more])

"""The columns of HuggingFace's data sets, as the arrays that fit takes."""

from typing import Any

from lightning_tf.data.sources.hugging_face import hugging_face_splits, is_hugging_face
from lightning_tf.exceptions import ConfigurationError, nearest

SPLITS = {"data": "train", "validation_data": "val", "test_data": "test"}


def column_arrays(given: dict[str, Any], columns: Any = None, label_columns: Any = None) -> Any:
    """Return data of a KerasTask with those of HuggingFace as arrays ``(x, y)``, or ``x`` alone.

    Args:
        given: ``data``, ``validation_data`` and ``test_data``; a DatasetDict brings several.
        columns: The inputs: a name, or a list of them for a dict of inputs.
        label_columns: The targets; the same.

    Raises:
        ConfigurationError: Columns are not told, or not there.
    """
    found = dict(given)
    if is_hugging_face(given["data"]):
        splits = hugging_face_splits(given["data"])
        for name, split in SPLITS.items():
            if name == "data" or given[name] is None:
                found[name] = splits.get(split)
    return {
        name: _arrays(part, columns, label_columns) if is_hugging_face(part) else part
        for name, part in found.items()
    }


def _arrays(dataset: Any, columns: Any, label_columns: Any) -> Any:
    if columns is None:
        raise ConfigurationError(
            f"the Dataset has the columns {', '.join(dataset.column_names)}; say which are the "
            "inputs and which the targets: columns='pixels', label_columns='label'."
        )
    x = _columns("columns", dataset, columns)
    if label_columns is None:
        return (x,)
    return x, _columns("label_columns", dataset, label_columns)


def _columns(option: str, dataset: Any, names: Any) -> Any:
    wanted = [names] if isinstance(names, str) else list(names)
    for name in wanted:
        if name not in dataset.column_names:
            raise ConfigurationError(
                f"{option}={names!r}: there is no column {name!r}."
                f"{nearest(name, dataset.column_names)}"
            )
    arrays = dataset.with_format("numpy", columns=wanted)[:]
    return arrays[names] if isinstance(names, str) else {name: arrays[name] for name in wanted}

"""texts_like: texts to evaluate or predict, with the classes that a task has learned."""

from collections.abc import Mapping
from typing import Any, cast

import tensorflow as tf

from lightning_tf.data.data_module import DataModule
from lightning_tf.data.sources.python_batches import is_python_batches
from lightning_tf.data.sources.split_folders import whole_folder
from lightning_tf.data.sources.table_file import is_frame, is_records, is_table_file
from lightning_tf.data.text.text_data import takes_class_names, text_data
from lightning_tf.data.text.text_folder import ENDING
from lightning_tf.data.text.text_spec import text_spec
from lightning_tf.exceptions import ConfigurationError

OF_TABLES = ("text_column", "label_column", "encoding", "sep", "quoting", "empty")


def texts_like(task: Any, data: Any, options: Mapping[str, Any]) -> DataModule:
    """Return labeled texts as `text_data` takes them, whose classes are those of a task.

    Of pairs, tables and datasets, which have no splits, every split is all of them.

    Args:
        task: A TextClassification that knows its classes.
        data: What ``data=`` takes.
        options: Those of the task's own data; the columns of a table are taken from them.

    Raises:
        ConfigurationError: The classes are others, or `data` cannot be read.
    """
    module = data if isinstance(data, DataModule) else _module(task, data, options)
    module.ensure_setup("fit")
    names = text_spec(module, None).class_names
    if names != task.class_names:
        raise ConfigurationError(
            f"the data have the classes {names}, and {type(task).__name__} has learned "
            f"{task.class_names}: numbers of classes would mean others. Give texts of the same "
            "classes, as pairs, a table or a DataModule."
        )
    return module


def _module(task: Any, data: Any, options: Mapping[str, Any]) -> DataModule:
    chosen: dict[str, Any] = {}
    if takes_class_names(data):
        chosen["class_names"] = list(task.class_names)
    if isinstance(data, tf.data.Dataset) or (
        not isinstance(data, (list, str)) and is_python_batches(data)
    ):
        return text_data((data, data, data), **chosen)

    chosen["batch_size"] = task.data.batch_size
    if isinstance(data, tuple) and len(data) == 2:
        return _not_to_learn(text_data((data, data, data), **chosen))
    is_table = is_records(data) or is_frame(data) or (isinstance(data, str) and is_table_file(data))
    if is_table:
        chosen |= {name: options[name] for name in OF_TABLES if name in options}
        return _not_to_learn(text_data(data, val=data, test=data, **chosen))
    return text_data(data, **chosen, **whole_folder(data, (ENDING,)))


def _not_to_learn(texts: Any) -> DataModule:
    """Return texts that may lack a class: nothing is learned or held out of them."""
    texts.fewest_texts = 0
    return cast(DataModule, texts)

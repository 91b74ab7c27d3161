"""TabularTask: the base of Regression and TabularClassification."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from lightning_tf.data.data_module import DataModule
from lightning_tf.data.sources.new_examples import NewExamples
from lightning_tf.data.sources.table_file import is_records, read_table
from lightning_tf.data.tables.feature_data import feature_data
from lightning_tf.data.tables.feature_table import FeatureTable
from lightning_tf.exceptions import ConfigurationError
from lightning_tf.prediction_columns import class_columns, named_columns, number_columns
from lightning_tf.tasks.common.optimizer_settings import OptimizerSettings
from lightning_tf.tasks.common.spec_task import SpecTask, inputs_of
from lightning_tf.tasks.tabular.export import export_feature_task
from lightning_tf.tasks.tabular.network import FeatureNetwork
from lightning_tf.tasks.tabular.new_rows import new_rows
from lightning_tf.tasks.tabular.rows_like import rows_like
from lightning_tf.tasks.tabular.table_spec import TableSpec

log = logging.getLogger("lightning_tf")


class TabularTask(SpecTask):
    """Base of tasks that learn one thing from the rows of a table.

    A subclass makes `network` and `optimizer_settings`, calls `take_data`, and writes the steps.
    """

    input_kind = "row"
    data: FeatureTable | None
    spec: TableSpec | None = None
    spec_class = TableSpec
    network: FeatureNetwork
    optimizer_settings: OptimizerSettings
    learns_classes = False

    def take_data(self, data: Any, **options: Any) -> None:
        """Resolve `data`; None for a task from a checkpoint, which has a `spec` instead."""
        self.data = (
            None if data is None else feature_data(data, classes=self.learns_classes, **options)
        )
        self.record_data(data)

    def configure_model(self) -> None:
        """Build the network, as `model`, to the columns; its scales are unknown until a fit."""
        spec = self.learn_spec()
        self.columns = spec.columns()
        self.targets, self.class_names = spec.targets, spec.class_names

        self.built = self.network.build(self.columns, len(self.class_names) or len(self.targets))
        self.model, self.scaler = self.built.model, self.built.scaler

    def configure_optimizers(self) -> keras.optimizers.Optimizer:
        """Make the optimizer, with its schedule over the updates of this fit.

        Scales that no checkpoint has brought are fitted here, on the training split alone.
        """
        if self.data is not None:
            self.built.fit_scaler(self.data)  # before the first step: it reads the scales
        return self.optimizer_settings.build(self.trainer.estimated_stepping_batches, self.model)

    def outputs(self, batch: Any, training: bool) -> tf.Tensor:
        """Return the model's outputs for a batch, with or without targets."""
        return self.built.outputs(inputs_of(batch), training)  # (batch, classes or targets)

    def predict_table(self, table: Any, **options: Any) -> NDArray[np.floating]:
        """Return what `predict_step` gives for the rows of a table, in their order.

        Args:
            table: A file, a DataFrame, arrays by column or rows as dicts, with the columns of the
                features; or an array (rows, features) in the order of the training table.
            **options: Those of `new_examples`; with ``missing="drop"`` there are fewer rows.

        Raises:
            DataError: A column or a value is missing.
        """
        self.check_built()
        arrays = new_rows(self, table, **options).arrays
        inputs = {name: tf.constant(array) for name, array in arrays.items()}
        predicted: NDArray[np.floating] = self.predict_step(inputs).numpy()
        return predicted

    def read_rows(self, table: Any, encoding: str = "utf-8", **csv_options: Any) -> Any:
        """Return a table as `predict_table` takes it, as a DataFrame with names of text."""
        if isinstance(table, np.ndarray) or (isinstance(table, list) and not is_records(table)):
            table = self._name_columns(table)
        format_options = self.columns.number_format.csv_options()
        return read_table(table, encoding, **csv_options, **format_options).rename(columns=str)

    def evaluation_data(self, stage: str, data: Any) -> DataModule:
        """Return rows to evaluate or predict: a table, or a pair (features, target)."""
        self.check_built()
        if isinstance(data, DataModule):
            return super().evaluation_data(stage, data)
        return rows_like(self, data, stage, 32 if self.data is None else self.data.batch_size)

    def new_examples(
        self,
        data: Any,
        *,
        missing: str | float | None = None,
        na_values: Sequence[str | float] = (),
        date_format: str | None = None,
        encoding: str = "utf-8",
        sep: str | None = None,
        quoting: bool | None = None,
    ) -> NewExamples:
        """Return rows to predict; columns that the task does not read are left out, and told.

        Args:
            data: As of `predict_table`; with targets or without. A DataFrame of pandas keeps its
                index as ``row``, others are numbered.
            missing: ``error``, ``drop`` (rows, which is told), or a number that stands for missing
                numbers; None is the number of the task's own, or ``error`` where there is none.
            na_values: Words or numbers that stand for a missing value, beside the task's own.
            date_format: How dates are written; None is as in the task's own table.
            encoding: Of a CSV or TSV file.
            sep: Of the same, as of `FeatureTable`.
            quoting: Of the same.

        Raises:
            DataError: A column or a value is missing.
        """
        import pandas as pd

        self.check_built()
        if isinstance(data, tuple) and len(data) == 2 and not is_records(data):
            data = data[0]  # with targets, which nobody needs
        if isinstance(data, (DataModule, tf.data.Dataset)):
            return super().new_examples(data)
        if isinstance(data, pd.Series):
            data = data.to_dict()  # one row

        index = data.index if isinstance(data, pd.DataFrame) else None
        rows = new_rows(
            self,
            data if index is None else data.reset_index(drop=True),
            missing=missing,
            na_values=na_values,
            date_format=date_format,
            encoding=encoding,
            sep=sep,
            quoting=quoting,
        )
        named = rows.places if index is None else index[rows.places].to_flat_index().tolist()
        return NewExamples({"row": named}, arrays=rows.arrays)

    def prediction_columns(self, outputs: Any, names: Mapping[str, Any]) -> dict[str, Any]:
        """Return label, class and probabilities of each row, or its numbers by their names."""
        if self.class_names:
            return named_columns(names, class_columns(outputs, self.class_names))
        return named_columns(names, number_columns(outputs, self.targets))

    def _name_columns(self, rows: Any) -> dict[str, Any]:
        """Return the columns of an array, which has them in the order of the training table."""
        order = self.columns.order
        if order is None and self.columns.categories:
            raise ConfigurationError(
                "the checkpoint does not tell the order of its columns: give a DataFrame or arrays "
                f"by column, with the names {', '.join(self.columns.names)}."
            )
        order = self.columns.names if order is None else order

        rows = np.asarray(rows)
        rows = rows[np.newaxis] if rows.ndim == 1 else rows  # one row, or (rows, columns)
        if rows.ndim != 2 or rows.shape[1] != len(order):
            raise ConfigurationError(
                f"rows of shape {rows.shape} for the {len(order)} columns {', '.join(order)}; "
                "give one value for each."
            )
        return {name: rows[:, place] for place, name in enumerate(order)}

    def export_saved_model(self, path: Path) -> None:
        """Write a SavedModel that takes rows in the table's units; see `export_feature_task`."""
        export_feature_task(self, path)

"""HistoryInstances: the latest rows of a series, of which the next ones are forecast."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from lightning_tf.data.sources.new_examples import NewExamples
from lightning_tf.serving.array_instances import number_array
from lightning_tf.serving.instances import OF_VALUES, Instances, Named, json_type
from lightning_tf.serving.request_error import WRONG_DATA, RequestError
from lightning_tf.serving.row_instances import CELL, checked_row, csv_table

KEYS = ("history", "known", "series")


class HistoryInstances(Instances):
    """Histories: rows as dicts by column, or lists of numbers (rows, channels) of one series."""

    wanted = (
        "the rows of a history, as dicts by column or as lists of numbers (rows, channels), or "
        '{"history": rows, "known": rows of what is known of the future, "series": name}'
    )
    files = "CSV files (UTF-8) with a header, each a history"

    def schema(self) -> dict[str, Any]:
        """Return JSON Schema of an instance."""
        row = {"anyOf": [{"type": "object", "additionalProperties": CELL}, {"type": "array"}]}
        rows = {"type": "array", "items": {**row, "anyOf": [*row["anyOf"], {"type": "number"}]}}
        parts = {"history": rows, "known": rows, "series": {"type": ["string", "number"]}}
        return {"anyOf": [rows, {"type": "object", "properties": parts, "required": ["history"]}]}

    def example(self) -> Any:
        """Return zeros of the right shape; None where something of the future must be known."""
        task: Any = self.task
        if task.spec.known or len(task.spec.series) > 1:
            return None
        return np.zeros((task.history, len(task.spec.channels))).tolist()

    def details(self) -> dict[str, Any]:
        """Return the columns, and how many rows are read and forecast."""
        task: Any = self.task
        spec = task.spec
        columns = {"channels": spec.channels, "known": spec.known, "targets": spec.targets}
        sizes = {"history": task.history, "horizon": task.horizon}
        return {**sizes, "columns": columns, "series": spec.series}

    def checked(self, value: Any) -> Any:
        """Return data and options of the task's `new_examples`."""
        if isinstance(value, list):
            return self._rows(value), {}
        if not isinstance(value, dict) or "history" not in value or not {*value} <= {*KEYS}:
            raise RequestError(WRONG_DATA, f"it is a {json_type(value)}; give {self.wanted}.")
        options = {}
        if value.get("known") is not None:
            options["known"] = self._rows(value["known"])
        if value.get("series") is not None:
            if not isinstance(value["series"], (str, int, float)):
                raise RequestError(WRONG_DATA, "series is no name.")
            options["series"] = value["series"]
        return self._rows(value["history"]), options

    def of_file(self, name: str, content: bytes) -> Any:
        """Return the rows of a CSV file."""
        return csv_table(name, content), {}

    def predict(self, given: Sequence[Named]) -> list[dict[str, Any]]:
        """Return the forecasts of each history, a record for each step of each series."""
        read = [self._read_one(item) for item in given]
        arrays = tf.nest.map_structure(
            lambda *parts: np.concatenate(parts), *(examples.arrays for examples in read)
        )
        outputs = self.outputs(NewExamples({}, arrays=arrays))

        found: list[dict[str, Any]] = []
        start = 0
        for item, examples in zip(given, read, strict=True):
            end = start + len(examples.arrays["series"])
            records = self.predictor.table(examples, outputs[start:end]).records()
            own = {"row": len(found)} if item.file is None else {"file": item.file}
            found.append({**own, "records": records})
            start = end
        return found

    def warm_up(self) -> None:
        """Trace the step, also where an example needs more than zeros."""
        task: Any = self.task
        spec = task.spec
        arrays = {
            "past": np.zeros((1, task.history, len(spec.channels))),
            "future": np.zeros((1, task.horizon, len(spec.known))),
            "series": np.zeros(1, np.int32),
        }
        self.outputs(NewExamples({}, arrays=arrays))

    def _read_one(self, item: Named) -> NewExamples:
        data, options = item.value
        try:
            return self.predictor.read(data, **options)
        except OF_VALUES as error:  # the package's own errors are such, too
            raise self.unreadable(error, item.name) from error

    def _rows(self, value: Any) -> Any:
        if not isinstance(value, list) or not value:
            raise RequestError(WRONG_DATA, f"rows are a {json_type(value)}; give a list of some.")
        if not isinstance(value[0], dict):
            return number_array(value).astype(np.float64)
        return [checked_row(row, self.limits.max_text) for row in value]

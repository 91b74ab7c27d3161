"""MLflowReceiver: a run of MLflow, called from a delivery's thread."""

import csv
import io
import json
import logging
import posixpath
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lightning_tf.callbacks.loggers.outbox import Line
from lightning_tf.callbacks.loggers.run_receiver import RunReceiver
from lightning_tf.callbacks.wandb.connection import is_reachable

log = logging.getLogger("lightning_tf")

ID_TAG = "lightning_tf.id"
STATUS = {"success": "FINISHED", "failed": "FAILED", "interrupted": "KILLED"}
# MLflow's own limits; it refuses a whole batch for what is beyond them.
MOST_METRICS, MOST_PARAMS = 1000, 100
LONGEST_NAME, LONGEST_PARAM, LONGEST_TAG = 250, 6000, 8000
FORBIDDEN = re.compile(r"[^\w.\-/ ]", re.ASCII)


class MLflowReceiver(RunReceiver):
    """Finds or makes the MLflow run, and takes rows, files, params and tags.

    A metric's time is that of its line, so that one which is sent again is the same to MLflow, and
    kept once.

    Args:
        record: See `RunReceiver`.
    """

    def __init__(self, record: dict[str, Any]) -> None:
        super().__init__(record)
        # Before training: in the thread, the import stops it for as long as Python cleans up.
        import mlflow.tracking

        self._tracking: Any = mlflow.tracking
        # Making MLflow's file would do so, too, and a file never hangs.
        if record["settings"]["tracking_uri"].startswith("sqlite:"):
            self.opening_seconds = 30.0
        self._client: Any = None
        self._params: dict[str, str] = {}
        self._tags: dict[str, str] = {}
        self._told: set[str] = set()

    @property
    def _run_id(self) -> str:
        return str(self.record["mlflow_run_id"])

    def check_reachable(self) -> None:
        """Raise where a server gives no answer within 3 seconds: MLflow would try for minutes."""
        uri = self.record["settings"]["tracking_uri"]
        if uri.startswith(("http://", "https://")) and not is_reachable(f"{uri}/health"):
            raise ConnectionError(f"{uri} does not answer")

    # ---- the run

    def open(self) -> None:
        """Find the run by its id or its tag, or make one."""
        uri = self.record["settings"]["tracking_uri"]
        if uri.startswith("sqlite:///"):
            Path(uri.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
        self._client = self._tracking.MlflowClient(uri)
        run = self._find_run() or self._find_users_run() or self._make_run()
        self.record["mlflow_run_id"] = run.info.run_id
        self._params, self._tags = dict(run.data.params), dict(run.data.tags)
        self._client.update_run(run.info.run_id, status="RUNNING")

    def _find_run(self) -> Any:
        if self.record["mlflow_run_id"]:
            return self._client.get_run(self.record["mlflow_run_id"])

        # Also where MLflow made it and its answer was lost.
        experiment = self._client.get_experiment_by_name(self.record["settings"]["experiment_name"])
        if experiment is None:
            return None
        query = f"tags.`{ID_TAG}` = '{self.record['id']}'"
        return next(iter(self._client.search_runs([experiment.experiment_id], query)), None)

    def _find_users_run(self) -> Any:
        """Return the run that the user named first of all; MLflow raises where there is none."""
        run_id = self.record["users_run_id"]
        return None if run_id is None else self._client.get_run(run_id)

    def _make_run(self) -> Any:
        from mlflow.exceptions import MlflowException
        from mlflow.tracking.context.registry import resolve_tags

        settings = self.record["settings"]
        name = settings["experiment_name"]
        if self._client.get_experiment_by_name(name) is None:
            try:
                self._client.create_experiment(name, settings["artifact_location"])
            except MlflowException:
                # Another process may have been faster.
                if self._client.get_experiment_by_name(name) is None:
                    raise
        experiment = self._client.get_experiment_by_name(name)
        tags = resolve_tags({ID_TAG: self.record["id"]})  # user, program and commit besides
        return self._client.create_run(
            experiment.experiment_id, run_name=settings["run_name"], tags=tags
        )

    def last_step(self) -> int:
        """Return the last update of which MLflow has a row; every row has an epoch."""
        history = self._client.get_metric_history(self._run_id, "epoch")
        return max((metric.step for metric in history), default=-1)

    def close(self, status: str | None) -> None:
        """Say how the run ended."""
        self._client.set_terminated(self._run_id, STATUS.get(status or "", "KILLED"))

    # ---- numbers and words

    def send_rows(self, lines: list[Line]) -> bool:
        """Send rows in MLflow's batches."""
        from mlflow.entities import Metric

        metrics = [
            Metric(self._key(name), value, line.time, line.step)
            for line in lines
            for name, value in line.values.items()
        ]
        for start in range(0, len(metrics), MOST_METRICS):
            self._client.log_batch(self._run_id, metrics=metrics[start : start + MOST_METRICS])
        return True

    def send_summary(self) -> None:
        """Send params and tags that are new; MLflow keeps the first value of a param."""
        from mlflow.entities import Param, RunTag

        config = self._texts(self.record["config"], LONGEST_PARAM)
        for name, text in config.items():
            if self._params.get(name, text) != text:
                self._tell(f"the param {name} stays {self._params[name]!r}; it is {text!r} now")
        params = {k: v for k, v in config.items() if k not in self._params}
        tags = {
            name: text
            for name, text in self._texts(self.record["tags"], LONGEST_TAG).items()
            if self._tags.get(name) != text
        }

        for chunk in _chunks(params):
            self._client.log_batch(self._run_id, params=[Param(*pair) for pair in chunk.items()])
            self._params |= chunk
        for chunk in _chunks(tags):
            self._client.log_batch(self._run_id, tags=[RunTag(*pair) for pair in chunk.items()])
            self._tags |= chunk

    def _texts(self, values: Mapping[str, Any], longest: int) -> dict[str, str]:
        """Return names and values as MLflow takes them."""
        texts = {}
        for name, value in dict(values).items():
            text = value if isinstance(value, str) else json.dumps(value, default=str)
            if len(text) > longest:
                self._tell(f"{name} has {len(text)} characters; MLflow gets the first {longest}")
            texts[self._key(name)] = text[:longest]
        return texts

    def _key(self, name: str) -> str:
        """Return a name that MLflow takes."""
        key = posixpath.normpath(FORBIDDEN.sub("_", name)).lstrip("/.")[:LONGEST_NAME] or "_"
        if key != name:
            self._tell(f"{name!r} is called {key!r} in MLflow, which refuses the name")
        return key

    def _tell(self, text: str) -> None:
        if text not in self._told:
            self._told.add(text)
            log.warning("MLflow: %s.", text)

    # ---- files

    def missing(self, line: Line) -> dict[str, Any]:
        """Return what is not there: an image would be there twice, all else is replaced."""
        values = dict(line.values)
        for name, item in line.values.items():
            if isinstance(item, dict) and item["kind"] == "image":
                key = self._image_key(name).replace("/", "~")
                start = f"images/{key}+step+{line.step}+timestamp+{line.time}+"
                files = self._client.list_artifacts(self._run_id, "images")
                if any(file.path.startswith(start) for file in files):
                    del values[name]
        return values

    def _image_key(self, name: str) -> str:
        return self._key(name.partition("/")[2])

    def send_file(self, line: Line, name: str, item: dict[str, Any]) -> bool:
        """Send a file as an artifact."""
        kind, path = item["kind"], Path(item["path"])
        if kind == "image":
            from PIL import Image

            with Image.open(path) as image:
                key = self._image_key(name)
                self._client.log_image(
                    self._run_id, image.convert("RGB"), key=key, step=line.step, timestamp=line.time
                )
        elif kind == "table":
            table, text = json.loads(path.read_text(encoding="utf-8")), io.StringIO()
            csv.writer(text, lineterminator="\n").writerows([table["columns"], *table["rows"]])
            self._client.log_text(self._run_id, text.getvalue(), f"tables/{path.stem}.csv")
        elif path.is_dir():  # a checkpoint
            self._client.log_artifacts(self._run_id, str(path), f"checkpoints/{path.name}")
        else:
            folder = f"files/{self._image_key(name)}" if kind == "file" else f"{kind}s"
            self._client.log_artifact(self._run_id, str(path), folder)
        return True


def _chunks(values: dict[str, str]) -> list[dict[str, str]]:
    pairs = list(values.items())
    return [dict(pairs[i : i + MOST_PARAMS]) for i in range(0, len(pairs), MOST_PARAMS)]

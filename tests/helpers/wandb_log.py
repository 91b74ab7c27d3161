"""Read a W&B run from its transaction log on the local disk."""

import json
import time
from dataclasses import dataclass, field
from pathlib import Path

from lightning_tf.callbacks.wandb.transaction_log import read_records


@dataclass
class LoggedRun:
    """The content that `wandb sync` would send."""

    id: str = ""
    project: str = ""
    name: str = ""
    group: str = ""
    tags: list = field(default_factory=list)
    config: dict = field(default_factory=dict)
    summary: dict = field(default_factory=dict)
    history: list = field(default_factory=list)
    metrics: dict = field(default_factory=dict)  # name -> x-axis
    files: list = field(default_factory=list)
    artifacts: list = field(default_factory=list)
    alerts: list = field(default_factory=list)
    stats: list = field(default_factory=list)  # system metrics: a dict of numbers for each time
    exit_code: int | None = None

    def column(self, name):
        """Return pairs of update and value of one name."""
        return [(r["trainer/global_step"], r[name]) for r in self.history if name in r]


def logged_runs(root):
    """Return every run below a folder, oldest first."""
    return [logged_run(path) for path in sorted(Path(root).glob("wandb/*run-*/run-*.wandb"))]


def logged_run(path, seconds=5.0):
    """Read a log, waiting for its end: `run.finish` returns milliseconds before the disk has it."""
    deadline = time.monotonic() + seconds
    while True:
        run = _read(path)
        if run.exit_code is not None or time.monotonic() > deadline:
            return run
        time.sleep(0.02)


def _read(path):
    run = LoggedRun()
    for record in read_records(path):
        kind = record.WhichOneof("record_type")
        content = getattr(record, kind)
        if kind == "run":
            run.id, run.project, run.name = content.run_id, content.project, content.display_name
            run.group, run.tags = content.run_group, list(content.tags)
            _put(run.config, content.config.update)
        elif kind in ("config", "summary"):
            _put(getattr(run, kind), content.update)
        elif kind == "history":
            run.history.append(_put({}, content.item))
        else:
            _take(run, kind, content)
    return run


def _take(run, kind, content):
    if kind == "metric":
        run.metrics[content.name or content.glob_name] = content.step_metric
    elif kind == "files":
        run.files += [file.path for file in content.files]
    elif kind == "artifact":
        run.artifacts.append(_artifact(content))
    elif kind == "alert":
        run.alerts.append((content.title, content.level))
    elif kind == "exit":
        run.exit_code = content.exit_code
    elif kind == "stats":
        run.stats.append({item.key: json.loads(item.value_json) for item in content.item})


def _put(tree, items):
    for item in items:
        *folders, last = list(item.nested_key) or [item.key]
        place = tree
        for name in folders:
            place = place.setdefault(name, {})
        place[last] = json.loads(item.value_json)
    return tree


def _artifact(content):
    files = {entry.path: entry.local_path for entry in content.manifest.contents}
    metadata = json.loads(content.metadata or "{}")
    artifact = {"name": content.name, "type": content.type, "aliases": list(content.aliases)}
    return {**artifact, "metadata": metadata, "files": files}

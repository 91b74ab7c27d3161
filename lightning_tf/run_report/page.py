"""Page: the HTML of a report."""

import base64
import hashlib
import shlex
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from lightning_tf.run_report.chart import BOX, COLORS, SHAPES, SIZE, Chart
from lightning_tf.run_report.comparison import (
    compare_hparams,
    compare_metrics,
    compare_system,
    hide_secrets,
)
from lightning_tf.run_report.curves import has_curves, read_panels
from lightning_tf.run_report.epochs import Epochs
from lightning_tf.run_report.image_files import Embedder, read_series
from lightning_tf.run_report.run_record import RunRecord
from lightning_tf.run_report.table_files import read_files, read_tables, read_texts
from lightning_tf.version import __version__

HERE = Path(__file__).parent
COMMAND_WIDTH = 48  # of a line in a card


class Page:
    """A page about runs; every name and value in it is escaped by the template engine.

    The policy in its head lets a browser run and load nothing but what this class has put there: it
    names the digests of the script and of the style sheet.

    Args:
        runs: At least one.
        labels: What to call each of them.

    Example:
        >>> html = Page([RunRecord("runs/version_0")], ["version_0"]).render()
    """

    def __init__(self, runs: Sequence[RunRecord], labels: Sequence[str]) -> None:
        self.runs, self.labels = runs, labels

    def render(self) -> str:
        """Return the HTML."""
        environment = Environment(
            loader=FileSystemLoader(HERE),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        style, script = ((HERE / f"report.{kind}").read_text("utf-8") for kind in ("css", "js"))
        sections = self._sections()  # first: reading adds to the runs' notes
        return environment.get_template("report.html.j2").render(
            **sections,
            style=style,
            script=script,
            policy=_policy(style, script),
            summaries=self._summaries(),
            labels=self.labels,
            box=BOX,
            size=SIZE,
            shapes=SHAPES,
            colors=COLORS,
            version=__version__,
            written=f"{datetime.now():%Y-%m-%d %H:%M}",
        )

    def _sections(self) -> dict[str, Any]:
        charts = self._charts()
        hparams = compare_hparams([run.hparams for run in self.runs])
        series = [(run, read_series(run)) for run in self.runs]
        tables = [read_tables(run) for run in self.runs]
        matrices = [[each for each in of_run if each.shades is not None] for of_run in tables]
        # A matrix that stands as a table needs no image of it.
        for (_, of_run), drawn in zip(series, matrices, strict=True):
            names = {_plain(table.name) for table in drawn}
            of_run[:] = [each for each in of_run if _plain(each.name) not in names]
        Embedder().embed(series)

        return {
            "charts": [chart for chart in charts if not chart.panel.is_system],
            "system_charts": [chart for chart in charts if chart.panel.is_system],
            "chart_data": [chart.data for chart in charts],
            "metrics": compare_metrics(self.runs),
            "system": compare_system(self.runs),
            "differing": [setting for setting in hparams if setting.differs],
            "alike": [setting for setting in hparams if not setting.differs],
            "matrices": _by_name(matrices),
            "images": _by_name([of_run for _, of_run in series]),
            "tables": _by_name(
                [
                    [*(table for table in of_run if table.shades is None), *read_files(run)]
                    for run, of_run in zip(self.runs, tables, strict=True)
                ]
            ),
            "texts": _by_name([read_texts(run) for run in self.runs]),
        }

    def _charts(self) -> list[Chart]:
        epochs = [Epochs(run.rows) for run in self.runs if has_curves(run)]
        # One epoch is a line between 0 and 1: updates say more.
        in_epochs = bool(epochs) and all(each.count > 1 for each in epochs)
        of_runs = [Epochs(run.rows) for run in self.runs] if in_epochs else None
        panels = read_panels(self.runs, of_runs)
        panels.sort(key=lambda panel: panel.is_system)
        return [Chart(panel, self.labels, in_epochs) for panel in panels]

    def _summaries(self) -> list[dict[str, Any]]:
        return [_summary(run, label) for run, label in zip(self.runs, self.labels, strict=True)]


def _summary(run: RunRecord, label: str) -> dict[str, Any]:
    # Of several entry points the fit tells how the weights came about.
    fits = [begin for begin in run.begins if begin.get("entry_point") == "fit"]
    begin = (fits or run.begins or [{}])[-1]
    end = run.end_of(begin) if begin else None
    epochs, steps = Epochs(run.rows).count, [row.step for row in run.rows]
    facts = {
        "task": run.task.rpartition(".")[2],
        "status": run.status,
        "began": _time(begin.get("time")),
        "took": _duration(begin, end),
        "updates": f"{steps[-1]:,}" if steps else "",
        "epochs": str(epochs or ""),
        "commit": _commit(begin.get("git")),
        "folder": str(run.folder),
    }
    environment = {
        "packages": begin.get("packages") or run.checkpoint.get("versions"),
        "machine": begin.get("machine") or run.checkpoint.get("machine"),
    }
    return {
        "label": label,
        "facts": {name: value for name, value in facts.items() if value},
        "commands": _commands(run),
        "environment": {k: v for k, v in environment.items() if isinstance(v, dict) and v},
        "notes": run.notes,
    }


def _commands(run: RunRecord) -> list[tuple[str, str]]:
    """Return entry point and command of each call, equal ones once."""
    commands: dict[tuple[str, str], None] = {}
    for begin in run.begins:
        words = begin.get("command")
        if isinstance(words, list):
            text = _lines(hide_secrets([str(word) for word in words]))
            commands[str(begin.get("entry_point", "")), text] = None
    if not commands and run.has_config:
        again = shlex.join(["lightning-tf", "fit", "--config", str(run.folder / "config.yaml")])
        commands["again", again] = None
    return list(commands)


def _lines(words: Sequence[str]) -> str:
    """Return a command as a shell takes it, a line for each option where it is long."""
    text = shlex.join(words)
    if len(text) <= COMMAND_WIDTH:
        return text
    quoted = [shlex.quote(word) for word in words]
    lines = [f" \\\n  {word}" if word.startswith("--") else f" {word}" for word in quoted]
    return "".join(lines).strip()


def _commit(git: object) -> str:
    if not isinstance(git, dict) or not git.get("commit"):
        return ""
    branch = f" on {git['branch']}" if git.get("branch") else ""
    return f"{str(git['commit'])[:12]}{branch}{', with changes' if git.get('dirty') else ''}"


def _time(seconds: object) -> str:
    try:
        return f"{datetime.fromtimestamp(float(seconds)):%Y-%m-%d %H:%M:%S}"  # type: ignore[arg-type]
    except (OSError, OverflowError, TypeError, ValueError):
        return ""


def _duration(begin: dict[str, Any], end: dict[str, Any] | None) -> str:
    try:
        seconds = float((end or {})["time"]) - float(begin["time"])
    except (KeyError, TypeError, ValueError):
        return ""
    if seconds < 60.0:
        return f"{seconds:.1f} s"
    minutes = int(seconds // 60)
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min"


def _by_name(of_runs: Sequence[Sequence[Any]]) -> list[tuple[str, list[tuple[int, Any]]]]:
    """Return by name what each run has of it, with the run's number."""
    names: dict[str, list[tuple[int, Any]]] = {}
    for number, items in enumerate(of_runs):
        for item in items:
            names.setdefault(item.name, []).append((number, item))
    return list(names.items())


def _plain(name: str) -> str:
    return name.replace("/", "_")


def _policy(style: str, script: str) -> str:
    def digest(text: str) -> str:
        return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()

    return (
        f"default-src 'none'; img-src data:; style-src 'sha256-{digest(style)}'; "
        f"script-src 'sha256-{digest(script)}'; base-uri 'none'; form-action 'none'"
    )

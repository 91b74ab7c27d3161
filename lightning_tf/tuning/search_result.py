"""SearchResult: what the trials of a search came to, as a table and an image."""

import csv
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lightning_tf.checks import is_number
from lightning_tf.save_figure import save_figure
from lightning_tf.tuning.parallel_coordinates import draw_parallel_coordinates
from lightning_tf.tuning.search_space import Values

TABLE, IMAGE = "trials.csv", "parallel_coordinates.png"
COMPLETE, PRUNED, FAILED, RUNNING = "complete", "pruned", "failed", "running"


@dataclass(frozen=True)
class Trial:
    """One trial.

    Attributes:
        number: From 0, in the order in which they began.
        state: ``complete``, ``pruned``, ``failed``, by Ctrl-C too, or ``running`` in another
            process.
        value: The newest measurement of the monitor; None of one that failed or is running.
        values: What was tried, by name.
        labels: The same as it was drawn: choices as text.
        epochs: How many it took; of one that failed or is running, those that were measured.
        seconds: Of wall time; 0 of one that has not ended.
        reason: Why it failed.
        folder: Of its run.
    """

    number: int
    state: str
    value: float | None
    values: Mapping[str, Any]
    labels: Mapping[str, Any]
    epochs: int
    seconds: float
    reason: str = ""
    folder: str = ""

    def __str__(self) -> str:
        return ", ".join(f"{name}={_short(value)}" for name, value in self.labels.items())


class SearchResult:
    """The trials of a search, the best of them, their table and image.

    Args:
        trials: Of all processes that share the search.
        space: What was searched, by name.
        monitor: The metric.
        mode: ``min`` or ``max``.
        folder: Where table and image go.

    Attributes:
        best: The best trial that was not pruned; None where there is none.
        epochs: Of all trials together.

    Example:
        >>> result = HyperparameterSearch({"learning_rate": "0.0001..0.1 log"}).run(make, trials=20)
        >>> result.best.values
        {'learning_rate': 0.0031}
        >>> result.figure().savefig("search.png")
    """

    def __init__(
        self,
        trials: Sequence[Trial],
        space: Mapping[str, Values],
        monitor: str,
        mode: str,
        folder: Path,
    ) -> None:
        self.trials, self.space, self.monitor, self.mode = list(trials), space, monitor, mode
        self.folder = folder
        complete = [t for t in self.trials if t.state == COMPLETE]
        choose = max if mode == "max" else min
        self.best = choose(complete, key=lambda t: t.value, default=None)  # type: ignore[arg-type, return-value]
        self.epochs = sum(t.epochs for t in self.trials)

    def save(self) -> None:
        """Write the table, and the image where a trial was measured."""
        self.save_table()
        if any(t.value is not None for t in self.trials):
            save_figure(self.figure(), self.folder / IMAGE, dpi=100)

    @property
    def files(self) -> list[Path]:
        """The table, and the image where there is one."""
        return [path for path in (self.folder / TABLE, self.folder / IMAGE) if path.exists()]

    def save_table(self) -> None:
        """Write the table."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / TABLE).open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            head = ("trial", "state", self.monitor, "epochs", "seconds")
            writer.writerow([*head, *self.space, "folder", "reason"])
            for t in self.trials:
                cells = (t.number, t.state, t.value, t.epochs, f"{t.seconds:.1f}")
                tried = [t.labels.get(name) for name in self.space]
                writer.writerow([*cells, *tried, t.folder, t.reason])

    def figure(self) -> Any:
        """Return the trials as parallel coordinates, a figure of matplotlib."""
        from matplotlib.figure import Figure

        figure = Figure(figsize=(max(8, 1.6 * (len(self.space) + 1)), 4.6), layout="constrained")
        self.draw(figure.add_subplot())
        return figure

    def draw(self, axes: Any) -> None:
        """Draw the trials as parallel coordinates.

        One line a trial, through an axis for each name and one for the monitor, whose better end is
        up. Better trials are darker and wider, pruned ones dashed, the best is black and labelled.

        Args:
            axes: Of matplotlib.
        """
        draw_parallel_coordinates(
            axes,
            self.space,
            [
                (t.labels, t.value, t.state == PRUNED, t.number)
                for t in self.trials
                if t.value is not None and t.state in (COMPLETE, PRUNED)
            ],
            monitor=self.monitor,
            mode=self.mode,
            best=None if self.best is None else self.best.number,
        )

    def __str__(self) -> str:
        counts = Counter(t.state for t in self.trials)
        states = ", ".join(f"{n} {state}" for state, n in counts.items())
        lines = [f"{len(self.trials)} trials: {states}; {self.epochs} epochs"]
        if self.best is not None:
            value = f"{self.monitor} {self.best.value:.5g}"
            lines.append(f"best: trial {self.best.number}, {value}: {self.best}")
        return "\n".join(lines)


def _short(value: Any) -> str:
    return f"{value:.4g}" if is_number(value) else str(value)

"""GalleryRun: runs experiments, and keeps one table and one page of all that ran so far."""

import csv
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from lightning_tf.gallery.experiment import Experiment
from lightning_tf.gallery.experiments import EXPERIMENTS

RESULTS, PAGE = "results.csv", "index.html"
COLUMNS = ("experiment", "figure", "value", "seconds", "full")
IMAGES = (".png", ".gif", ".jpg")
STYLE = "body{font-family:sans-serif;max-width:60rem;margin:auto;padding:1rem}img{max-width:100%}"


@dataclass(frozen=True)
class Outcome:
    """What one experiment came to.

    Attributes:
        experiment: Which.
        figures: Its figures by name.
        seconds: Of wall time.
        folder: Where its images lie.
    """

    experiment: Experiment
    figures: Mapping[str, float]
    seconds: float
    folder: Path


class GalleryRun:
    """Run experiments into folders of their own, and keep a table and a page of them.

    Args:
        output: The folder of all; `runs/gallery` on the command line.
        full: Whether each takes the time for its best figure.
        data_dir: Where files of real data are looked for first.

    Example:
        >>> print(GalleryRun(Path("runs/gallery")).run("perceptron").figures)
    """

    def __init__(self, output: Path, *, full: bool = False, data_dir: str | None = None) -> None:
        self.output = output
        self.full = full
        self.data_dir = data_dir

    def run(self, name: str) -> Outcome:
        """Run one experiment, and return what it came to once the table holds it.

        Args:
            name: A key of `EXPERIMENTS`.

        Raises:
            ConfigurationError, DataError: What it needs is missing; the table is as it was.
        """
        experiment = EXPERIMENTS[name]
        folder = self.output / name
        folder.mkdir(parents=True, exist_ok=True)

        start = time.perf_counter()
        try:
            figures = experiment.run(folder, full=self.full, data_dir=self.data_dir)
        except BaseException:
            if not any(folder.iterdir()):
                folder.rmdir()
            raise
        outcome = Outcome(experiment, figures, time.perf_counter() - start, folder)

        self._keep(outcome)
        return outcome

    @property
    def page(self) -> Path:
        """The page of all that ran so far, there once an experiment has run."""
        return self.output / PAGE

    def _keep(self, outcome: Outcome) -> None:
        rows = [row for row in self._rows() if row["experiment"] != outcome.experiment.name]
        for figure, value in outcome.figures.items():
            cells = (figure, f"{value:.6g}", f"{outcome.seconds:.0f}", str(self.full).lower())
            rows.append(dict(zip(COLUMNS, (outcome.experiment.name, *cells), strict=True)))
        order = list(EXPERIMENTS)
        rows.sort(key=lambda row: order.index(row["experiment"]))

        new = self.output / f"{RESULTS}.new"  # an interruption leaves the whole table that was
        with new.open("w", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS)
            writer.writeheader()
            writer.writerows(rows)
        new.replace(self.output / RESULTS)
        self.page.write_text(self._page(rows), encoding="utf-8")

    def _rows(self) -> list[dict[str, str]]:
        try:
            with (self.output / RESULTS).open(newline="") as file:
                rows = list(csv.DictReader(file))
        except FileNotFoundError:
            return []
        # An older version's table may hold what is no experiment any more, or a folder be deleted.
        return [
            row
            for row in rows
            if (name := row.get("experiment")) in EXPERIMENTS and (self.output / name).is_dir()
        ]

    def _page(self, rows: Sequence[Mapping[str, str]]) -> str:
        by_name: dict[str, list[Mapping[str, str]]] = {}
        for row in rows:
            by_name.setdefault(row["experiment"], []).append(row)
        sections = "\n".join(self._section(name, found) for name, found in by_name.items())
        return (
            '<!doctype html><html lang="en"><meta charset="utf-8"><title>Gallery</title>'
            f'<meta name="viewport" content="width=device-width"><style>{STYLE}</style>'
            f"<h1>Gallery</h1>\n{sections}\n</html>\n"
        )

    def _section(self, name: str, rows: Sequence[Mapping[str, str]]) -> str:
        experiment = EXPERIMENTS[name]
        full = " --full" if rows[0]["full"] == "true" else ""
        command = f"<code>lightning-tf gallery {name}{full}</code>"
        items = "".join(f"<li>{escape(row['figure'])}: {row['value']}</li>" for row in rows)
        images = "".join(
            f'<p><img src="{name}/{escape(path.name)}" alt="{escape(path.stem)}"></p>'
            for path in sorted((self.output / name).iterdir())
            if path.suffix in IMAGES
        )
        return (
            f"<h2>{escape(experiment.what)}</h2><p>{command}, {rows[0]['seconds']} s</p>"
            f"<ul>{items}</ul>{images}"
        )

"""Experiment: one entry of the gallery, as it is listed before anything of it is imported."""

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Experiment:
    """One experiment: what it shows, and the figure that it reaches.

    Its module, `lightning_tf.gallery.<name>`, has `run(folder, *, full, data_dir)`, which writes
    images into the folder and returns its figures by name, the first of them `figure`.

    Attributes:
        name: As on the command line.
        chapter: Of the course.
        what: What it shows, in one line.
        figure: The name of its figure, as in "test accuracy".
        reached: What that was when it was measured, on 2 cores.
        margin: How far from it another machine may end; what a test allows.
        seconds: Of wall time on 2 cores.
        reached_in_full: What `--full` reached; None where it does the same.
    """

    name: str
    chapter: str
    what: str
    figure: str
    reached: float
    margin: float
    seconds: int
    reached_in_full: float | None = None

    @property
    def page(self) -> str:
        """The documentation's page about it."""
        return f"gallery/{self.name}.md"

    def run(self, folder: Path, *, full: bool, data_dir: str | None) -> Mapping[str, float]:
        """Run it: write its images into a folder, and return its figures by name.

        Args:
            folder: Exists.
            full: Whether it takes the time for its best figure, else at most 3 minutes.
            data_dir: Where files of real data are looked for first.

        Raises:
            ConfigurationError, DataError: Data or an extra that it needs are missing.
        """
        module = importlib.import_module(f"lightning_tf.gallery.{self.name}")
        figures: Mapping[str, float] = module.run(folder, full=full, data_dir=data_dir)
        return figures

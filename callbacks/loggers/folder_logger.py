"""FolderLogger: what loggers that write files into a run's folder have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lightning_tf.callbacks.loggers.run_folder import RunFolder
from lightning_tf.exceptions import ConfigurationError
from lightning_tf.logger import Logger

if TYPE_CHECKING:
    from lightning_tf.task import Task
    from lightning_tf.trainer import Trainer


class FolderLogger(Logger):
    """Writes into a `RunFolder`, and in a resumed run goes on in the one of before.

    Args:
        folder: Chosen when an entry point begins, shared with loggers of other kinds.
        flush_every_n_steps: The most updates whose rows a killed process can lose.

    Raises:
        ConfigurationError: `flush_every_n_steps` is below 1.

    Example:
        >>> class Notes(FolderLogger):
        ...     def __init__(self):
        ...         super().__init__(RunFolder("Notes", taken_by="notes.txt"))
        ...
        ...     def log_metrics(self, metrics, step):
        ...         (self.folder.make() / "notes.txt").open("a").write(f"{step} {metrics}")
    """

    def __init__(self, folder: RunFolder, flush_every_n_steps: int = 100) -> None:
        if flush_every_n_steps < 1:
            raise ConfigurationError(
                f"{folder.owner}(flush_every_n_steps={flush_every_n_steps!r}): give at least 1."
            )
        self.folder = folder
        self.flush_every_n_steps = flush_every_n_steps
        self._stage = ""
        self._flushed_step = 0
        self._enabled = True

    @property
    def name(self) -> str:
        """The folder between root and version, or the class's name."""
        return self.folder.name or type(self).__name__

    @property
    def log_dir(self) -> str | None:
        """The run's folder; None before the first run."""
        return None if self.folder.path is None else str(self.folder.path)

    @property
    def run_id(self) -> str | None:
        """The run's folder."""
        return self.log_dir

    def run_folders(self, trainer: Trainer) -> list[str]:
        """Every version that there is."""
        return self.folder.versions(trainer)

    def continue_run(self, run_id: str) -> None:
        """Go on in an earlier process's folder, where it is one that this logger would make."""
        self.folder.continue_in(run_id)

    def setup(self, trainer: Trainer, task: Task, stage: str) -> None:
        """Choose the folder; it is made when the first thing is written."""
        self._stage, self._enabled = stage, trainer.is_global_zero
        self.folder = self.folder.shared(trainer, self)
        self.folder.choose(trainer, task)

"""FolderLogger: what loggers that write files into a run's folder have in common."""

from collections.abc import Iterable

from lightning_tf.callbacks.loggers.run_folder import RunFolder
from lightning_tf.checks import checked_integer
from lightning_tf.logger import Logger
from lightning_tf.task import Task
from lightning_tf.trainer import Trainer


class FolderLogger(Logger):
    """Writes into a `RunFolder`; in a resumed run it continues in the folder of the run before.

    Args:
        folder: Chosen when an entry point begins, and shared with loggers of other kinds.
        flush_every_n_steps: How many updates' rows a killed process can lose.

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
        self.folder = folder
        self.flush_every_n_steps = checked_integer(
            f"{folder.owner}: flush_every_n_steps", flush_every_n_steps, least=1
        )
        self._stage = ""
        self._run: tuple[RunFolder, int] | None = None
        self._saved_step = 0
        self._enabled = True

    @property
    def name(self) -> str:
        """Return the folder between root and version, or the class's name."""
        return self.folder.name or type(self).__name__

    @property
    def log_dir(self) -> str | None:
        """Return the run's folder; None before the first run."""
        return None if self.folder.path is None else str(self.folder.path)

    @property
    def run_id(self) -> str | None:
        """Return the run's folder."""
        return self.log_dir

    def run_folders(self, trainer: Trainer) -> list[str]:
        """Return the folders of all versions."""
        return self.folder.versions(trainer)

    def continue_run(self, run_id: str) -> None:
        """Continue in an earlier process's folder, if it is one that this logger would make."""
        self.folder.continue_in(run_id)

    def setup(self, trainer: Trainer, task: Task, stage: str) -> None:
        """Choose the folder; it is made when something is written."""
        self._stage, self._enabled = stage, trainer.is_global_zero
        self.folder = self.folder.find_shared(trainer, self)
        self.folder.choose(trainer, task)

        # A logger that shares the folder may have chosen it already: count its runs.
        run = (self.folder, self.folder.runs)
        if self._run != run:
            self._run = run
            self._start_run()

    def _start_run(self) -> None:
        """Forget the files of an earlier run."""

    def _save_when_due(self, metrics: Iterable[str], step: int) -> None:
        """Save after a row of validation, and whenever enough updates have passed."""
        unsaved = step - self._saved_step
        if unsaved >= self.flush_every_n_steps or any(name.startswith("val/") for name in metrics):
            self.save()
            self._saved_step = step

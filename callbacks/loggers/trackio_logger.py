"""TrackioLogger: a run in Trackio, on this disk and without an account."""

import os
from collections.abc import Mapping
from typing import Any

from lightning_tf.callbacks.loggers.delivering_logger import DeliveringLogger
from lightning_tf.callbacks.loggers.trackio_receiver import TrackioReceiver
from lightning_tf.exceptions import ConfigurationError
from lightning_tf.trainer import Trainer

DECIDED = {"project", "name", "space_id", "resume", "config"}


class TrackioLogger(DeliveringLogger):
    """Writes rows, the config, images, figures, tables and texts to Trackio.

    Needs ``pip install 'lightning-tf[trackio]'``. Trackio keeps its projects in TRACKIO_DIR (by
    default in the user's cache); ``trackio show --project <project>`` shows them. Of a file it gets
    the path; checkpoints stay where they are.

    Rows go to ``<save_dir>/trackio_runs/<project>/<run_id>/`` first and from there to Trackio, in a
    thread: what it could not take is given to it again by a later entry point, by the run that is
    resumed, or by `send`. A run that is resumed from a checkpoint goes on in the same Trackio run;
    what that has of updates that are repeated is not sent again.

    Args:
        project: The project of Trackio.
        name: The run's name for people; the run's id is put behind it, because Trackio finds runs
            by their names.
        space_id: A Space of Hugging Face (``user/space``) that gets the run instead, for which
            Trackio needs an account; None keeps the run on this disk.
        save_dir: Holds the folder above; the Trainer's `default_root_dir` where it is None.
        prefix: Put before the name of everything that is logged.
        run_id: The id of a run to go on with.
        finish_timeout: Seconds that the end of an entry point waits for Trackio.
        init: More arguments of trackio.init: ``group``, ``auto_log_cpu``, ...

    Raises:
        ConfigurationError: Trackio is not installed, or an argument cannot work.

    Example:
        >>> trainer = Trainer(max_epochs=10, logger=TrackioLogger("digits", name="baseline"))
        >>> trainer.fit(task)
    """

    package, receiver = "trackio", TrackioReceiver

    def __init__(
        self,
        project: str = "lightning_tf",
        name: str | None = None,
        space_id: str | None = None,
        save_dir: str | os.PathLike[str] | None = None,
        prefix: str = "",
        run_id: str | None = None,
        *,
        finish_timeout: float = 60.0,
        init: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(project, save_dir, run_id, prefix, finish_timeout)
        self.space_id, self._run_name, self._init = space_id, name, dict(init or {})
        for argument in DECIDED & set(self._init):
            raise ConfigurationError(
                f"TrackioLogger(init={self._init!r}): the logger itself decides on {argument}; "
                "give project, name and space_id as its arguments, run_id to go on with a run."
            )

    @property
    def name(self) -> str:
        """Return the run's name, or the class's."""
        return self._run_name or type(self).__name__

    def _record_of_run(self, trainer: Trainer, run_id: str) -> dict[str, Any]:
        return {
            "id": run_id,
            "name": f"{self._run_name}-{run_id}" if self._run_name else run_id,
            "settings": {"project": self.project, "space_id": self.space_id, "init": self._init},
            "config": {},
            "tags": {},
            "status": None,
        }

"""prediction_folder: where a callback writes what is predicted."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from lightning_tf.checks import checked_path, why_unwritable
from lightning_tf.exceptions import ConfigurationError
from lightning_tf.storage.location import portable

if TYPE_CHECKING:
    from lightning_tf.trainer import Trainer


def refuse_several_sets(trainer: Trainer, writer: str) -> None:
    """Refuse a prediction of several data sets where a file's rows belong to the task's only one.

    Raises:
        ConfigurationError: There are several; names the writer.
    """
    if trainer.dataset_name is not None:
        raise ConfigurationError(
            f"{writer} names what it writes by its place in one data set, and predict_dataset "
            "gives several; predict one at a time, or give a PredictionWriter."
        )


def prediction_folder(trainer: Trainer, directory: str | os.PathLike[str] | None) -> Path:
    """Make the folder for predictions and return it; all workers ask, and the chief makes it.

    Args:
        trainer: Which predicts.
        directory: None is ``predictions`` in the folder of the run that went before, or in the
            Trainer's `default_root_dir`.

    Raises:
        ConfigurationError: It cannot be made or written to.
    """
    run = trainer.log_dir
    # A logger's folder that is not there yet is the logger's to make: it numbers them.
    root = trainer.default_root_dir if run is None or not os.path.isdir(run) else run
    wanted = Path(root) / "predictions" if directory is None else directory
    return Path(trainer.workers.of_chief(lambda: str(new_folder(wanted))))


def new_folder(directory: str | os.PathLike[str]) -> Path:
    """Make a folder, unless it is there, and return it.

    Raises:
        ConfigurationError: It cannot be made or written to.
    """
    folder = Path(checked_path("directory", directory))
    if reason := why_unwritable(str(folder)):
        raise ConfigurationError(
            f"predictions cannot be written to {portable(str(folder))} ({reason}); give another "
            "directory."
        )
    folder.mkdir(parents=True, exist_ok=True)
    return folder
